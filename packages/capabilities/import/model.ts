import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';

/** planned: nothing written yet. failed and rolled-back: nothing of it stands in the target schema. */
export const RunState = Type.Union([
  Type.Literal('planned'),
  Type.Literal('loading'),
  Type.Literal('verifying'),
  Type.Literal('done'),
  Type.Literal('failed'),
  Type.Literal('rolled-back'),
]);
export type RunState = Static<typeof RunState>;

const ColumnResult = Type.Object({
  source: Type.String(),
  target: Type.String(),
  declaredType: Type.String(),
  type: Type.String({ description: 'of PostgreSQL' }),
  reason: Type.String(),
  proposal: Type.Optional(
    Type.String({
      description: 'a type that would fit but cannot be known to be meant; take it over with --type or --accept-proposals',
    }),
  ),
});
export type ColumnResult = Static<typeof ColumnResult>;

export const TableResult = Type.Object({
  source: Type.String(),
  target: Type.String({ description: 'schema.table' }),
  rowsRead: Type.Integer(),
  rowsWritten: Type.Integer(),
  quarantined: Type.Integer(),
  sourceDigest: Type.Union([Type.String(), Type.Null()]),
  targetDigest: Type.Union([Type.String(), Type.Null()]),
  notes: Type.Array(Type.String()),
  columns: Type.Array(ColumnResult),
});
export type TableResult = Static<typeof TableResult>;

const ObjectResult = Type.Object({
  kind: Type.String(),
  name: Type.String(),
  state: Type.Union([Type.Literal('migrated'), Type.Literal('changed'), Type.Literal('not-migrated')]),
  reason: Type.String(),
  source: Type.Optional(Type.String({ description: 'the SQLite text of what did not come over whole' })),
});
export type ObjectResult = Static<typeof ObjectResult>;

/** A row whose text PostgreSQL cannot hold. */
export const RejectedRow = Type.Object({
  table: Type.String(),
  ordinal: Type.Integer({ description: 'place in the table, from 0' }),
  rowid: Type.Union([Type.String(), Type.Null()]),
  columns: Type.Array(Type.String()),
});
export type RejectedRow = Static<typeof RejectedRow>;

/** A row that differs between the source and the target, found by the proof. */
export const Difference = Type.Object({
  table: Type.String(),
  side: Type.Union([Type.Literal('source'), Type.Literal('target')], {
    description: 'where a row like this stands and in the other not',
  }),
  key: Type.String({ description: 'rowid or ctid: where to look' }),
  columns: Type.Array(Type.String(), {
    description: 'that differ from the row with the same key; all of them where there is none',
  }),
});
export type Difference = Static<typeof Difference>;

export const ImportResult = Type.Object({
  runId: Type.String(),
  state: RunState,
  source: Type.Object({
    file: Type.String(),
    sha256: Type.String(),
    sizeBytes: Type.Integer(),
    walBytes: Type.Integer(),
    mode: Type.String({ description: 'how it was opened: shared, immutable, live or copied' }),
    checks: Type.Array(Type.String(), { description: 'what integrity_check and foreign_key_check found' }),
  }),
  schema: Type.String(),
  verify: Type.Union([Type.Literal('full'), Type.Literal('counts'), Type.Literal('off')]),
  tables: Type.Array(TableResult),
  objects: Type.Array(ObjectResult),
  names: Type.Array(Type.Object({ kind: Type.String(), source: Type.String(), target: Type.String() })),
  relations: Type.Array(Type.Object({ name: Type.String(), kind: Type.Union([Type.Literal('table'), Type.Literal('view')]) }), {
    description: 'what stands in the target schema because of this run',
  }),
  rejected: Type.Integer({ description: 'rows that PostgreSQL cannot hold as they are' }),
  rejectedRows: Type.Array(RejectedRow),
  differences: Type.Array(Difference),
  problems: Type.Array(Type.String(), { description: 'why the run failed; of a plan: why the run would be refused' }),
  seconds: Type.Number(),
  phases: Type.Record(Type.String(), Type.Number(), { description: 'seconds spent' }),
  rowsPerSecond: Type.Integer(),
  report: Type.Optional(Type.String({ description: 'path of the signed report' })),
});
export type ImportResult = Static<typeof ImportResult>;

export type OnInvalid = 'refuse' | 'quarantine';
export type Verify = 'full' | 'counts' | 'off';

export type ImportOptions = {
  readonly file: string;
  readonly schema: string;
  readonly onInvalid: OnInvalid;
  readonly strictTypes: boolean;
  readonly replace: boolean;
  readonly jobs: number;
  readonly verify: Verify;
  readonly snakeCase: boolean;
  readonly acceptProposals: boolean;
  /** `TABLE.COLUMN=TYPE` or `TABLE.COLUMN=timestamptz:UNIT`. */
  readonly types: readonly string[];
};
