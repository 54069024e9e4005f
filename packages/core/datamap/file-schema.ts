// What stands in datamap.yaml. The one definition: validation, the JSON Schema that editors complete with, and the types of what
// is written all come from here. What it means once it is read is in model.ts.
import { Type } from '../schema/build.ts';
import type { Static, TEnum, TSchema } from 'typebox';
import { DURATION } from './duration.ts';
import { searchKinds } from './model.ts';

/** Tables, columns, subjects, purposes. A limit that no real database comes near, so that a hostile file is refused early. */
const ENTRIES_AT_MOST = 100_000;
const TEXT_AT_MOST = 2000;

const closed = { additionalProperties: false } as const;

function object<const Properties extends Record<string, TSchema>>(properties: Properties, description?: string) {
  return Type.Object(properties, description === undefined ? closed : { ...closed, description });
}

function oneOf<const Words extends string[]>(words: readonly [...Words], description?: string): TEnum<Words> {
  return Type.Enum<Words>([...words], description === undefined ? {} : { description });
}

function text(description?: string) {
  return Type.String({ minLength: 1, maxLength: TEXT_AT_MOST, ...(description === undefined ? {} : { description }) });
}

function named<const Entry extends TSchema>(entry: Entry, description: string) {
  // Written out because the pattern of a plain string lets a name with a line break pass unlooked at.
  return Type.Record(Type.String({ pattern: '^[\\s\\S]+$' }), entry, { maxProperties: ENTRIES_AT_MOST, description });
}

function oneOrMore<const Entry extends TSchema>(entry: Entry, description: string) {
  return Type.Union([entry, Type.Array(entry, { minItems: 1, maxItems: 64 })], { description });
}

const Duration = Type.String({ pattern: DURATION, description: 'a period of the calendar: 10y, 6mo, 2w or 30d' });
const Path = text('columns of the row, or a way over other tables: booking_id -> bookings.patient_id');
const Scalar = Type.Union([Type.String({ maxLength: TEXT_AT_MOST }), Type.Number(), Type.Boolean(), Type.Null()]);

const MEANINGS = ['owns', 'about', 'created_by', 'shared', 'stop'] as const;
const Edge = Type.Union([
  Path,
  object({
    path: Path,
    meaning: oneOf(
      MEANINGS,
      'owns: the row dies with the person; about: the columns of the person are masked; created_by: the author is detached; shared: touched only when no other person reaches the row; stop: not followed',
    ),
  }),
]);

const TenantRule = Type.Union([
  Type.Literal('fixed'),
  object({ column: text('the column that holds the tenant') }),
  object({ path: text('a way whose last step names the column that holds the tenant') }),
]);
const TableTenant = Type.Union([
  TenantRule,
  Type.Literal('shared', { description: 'rows that all tenants use; never for a table about people' }),
]);

const Audit = object(
  {
    writes: Type.Optional(Type.Boolean({ description: 'record every change; on unless said otherwise' })),
    reads: Type.Optional(Type.Boolean({ description: 'record who read which person; off unless said otherwise' })),
    actor: Type.Optional(
      oneOf(['off', 'warn', 'require'], 'what happens to a change whose actor is not known; warn unless said otherwise'),
    ),
    strict_reads: Type.Optional(Type.Boolean({ description: 'answer a read only when its event is safe on disk' })),
  },
  'what is recorded',
);

const Controller = object(
  {
    name: text(),
    contact: text(),
    data_protection_officer: Type.Optional(text('Art. 37 GDPR')),
    representative: Type.Optional(text('Art. 27 GDPR')),
  },
  'who decides why and how the data is processed',
);

const Purpose = object({
  use: text('a data use of fideslang: essential.service'),
  basis: Type.Optional(
    oneOf(['consent', 'contract', 'legal_obligation', 'vital_interests', 'public_task', 'legitimate_interests'], 'Art. 6(1) GDPR'),
  ),
  condition: Type.Optional(
    oneOf(
      [
        'explicit_consent',
        'employment_social_security',
        'vital_interests',
        'nonprofit_members',
        'made_public',
        'legal_claims',
        'substantial_public_interest',
        'health_care',
        'public_health',
        'archiving_research_statistics',
      ],
      'Art. 9(2) GDPR, for special categories',
    ),
  ),
  retention: Type.Optional(Duration),
  recipients: Type.Optional(Type.Array(text(), { maxItems: 1000, description: 'who is given the data: Art. 30(1)(d) GDPR' })),
  cite: Type.Optional(text('the law or contract that it rests on')),
  note: Type.Optional(text()),
});

const Subject = object({
  table: text('the table of these people'),
  key: oneOrMore(text(), 'the column or columns that name one of them'),
  find_by: Type.Optional(Type.Array(text(), { maxItems: 64, description: 'columns to look a person up by' })),
  label: Type.Optional(text('the column that names a person to people')),
});

const Retention = object({
  after: text('the column that the period counts from'),
  keep: Duration,
  then: oneOf(['delete', 'anonymise', 'archive']),
  cite: Type.Optional(text()),
});

const OnErasure = object(
  {
    keep: oneOf(
      [
        'contract',
        'legal_obligation',
        'public_task',
        'public_health',
        'archiving_research_statistics',
        'legal_claims',
        'freedom_of_expression',
      ],
      'why the row outlives an erasure: Art. 17(3) GDPR, or a contract that still runs',
    ),
    cite: Type.Optional(text('the law or contract that says so')),
    until: Type.Optional(text('a column and a period: issued_at + 10y')),
    replace: Type.Optional(named(Scalar, 'what columns are set to although the row is kept')),
  },
  'what an erasure leaves standing, and why',
);

