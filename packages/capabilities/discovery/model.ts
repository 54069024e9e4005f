import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';

const Decision = Type.Union([Type.Literal('certain'), Type.Literal('review'), Type.Literal('none')], {
  description: 'certain: no person need look; review: one must; none: not personal',
});

export const ColumnFinding = Type.Object({
  table: Type.String({ description: 'schema.table' }),
  column: Type.String({ description: 'schema.table.column' }),
  category: Type.String({ description: 'a key of the taxonomy, or none' }),
  confidence: Type.Number({ description: 'of the category, or of there being none; 0 to 1' }),
  decision: Decision,
  evidence: Type.Array(Type.String(), {
    description: 'a stable code, plain words with counts, and the weight in log-odds; never a value',
  }),
  freeText: Type.Boolean({ description: 'text in which anything may stand' }),
  pinned: Type.Boolean({ description: 'a person decided' }),
  fresh: Type.Boolean({ description: 'new or changed since the last scan that was kept' }),
});
export type ColumnFinding = Static<typeof ColumnFinding>;

export const ProposedSubject = Type.Object({
  name: Type.String(),
  table: Type.String({ description: 'schema.table' }),
  key: Type.Array(Type.String(), { description: 'the columns that name one of these people' }),
  findBy: Type.Array(Type.String()),
  label: Type.Union([Type.String(), Type.Null()]),
});
export type ProposedSubject = Static<typeof ProposedSubject>;

const TableProblem = Type.Object({
  table: Type.String({ description: 'schema.table' }),
  code: Type.Union([
    Type.Literal('no-right'),
    Type.Literal('row-security'),
    Type.Literal('gone'),
    Type.Literal('timeout'),
    Type.Literal('locked'),
    Type.Literal('foreign-server'),
    Type.Literal('unreadable'),
  ]),
  message: Type.String(),
});
export type TableProblem = Static<typeof TableProblem>;

const Unused = Type.Object({
  table: Type.String({ description: 'schema.table' }),
  column: Type.Union([Type.String(), Type.Null()], { description: 'schema.table.column; null: the whole table' }),
  why: Type.Union([Type.Literal('never-filled'), Type.Literal('no-value-seen'), Type.Literal('never-read')], {
    description:
      'never-filled: null in every row; no-value-seen: null in every row that the server sampled, the table being too large to ask; never-read: no scan of the table since the counters of the server were reset',
  }),
});
export type Unused = Static<typeof Unused>;

const Written = Type.Object({
  file: Type.String(),
  columns: Type.Integer(),
  subjects: Type.Integer(),
  paths: Type.Integer(),
  toLookAt: Type.Integer({ description: 'columns that were written and a person must look at' }),
});
export type Written = Static<typeof Written>;

export const ScanResult = Type.Object({
  columns: Type.Array(ColumnFinding),
  subjects: Type.Array(ProposedSubject),
  seconds: Type.Number(),
  problems: Type.Array(TableProblem, {
    description: 'what could not be looked at; its columns were judged by names and types alone',
  }),
  unused: Type.Array(Unused),
  languages: Type.Array(Type.String(), { description: 'that the names of the schema speak' }),
  written: Type.Optional(Written),
});
export type ScanResult = Static<typeof ScanResult>;

/** What a person decided about a column. */
export const Verdict = Type.Object(
  {
    column: Type.String({ description: 'schema.table.column' }),
    category: Type.String({ description: 'a key of the taxonomy, or none' }),
    note: Type.Optional(Type.String({ minLength: 1, maxLength: 2000 })),
  },
  { additionalProperties: false },
);
export type Verdict = Static<typeof Verdict>;

export const VerdictFile = Type.Object({ verdicts: Type.Array(Verdict, { maxItems: 100_000 }) }, { additionalProperties: false });

const OpenFinding = Type.Object({
  column: Type.String({ description: 'schema.table.column' }),
  category: Type.String(),
  confidence: Type.Number(),
  evidence: Type.Array(Type.String()),
  neighbours: Type.Array(Type.String(), { description: 'other columns of the table with their categories' }),
});
export type OpenFinding = Static<typeof OpenFinding>;

export const ReviewResult = Type.Object({
  open: Type.Array(OpenFinding, { description: 'still to be looked at' }),
  problems: Type.Array(TableProblem, {
    description: 'what could not be looked at; its columns were judged by names and types alone',
  }),
  decided: Type.Integer({ description: 'in this call' }),
  changedInMap: Type.Integer(),
});
export type ReviewResult = Static<typeof ReviewResult>;
