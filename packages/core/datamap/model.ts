// The data map once it is read: names canonical, short forms written out, defaults filled in. What people write is defined in
// file-schema.ts. Tables are named by their external names (`public.patients`, see names.ts), columns as they stand in the
// database; subjects and purposes by the words of the map.
import type { Duration } from './duration.ts';
import type { SubjectPath } from './path.ts';

export type DataMap = {
  /** How the tenant of a row is found where its table says nothing else. */
  readonly tenant: TenantRule;
  readonly controller: Controller | null;
  /** Where a row is kept and processed unless its table says otherwise. */
  readonly region: string | null;
  /** What is audited unless a table says otherwise. */
  readonly audit: AuditSettings;
  /** Whether an event trigger notes that the structure changed, so that `scan-changes` knows when to look. */
  readonly watchStructure: boolean;
  readonly purposes: ReadonlyMap<string, Purpose>;
  readonly subjects: ReadonlyMap<string, Subject>;
  /** By external name, in the order of the file. */
  readonly tables: ReadonlyMap<string, MappedTable>;
  readonly outside: ReadonlyMap<string, OutsidePlace>;
};

export type TenantRule =
  /** All rows belong to the one tenant that Safekeep runs for. */
  | { readonly kind: 'fixed' }
  /** A column of the table itself. */
  | { readonly kind: 'column'; readonly column: string }
  /** A column of another table; the last step of the path names it. */
  | { readonly kind: 'path'; readonly path: SubjectPath }
  /** Rows that all tenants share, such as a list of countries. Never for a table about people. */
  | { readonly kind: 'shared' };

export type Controller = {
  readonly name: string;
  readonly contact: string;
  /** Art. 37 GDPR. */
  readonly dataProtectionOfficer: string | null;
  /** Art. 27 GDPR. */
  readonly representative: string | null;
};

/** Art. 6(1) GDPR, (a) to (f). */
export type LegalBasis = 'consent' | 'contract' | 'legal_obligation' | 'vital_interests' | 'public_task' | 'legitimate_interests';

/** Art. 9(2) GDPR, (a) to (j). */
export type SpecialCondition =
  | 'explicit_consent'
  | 'employment_social_security'
  | 'vital_interests'
  | 'nonprofit_members'
  | 'made_public'
  | 'legal_claims'
  | 'substantial_public_interest'
  | 'health_care'
  | 'public_health'
  | 'archiving_research_statistics';

export type Purpose = {
  readonly name: string;
  /** A data use of fideslang: `essential.service`. */
  readonly use: string;
  readonly basis: LegalBasis | null;
  /** Art. 9(2) condition, for special categories. */
  readonly condition: SpecialCondition | null;
  readonly retention: Duration | null;
  /** Who is told or given the data: Art. 30(1)(d). */
  readonly recipients: readonly string[];
  /** The law or contract that it rests on. */
  readonly cite: string | null;
  readonly note: string | null;
};

/** A kind of person. */
export type Subject = {
  readonly name: string;
  readonly table: string;
  /** What `type:key` names one of them by; several columns are joined by `,`. */
  readonly key: readonly string[];
  readonly findBy: readonly string[];
  /** The column that names a person to people. */
  readonly label: string | null;
};

/**
 * What a path means for a row:
 * - `owns`: it dies with the person;
 * - `about`: it stays, the person's columns in it are masked;
 * - `created_by`: it stays, the person is detached as its author;
 * - `shared`: several people stand in it; touched only where no other subject reaches it;
 * - `stop`: looked at, and not followed.
 */
export type Meaning = 'owns' | 'about' | 'created_by' | 'shared' | 'stop';

/** One way from a row to a person, as the map says it. */
export type SubjectEdge = {
  readonly subject: string;
  readonly path: SubjectPath;
  /** Null where the map leaves it to the foreign keys (`meaningOf` in resolve.ts decides). */
  readonly meaning: Meaning | null;
};

export type MappedTable = {
  readonly name: string;
  /** Whose rows these are. Empty for a table of persons itself, and for one that is about nobody. */
  readonly of: readonly SubjectEdge[];
  /** `of: none`: looked at, about nobody whom a subject of this map stands for (the note says why). */
  readonly ofNobody: boolean;
  /** Names of purposes; where it is empty those of the persons' table hold (`purposesOf`). */
  readonly purposes: readonly string[];
  /** With the defaults of the map filled in. */
  readonly audit: AuditSettings;
  readonly retention: RetentionRule | null;
  readonly onErasure: ErasureRule | null;
  /** By name as it stands in the database, in the order of the file. */
  readonly columns: ReadonlyMap<string, MappedColumn>;
  /** Triggers of the table, by name, that write outside of the map and nothing of anybody: an erasure lets them. */
  readonly triggers: ReadonlyMap<string, HarmlessTrigger>;
  /** Null: as the map as a whole says. */
  readonly tenant: TenantRule | null;
  readonly region: string | null;
  /** Where the compliance fields of its rows stand (`COMPLIANCE_FIELDS`); null for a table that has none. */
  readonly compliance: ComplianceForm | null;
  /** Row security hides rows that were deleted softly from reads. Only with the compliance fields as columns. */
  readonly hideDeleted: boolean;
  /** Row security shows and takes rows of the tenant only. */
  readonly isolate: boolean;
  readonly note: string | null;
};