const Erase = Type.Union(
  [
    Type.Literal('delete'),
    Type.Literal('null'),
    // `erase: null` in YAML is the null value, and means the same.
    Type.Null(),
    Type.Literal('shred'),
    Type.Literal('hash'),
    Type.Literal('keep'),
    object({ replace: Scalar }),
  ],
  { description: 'what erasure does to the value' },
);

/** A search by more columns than five at once finds a person by everything that is known of them: one of them is wrong. */
const MOST_SEARCHED_WITH = 4;

const Column = object({
  category: oneOrMore(text(), 'a key of the taxonomy, such as user.contact.email; none: looked at, not personal'),
  protect: Type.Optional(oneOf(['none', 'client', 'database'], 'where values are encrypted')),
  search: Type.Optional(
    Type.Array(oneOf(searchKinds), {
      maxItems: searchKinds.length,
      description:
        'what encrypted values can be searched by; unique: kept unique by a whole hash, which shows equal values to be equal',
    }),
  ),
  search_with: Type.Optional(
    Type.Array(text(), {
      maxItems: MOST_SEARCHED_WITH,
      description: 'columns of the table, encrypted as this one is, that it is searched together with: surname with birthdate',
    }),
  ),
  erase: Type.Optional(Erase),
  free_text: Type.Optional(Type.Boolean({ description: 'text in which anything may stand' })),
  of: Type.Optional(
    oneOrMore(text(), 'in a row about several people, whose the column is: paths of its table; of several it goes with the last'),
  ),
  note: Type.Optional(text()),
});

const Trigger = object(
  {
    writes_to: oneOrMore(text(), 'tables outside of the map that it writes to, also while a person is erased'),
    note: text('why no value of anybody comes to stand there'),
  },
  'a trigger of the table that an erasure lets write outside of the map',
);

const Table = object({
  of: Type.Optional(
    Type.Union([
      Type.Literal('none', { description: 'personal data of people for whom no subject stands; needs a note' }),
      named(
        Type.Union([Edge, Type.Array(Edge, { minItems: 1, maxItems: 64 })]),
        'whose rows these are: subject and path, or a list of paths',
      ),
    ]),
  ),
  purposes: Type.Optional(Type.Array(text(), { maxItems: 1000 })),
  audit: Type.Optional(Audit),
  retention: Type.Optional(Retention),
  on_erasure: Type.Optional(OnErasure),
  columns: Type.Optional(named(Column, 'every column of the table')),
  triggers: Type.Optional(named(Trigger, 'triggers that write to tables which the map does not know, and nothing of a person')),
  tenant: Type.Optional(TableTenant),
  region: Type.Optional(text('where the rows are kept and processed')),
  compliance: Type.Optional(
    oneOf(
      ['side-table', 'columns'],
      'keep version, author, deletion, hold and retention of each row: beside the table, or in columns of its own',
    ),
  ),
  hide_deleted: Type.Optional(
    Type.Boolean({ description: 'row security hides rows whose deleted_at is set from reads; needs compliance: columns' }),
  ),
  isolate: Type.Optional(
    Type.Boolean({ description: 'row security shows and takes rows of the tenant only; needs a tenant by column' }),
  ),
  note: Type.Optional(text()),
});

const Outside = object({
  kind: oneOf(['files', 's3', 'webhook', 'command']),
  of: text('a subject'),
  at: text('a path, prefix, address, or a program and its arguments; {key} stands for the key of the person'),
  export: Type.Boolean({ description: 'fetch it for the person' }),
  erase: Type.Boolean({ description: 'remove it with the person' }),
  note: Type.Optional(text()),
});

export const MapFile = object(
  {
    version: Type.Literal(1),
    tenant: Type.Optional(TenantRule),
    controller: Type.Optional(Controller),
    region: Type.Optional(text('where rows are kept and processed unless a table says otherwise')),
    audit: Type.Optional(Audit),
    watch_structure: Type.Optional(
      Type.Boolean({
        description: 'note changes of tables and columns as they happen, by an event trigger, where the login may create one',
      }),
    ),
    purposes: Type.Optional(named(Purpose, 'why data is processed')),
    subjects: Type.Optional(named(Subject, 'the kinds of people')),
    tables: Type.Optional(named(Table, 'schema.table; parts with capitals, blanks, dots or quotes in double quotes')),
    outside: Type.Optional(named(Outside, 'data of the same people outside of the database')),
  },
  'whose data is where, why, and what happens to it',
);
export type MapFile = Static<typeof MapFile>;

export type EdgeText = Static<typeof Edge>;
export type TableText = Static<typeof Table>;
export type ColumnText = Static<typeof Column>;
export type SubjectText = Static<typeof Subject>;
export type PurposeText = Static<typeof Purpose>;
export type AuditText = Static<typeof Audit>;
export type TriggerText = Static<typeof Trigger>;
export type TenantText = Static<typeof TableTenant>;
export type EraseText = Static<typeof Erase>;

/** Where the schema of the map is published; written into the first line of a new map, so that editors complete it. */
export const MAP_SCHEMA_FILE = 'datamap.schema.json';

/** The JSON Schema (draft 2020-12) of datamap.yaml. */
export function mapJsonSchema(): object {
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'Safekeep data map', ...MapFile };
}
