import { Type } from '@safekeep/core/schema';
import type { Static, TSchema } from 'typebox';
import type { Id, IndexKind, Protection, SearchedType, TableRef } from '@safekeep/core';
import type { Direction, Phase } from './rules/life.ts';

export type FieldId = Id<'field'>;
export type Mode = Exclude<Protection, 'none'>;

/**
 * building: written and filled in, not searched yet · serving · leaving: still written, since clients search by it for a lease ·
 * left: clients are told to write it no more, and the column goes when each has heard of it
 */
export type IndexState = 'building' | 'serving' | 'leaving' | 'left';

/** A blind index of a field, in a column beside the ciphertext: an int8, or the whole hash as bytea for `unique`. */
export type FieldIndex = {
  readonly kind: IndexKind;
  /** Of a compound index all fields that it is made of, in their order, the one that has it first; of others none. */
  readonly parts: readonly IndexPart[];
  readonly state: IndexState;
  readonly column: string;
  readonly bits: number;
  readonly version: number;
  readonly rows: number;
  readonly distinct: number;
  readonly attackGain: number;
};

/** One of the columns of a compound index. */
export type IndexPart = KeyedField & { readonly column: string; readonly encryptedColumn: string };

/** A column that is, or is on its way to be, or was just now encrypted. */
export type Field = {
  readonly id: FieldId;
  readonly tenant: string;
  readonly table: TableRef;
  readonly column: string;
  readonly encryptedColumn: string;
  /** Its rows lie in partitions, each a table of its own. */
  readonly isPartitioned: boolean;
  readonly valueType: SearchedType;
  /** As declared: `character varying(80)`. */
  readonly columnType: string;
  readonly lengthLimit: number | null;
  readonly isCard: boolean;
  readonly mode: Mode;
  readonly phase: Phase;
  readonly direction: Direction;
  readonly keyScope: string;
  readonly notNull: string | null;
  readonly nextPage: number;
  readonly done: number;
  readonly total: number;
  readonly verified: number;
  readonly rowsPerSecond: number;
  readonly failure: string | null;
  readonly indexes: readonly FieldIndex[];
};

/**
 * What opens and closes the values of fields. Held by whoever holds the keys: the engine never sees one. Everything is bound
 * to tenant and field, so a value that was moved to another column does not open.
 */
export type FieldKeys = {
  /** Makes the data key of a field that has none. Asked before anything of the user's is touched. */
  readonly prepare: (field: KeyedField) => Promise<void>;
  /** Under the current key of the field. Texts are what PostgreSQL prints (dates in ISO style, instants in UTC, bytea in hex). */
  readonly seal: (field: KeyedField, values: readonly string[]) => Promise<readonly Buffer[]>;
  /** @throws `SafekeepError` naming why one does not open; never with the value. */
  readonly open: (field: KeyedField, sealed: readonly Buffer[]) => Promise<readonly string[]>;
  /** One blind index value (an int8 in decimal) for each search form. */
  readonly index: (field: KeyedField, index: FieldIndex, forms: readonly (string | null)[]) => Promise<readonly (string | null)[]>;
  /** The id in the header of values that are sealed now, in hex. */
  readonly currentKeyId: (field: KeyedField) => Promise<string>;
  /** A new data key; the one before only opens from now on. Answers the ids in hex of those that only open. */
  readonly rotate: (field: KeyedField) => Promise<void>;
};

/** What of a field its keys and its binding hang on. */
export type KeyedField = Pick<Field, 'id' | 'tenant' | 'keyScope' | 'valueType'>;

/**
 * Pages `from` (inclusive) to `to` (exclusive) of a table, in the order in which its rows lie. A fraction is a place within a page: its rows
 * are numbered, and each is 1/65536 of it.
 */
export type PageRange = { readonly from: number; readonly to: number };

/** Values of a field by the key that they are sealed under: what the header says, no value is opened. */
export type Census = { readonly keyId: string; readonly values: number };

/** What names a column, or reads rows of its table as a whole, from beside the table. */
export type Beside = {
  readonly kind: BesideKind;
  /** Of a view null: it is the table. */
  readonly name: string | null;
  /** What it belongs to, or is, as an external name; null of what belongs to the column's own table, or to none. */
  readonly table: string | null;
};

