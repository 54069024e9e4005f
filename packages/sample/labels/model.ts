/**
 * The categories used here: keys of the fideslang 3.1 taxonomy, and our own below `user.health_and_medical` and
 * `user.financial.credit_card`. Ours carry the names that fideslang 3.2 gives the same things below `user.health`.
 */
export type Category =
  | 'none'
  | 'user.account.username'
  | 'user.authorization.password'
  | 'user.behavior'
  | 'user.contact.address.city'
  | 'user.contact.address.country'
  | 'user.contact.address.postal_code'
  | 'user.contact.address.street'
  | 'user.contact.email'
  | 'user.contact.phone_number'
  | 'user.content.private'
  | 'user.demographic.date_of_birth'
  | 'user.demographic.gender'
  | 'user.demographic.language'
  | 'user.demographic.marital_status'
  | 'user.device.ip_address'
  | 'user.device'
  | 'user.financial'
  | 'user.financial.bank_account'
  | 'user.financial.credit_card.number'
  | 'user.financial.credit_card.expiry'
  | 'user.government_id'
  | 'user.government_id.national_identification_number'
  | 'user.health_and_medical'
  | 'user.health_and_medical.condition'
  | 'user.health_and_medical.insurance_beneficiary_id'
  | 'user.health_and_medical.medical_diagnosis'
  | 'user.health_and_medical.prescriptions'
  | 'user.health_and_medical.record_id'
  | 'user.health_and_medical.treatment'
  | 'user.job_title'
  | 'user.name'
  | 'user.name.first'
  | 'user.name.last'
  | 'user.payment'
  | 'user.privacy_preferences'
  | 'user.unique_id'
  | 'user.workplace';

export type SubjectType = 'patient' | 'staff';

/** Where one kind of person is known. */
export type Subject = {
  readonly table: string;
  readonly key: string;
  /** Shows who it is. */
  readonly label: string;
  /** Columns by which a person can be found. */
  readonly findBy: readonly string[];
};

/** What is remarkable about a column beyond its category. */
export type ColumnTrait =
  /** Prose in which anything personal may stand. */
  | 'free-text'
  /** A document in JSON with personal leaves. */
  | 'json'
  /** Bytes, or text kept as bytes, with personal data inside. */
  | 'blob'
  /** About somebody who is neither patient nor staff, or about another person than the row's own. */
  | 'third-party'
  | 'generated'
  /** '' where NULL was meant. */
  | 'empty-for-null'
  /** Holds values against its declared type or longer than it. */
  | 'lying-type'
  | 'boolean-number'
  | 'boolean-text'
  | 'wall-time'
  | 'utc-time'
  | 'offset-time'
  /** Rows with and rows without a zone. */
  | 'mixed-time'
  | 'unix-seconds'
  | 'unix-milliseconds'
  | 'julian-day'
  | 'money-real'
  | 'money-numeric'
  | 'beyond-2^53'
  /** A reserved word of SQL. */
  | 'reserved-word';

export type ColumnLabel = {
  readonly category: Category;
  /** Categories that a careful reader would accept as well: a date of service is personal to HIPAA and to few others. */
  readonly or?: readonly Category[];
  readonly traits?: readonly ColumnTrait[];
};

/** What a path from a row to a person means, in the words of the data map. */
export type Meaning = 'owns' | 'about' | 'created_by' | 'shared';

export type Owner = {
  readonly subject: SubjectType;
  /**
   * In the words of the data map: `patient_id` names the person directly, `booking_id -> bookings.patient_id` over a hop,
   * several columns of one key stand in brackets.
   */
  readonly path: string;
  readonly meaning: Meaning;
  /** Where the first hop is no declared foreign key: the column that holds the same values. */
  readonly matches?: { readonly table: string; readonly column: string };
};

export type TableTrait =
  | 'subjects'
  | 'lookup'
  | 'junction'
  | 'shared-row'
  | 'self-reference'
  /** On a cycle of foreign keys over more than one table. */
  | 'cycle'
  | 'soft-delete'
  | 'composite-key'
  | 'composite-foreign-key'
  | 'no-key'
  | 'empty'
  | 'without-rowid'
  | 'strict'
  | 'gaps'
  | 'quoted-names'
  /** Full-text search, and the tables SQLite keeps for it: words of the notes stand in them. */
  | 'search-index';

export type TableLabel = {
  /** Whose rows these are; empty when nobody's. */
  readonly of: readonly Owner[];
  readonly traits: readonly TableTrait[];
  readonly columns: Readonly<Record<string, ColumnLabel>>;
};

export type Labels = {
  readonly subjects: Readonly<Record<SubjectType, Subject>>;
  /** Every table of the file but SQLite's own (`sqlite_…`); views are made of tables and are left out. */
  readonly tables: Readonly<Record<string, TableLabel>>;
};

/** A column that says nothing about anybody, or only together with the rest of its row. */
export function plainly(...traits: ColumnTrait[]): ColumnLabel {
  return traits.length === 0 ? { category: 'none' } : { category: 'none', traits };
}

export function personal(category: Exclude<Category, 'none'>, ...traits: ColumnTrait[]): ColumnLabel {
  return traits.length === 0 ? { category } : { category, traits };
}

/** Not personal to most readers, but `or` would be a fair answer too. */
export function perhaps(or: Exclude<Category, 'none'>, ...traits: ColumnTrait[]): ColumnLabel {
  return { ...plainly(...traits), or: [or] };
}

/** The number of a person, in the person's own row or in another's: pseudonymous, and personal (GDPR recital 26). */
export const personKey: ColumnLabel = { category: 'user.unique_id', or: ['none'] };

/** The number of the row, of a visit or of a thing. */
export const rowKey: ColumnLabel = { category: 'none' };
