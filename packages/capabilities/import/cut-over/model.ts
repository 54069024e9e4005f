import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import type { DigestForm } from '../prove/digest-form.ts';

/** A column with the collation by which an index finds its values. */
export type KeyColumn = { readonly name: string; readonly collation: string };

/** How one table is followed, as far as the source alone tells it. */
export type FollowedTable = {
  readonly source: string;
  /** Never NULL, and different for every row. */
  readonly key: readonly KeyColumn[];
  /** Unique indexes beside the key: REPLACE deletes the rows that stand in the way of one. */
  readonly replacedBy: readonly (readonly KeyColumn[])[];
};

/** What the triggers of a source log, and what they cannot see. */
export type SourcePlan = { readonly tables: readonly FollowedTable[]; readonly notCaught: readonly string[] };

/** The same with its other side: everything needed to bring a changed row over again. */
export type FollowPair = FollowedTable & {
  readonly target: string;
  readonly form: DigestForm;
  /** How the source spells what has another spelling in PostgreSQL, by column; null where it has none. */
  readonly spellings: readonly (Spelling | null)[];
};

/** `shape`: dates and times in to_char's letters; `words`: booleans as texts; `texts`: texts in a column of blobs. */
export type Spelling =
  | { readonly shape: string }
  | { readonly words: readonly [no: string, yes: string] }
  | { readonly texts: true };

export type FollowPlan = { readonly pairs: readonly FollowPair[]; readonly notCaught: readonly string[] };

export type TakenForeignKey = {
  readonly table: string;
  readonly name: string;
  readonly definition: string;
  readonly validated: boolean;
};

export const FollowState = Type.Union([Type.Literal('following'), Type.Literal('cut-over'), Type.Literal('handed-back')]);
export type FollowState = Static<typeof FollowState>;

export const FollowResult = Type.Object({
  runId: Type.String(),
  state: Type.Union([FollowState, Type.Literal('stopped')]),
  file: Type.String(),
  tables: Type.Integer(),
  notCaught: Type.Array(Type.String(), { description: 'writes that the triggers cannot see' }),
});
export type FollowResult = Static<typeof FollowResult>;

export const CatchUpResult = Type.Object({
  runId: Type.String(),
  position: Type.Integer({ description: 'number of the last change that stands in the target' }),
  rounds: Type.Integer(),
  changes: Type.Integer({ description: 'entries of the changelog' }),
  written: Type.Integer({ description: 'rows written as they are now' }),
  deleted: Type.Integer({ description: 'rows taken out of the target, to be written again or not' }),
  seconds: Type.Number(),
});
export type CatchUpResult = Static<typeof CatchUpResult>;

export const CutOverResult = Type.Object({
  ...CatchUpResult.properties,
  state: FollowState,
  stoppedSeconds: Type.Number({ description: 'how long writers of the source had to wait' }),
  sourceClosed: Type.Boolean(),
  tables: Type.Array(Type.Object({ source: Type.String(), target: Type.String(), rows: Type.Integer() })),
  foreignKeys: Type.Array(
    Type.Object({
      name: Type.String(),
      state: Type.Union([Type.Literal('valid'), Type.Literal('not-valid')]),
      reason: Type.String(),
    }),
  ),
  wayBackUntil: Type.Union([Type.String(), Type.Null()]),
  conflicts: Type.Array(Type.Object({ table: Type.String(), rows: Type.Integer() }), {
    description: 'rows that changed on both sides since the cut-over',
  }),
  notes: Type.Array(Type.String()),
});
export type CutOverResult = Static<typeof CutOverResult>;
