import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';

export const Problem = Type.Object({
  code: Type.String({ description: 'docs/map-problems.md lists them' }),
  table: Type.Union([Type.String(), Type.Null()], { description: 'schema.table' }),
  column: Type.Union([Type.String(), Type.Null()], { description: 'schema.table.column' }),
  message: Type.String(),
  remedy: Type.String(),
  file: Type.String(),
  line: Type.Integer(),
  position: Type.Integer({ description: 'column in the line, from 1' }),
});
export type Problem = Static<typeof Problem>;

export const CheckResult = Type.Object({
  ok: Type.Boolean(),
  problems: Type.Array(Problem),
  tables: Type.Integer({ description: 'looked at in the database; 0 with --offline' }),
  columns: Type.Integer(),
  unconfirmed: Type.Array(Type.String(), {
    description: 'purposes that a scan proposed and nobody confirmed: exports tell them to people as if they were so',
  }),
  several: Type.Array(Type.Object({ table: Type.String(), paths: Type.Array(Type.String()), columns: Type.Array(Type.String()) }), {
    description:
      'tables in whose rows several people may stand, with columns of which the map does not say whose they are (of): there an erasure leaves them, and no export gives them',
  }),
});
export type CheckResult = Static<typeof CheckResult>;

const ShownColumn = Type.Object({
  name: Type.String(),
  category: Type.Array(Type.String(), { description: 'empty: looked at, not personal' }),
  protect: Type.String(),
  erase: Type.Union([Type.String(), Type.Null()]),
});

const ShownPath = Type.Object({
  subject: Type.String(),
  path: Type.String(),
  meaning: Type.Union([Type.String(), Type.Null()], { description: 'null: the foreign keys say' }),
});

const Position = { x: Type.Number(), y: Type.Number() };

export const Graph = Type.Object({
  width: Type.Number(),
  height: Type.Number(),
  nodes: Type.Array(
    Type.Object({
      id: Type.String({ description: 'schema.table' }),
      kind: Type.Union([Type.Literal('subject'), Type.Literal('table')]),
      subjects: Type.Array(Type.String()),
      personalColumns: Type.Integer(),
      ...Position,
      width: Type.Number(),
      height: Type.Number(),
    }),
  ),
  edges: Type.Array(
    Type.Object({
      from: Type.String(),
      to: Type.String(),
      subject: Type.String(),
      path: Type.String(),
      meaning: Type.Union([Type.String(), Type.Null()]),
      points: Type.Array(Type.Object(Position)),
    }),
  ),
});
export type Graph = Static<typeof Graph>;

export const ShowResult = Type.Object({
  subjects: Type.Array(Type.Object({ name: Type.String(), table: Type.String(), key: Type.Array(Type.String()) })),
  tables: Type.Array(
    Type.Object({
      table: Type.String(),
      of: Type.Array(ShownPath),
      purposes: Type.Array(Type.String()),
      retention: Type.Union([Type.String(), Type.Null()]),
      compliance: Type.Union([Type.String(), Type.Null()], { description: 'where the compliance fields of its rows stand' }),
      hideDeleted: Type.Boolean(),
      isolate: Type.Boolean(),
      columns: Type.Array(ShownColumn),
    }),
  ),
  purposes: Type.Array(Type.Object({ name: Type.String(), use: Type.String(), basis: Type.Union([Type.String(), Type.Null()]) })),
  graph: Type.Optional(Graph),
  mermaid: Type.Optional(Type.String()),
});
export type ShowResult = Static<typeof ShowResult>;

const Change = Type.Object({
  kind: Type.Union([Type.Literal('added'), Type.Literal('removed'), Type.Literal('changed')]),
  subject: Type.String(),
  property: Type.Union([Type.String(), Type.Null()]),
  from: Type.Union([Type.String(), Type.Null()]),
  to: Type.Union([Type.String(), Type.Null()]),
  text: Type.String(),
});

export const DiffResult = Type.Object({ from: Type.String(), to: Type.String(), changes: Type.Array(Change) });
export type DiffResult = Static<typeof DiffResult>;

export const Version = Type.Object({
  number: Type.Integer(),
  at: Type.String({ description: 'ISO 8601, UTC' }),
  author: Type.String(),
  sha256: Type.String({ description: 'of the text, hex' }),
  changes: Type.Array(Type.String(), { description: 'against the version before' }),
});
export type Version = Static<typeof Version>;

export const HistoryResult = Type.Object({ versions: Type.Array(Version, { description: 'newest first' }) });

export const RecordResult = Type.Object({
  recorded: Type.Boolean({ description: 'false: it is the newest version already' }),
  version: Version,
});