export type BesideKind =
  | 'audit'
  | 'collation'
  | 'column-grant'
  | 'materialized-view'
  | 'policy'
  | 'publication'
  | 'publication-filter'
  | 'publication-of-all'
  | 'row-column'
  | 'rule'
  | 'statistics'
  | 'subscription'
  | 'subscription-off'
  | 'typed-table'
  | 'view'
  | 'whole-row-check'
  | 'whole-row-index'
  | 'whole-row-unique';

/** A function of the user's. `ofRows`: by its type it takes or gives rows of the table. */
export type RoutineSource = { readonly name: string; readonly source: string; readonly ofRows: boolean };

/** What a trigger runs, by the name of the trigger, with the names that it gives to the rows of a statement. */
export type TriggerSource = { readonly name: string; readonly source: string; readonly transitionTables: readonly string[] };

const PhaseText = Type.Union([
  Type.Literal('planned'),
  Type.Literal('added'),
  Type.Literal('dual-write'),
  Type.Literal('backfilling'),
  Type.Literal('verified'),
  Type.Literal('switched'),
  Type.Literal('unread'),
  Type.Literal('nulled'),
  Type.Literal('checked'),
  Type.Literal('finished'),
]);

const AnswerText = Type.Object({
  object: Type.String(),
  effect: Type.Union([Type.Literal('stops'), Type.Literal('changes')]),
  breaks: Type.String(),
  remedy: Type.String(),
});

export const FieldText = Type.Object({
  field: Type.String({ description: 'schema.table.column' }),
  mode: Type.Union([Type.Literal('client'), Type.Literal('database')]),
  phase: PhaseText,
  direction: Type.Union([Type.Literal('in'), Type.Literal('out')], { description: 'out: on its way back to plaintext' }),
  done: Type.Integer({ description: 'rows sealed (or opened, on the way back) in the running or last pass' }),
  total: Type.Integer(),
  rowsPerSecond: Type.Number(),
  verified: Type.Integer({ description: 'rows whose stored ciphertext was opened and compared with the plaintext' }),
  encryptedColumn: Type.String(),
  search: Type.Array(
    Type.Object({
      kind: Type.String(),
      with: Type.Array(Type.String(), { description: 'of a compound index the other columns' }),
      column: Type.String(),
      bits: Type.Integer(),
      attackGain: Type.Number({ description: 'rows that a frequency attack names beyond guessing, as a share' }),
      state: Type.String({ description: 'building, serving, leaving, left: only a serving index is searched' }),
    }),
  ),
  failure: Type.Union([Type.String(), Type.Null()]),
});
export type FieldText = Static<typeof FieldText>;

/** Told with what was done: what the change means for others, and what still holds the plaintext. */
export const DoneText = Type.Object({
  ...FieldText.properties,
  answers: Type.Array(AnswerText),
  residue: Type.Array(Type.String(), { description: 'where plaintext may still be found, and until when' }),
});
export type DoneText = Static<typeof DoneText>;

const StoppedText = Type.Object({ field: Type.String(), reason: Type.String(), remedy: Type.String() });
export type StoppedText = Static<typeof StoppedText>;

/** Beside what is told of the first column. */
const together = <Text extends TSchema>(text: Text) => ({
  also: Type.Array(text, { description: 'the other columns that were moved with it' }),
  others: Type.Array(Type.String(), { description: 'their names' }),
  stopped: Type.Array(StoppedText, { description: 'columns that were stopped while the others went on' }),
});

export const DoneTogether = Type.Object({ ...DoneText.properties, ...together(DoneText) });
export type DoneTogether = Static<typeof DoneTogether>;

const RotatedText = Type.Object({
  ...FieldText.properties,
  keyId: Type.String({ description: 'the key that all values are under now' }),
  keys: Type.Array(Type.Object({ keyId: Type.String(), values: Type.Integer() })),
});
export const RotatedTogether = Type.Object({ ...RotatedText.properties, ...together(RotatedText) });

export const StatusText = Type.Object({
  fields: Type.Array(
    Type.Object({
      ...FieldText.properties,
      unsealed: Type.Integer({ description: 'rows with plaintext and no ciphertext: written without a key' }),
      keys: Type.Array(Type.Object({ keyId: Type.String(), values: Type.Integer() }), {
        description: 'values by the key in their header',
      }),
    }),
  ),
});
export type StatusText = Static<typeof StatusText>;