export type HarmlessTrigger = {
  /** External names of tables. */
  readonly writesTo: readonly string[];
  readonly note: string;
};

/** In safekeep.compliance_fields, by table and key of the row, or in the table itself. */
export type ComplianceForm = 'side-table' | 'columns';

export type AuditSettings = {
  readonly writes: boolean;
  readonly reads: boolean;
  /** What happens to a change whose actor is not known. */
  readonly actor: 'off' | 'warn' | 'require';
  /** A read is answered only once its event is safe on disk. */
  readonly strictReads: boolean;
};

/** How long a row stays when nobody asks for its erasure. */
export type RetentionRule = {
  /** The column that the period counts from. */
  readonly after: string;
  readonly keep: Duration;
  readonly then: 'delete' | 'anonymise' | 'archive';
  readonly cite: string | null;
};

/** Why a row outlives an erasure: the grounds of Art. 17(3) GDPR, and a contract that still runs (Art. 17(1)(a)). */
export type KeepGround =
  | 'contract'
  | 'legal_obligation'
  | 'public_task'
  | 'public_health'
  | 'archiving_research_statistics'
  | 'legal_claims'
  | 'freedom_of_expression';

export type ErasureRule = {
  readonly keep: KeepGround;
  readonly cite: string | null;
  /** `issued_at + 10y`. Null: as long as the ground holds, to be reviewed by a person. */
  readonly until: { readonly column: string; readonly plus: Duration } | null;
  /** What columns are set to although the row is kept. */
  readonly replace: ReadonlyMap<string, Scalar>;
};

export type Scalar = string | number | boolean | null;

export type Protection = 'none' | 'client' | 'database';

/**
 * What encrypted values can be searched by. All but `unique` keep a few bits, so that one number stands for several values;
 * `unique` keeps the whole hash, so that the database refuses a value that is there already: equal values are seen to be equal.
 */
export const searchKinds = ['exact', 'unique', 'last4', 'prefix', 'year', 'month', 'soundex'] as const;
export type SearchKind = (typeof searchKinds)[number];

/** What stands in the clear beside the ciphertext of a card number, so that it can be shown: PCI DSS 4.0.1, 3.4.1 and 3.5.1. */
export const displayKinds = ['card_bin', 'card_last4'] as const;
export type DisplayKind = (typeof displayKinds)[number];

/** What stands beside a ciphertext: for a search of one column, or of a column together with others, or to be shown. */
export type IndexKind = SearchKind | DisplayKind | 'compound';

export type EraseAction =
  | { readonly kind: 'delete' }
  | { readonly kind: 'null' }
  | { readonly kind: 'shred' }
  | { readonly kind: 'replace'; readonly value: Scalar }
  | { readonly kind: 'hash' }
  | { readonly kind: 'keep' };

export type MappedColumn = {
  readonly name: string;
  /** Keys of the taxonomy. Empty: looked at, not personal (the note says why). */
  readonly categories: readonly string[];
  readonly protect: Protection;
  readonly search: readonly SearchKind[];
  /** Columns of the same table that it is searched together with: rows in which all of them are what is looked for. */
  readonly searchWith: readonly string[];
  /** Null: what the meaning of the path makes of the row. */
  readonly erase: EraseAction | null;
  /** Text in which anything may stand. */
  readonly freeText: boolean;
  /**
   * Of a row with several people, whose the column is: paths of its table, as written there. Of several it is all of theirs, and
   * goes with the last of them. Empty: the map does not say.
   */
  readonly of: readonly SubjectPath[];
  readonly note: string | null;
};

/** Data of the same people that lies outside of the database. */
export type OutsidePlace = {
  readonly name: string;
  readonly kind: 'files' | 's3' | 'webhook' | 'command';
  readonly subject: string;
  /** A path, prefix, address or program with its arguments; `{key}` stands for the person's key. */
  readonly at: string;
  readonly export: boolean;
  readonly erase: boolean;
  readonly note: string | null;
};
