import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import type { Id } from '@safekeep/core';

export type HoldId = Id<'hold'>;

/** The parts of a key in the order of its columns, each as PostgreSQL writes the value (dates in ISO form and UTC, bytea in hex). */
export type RecordKey = readonly string[];

/** A person: `patient:42`. */
export type Person = { readonly type: string; readonly key: RecordKey };

/** What somebody wants held, as they wrote it. */
export type Target =
  | { readonly kind: 'subject'; readonly person: Person }
  | { readonly kind: 'row'; readonly table: string; readonly key: RecordKey }
  | { readonly kind: 'query'; readonly table: string; readonly condition: Condition };

/** A question about the values of a row. Values are text, read as the type of the column. */
export type Condition =
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly column: string; readonly is: Comparison; readonly value: string }
  | { readonly column: string; readonly is: 'in'; readonly values: readonly string[] }
  | { readonly column: string; readonly is: 'null' | 'not null' };

export const comparisons = ['=', '<>', '<', '<=', '>', '>=', 'like', 'ilike'] as const;
export type Comparison = (typeof comparisons)[number];

/** From the first moment up to, and not including, the second. */
export type Period = { readonly from: Date | null; readonly until: Date | null };

const Instant = Type.String({ description: 'ISO 8601, UTC' });
const Day = Type.String({ description: 'YYYY-MM-DD' });
const Nullable = Type.Union([Type.String(), Type.Null()]);

export const HoldText = Type.Object({
  id: Type.String(),
  kind: Type.Union([Type.Literal('subject'), Type.Literal('row'), Type.Literal('query')]),
  target: Type.String(),
  /** Of a hold by query, as it was understood; null otherwise. */
  query: Nullable,
  /** External name of the table; of a subject hold that of these people. */
  table: Type.String(),
  state: Type.Union([Type.Literal('standing'), Type.Literal('released')]),
  /** It stands and its day of review has passed. */
  overdue: Type.Boolean(),
  /** How many rows were found when it was placed. */
  rows: Type.Integer(),
  reason: Type.String(),
  owner: Type.String(),
  reviewBy: Day,
  concernsFrom: Nullable,
  concernsUntil: Nullable,
  placedBy: Type.String(),
  placedAt: Instant,
  releasedBy: Nullable,
  releasedAt: Nullable,
  releaseReason: Nullable,
});
export type HoldText = Static<typeof HoldText>;

export const HoldPage = Type.Object({
  holds: Type.Array(HoldText),
  /** Where the next page begins; null on the last. */
  next: Nullable,
});

export const HoldHistory = Type.Object({
  hold: HoldText,
  events: Type.Array(
    Type.Object({
      at: Instant,
      event: Type.Union([Type.Literal('placed'), Type.Literal('reviewed'), Type.Literal('released')]),
      by: Type.String(),
      reason: Type.String(),
      /** The day of the next review that was set with it; null for a release. */
      reviewBy: Nullable,
    }),
  ),
});
export type HoldHistory = Static<typeof HoldHistory>;

/** A hold as it stands in the database. */
export type Hold = {
  readonly id: HoldId;
  readonly kind: 'subject' | 'row' | 'query';
  readonly target: string;
  /** Of a subject hold. */
  readonly person: { readonly type: string; readonly key: string } | null;
  /** External name. */
  readonly table: string;
  readonly condition: Condition | null;
  readonly reason: string;
  readonly owner: string;
  /** `YYYY-MM-DD` */
  readonly reviewBy: string;
  readonly concerns: Period;
  readonly rows: number;
  readonly placedBy: string;
  readonly placedAt: Date;
  readonly release: { readonly by: string; readonly at: Date; readonly reason: string } | null;
};

/** One row that is to be destroyed. */
export type AskedRow = {
  /** External name of the table. */
  readonly table: string;
  /** Of the primary key. */
  readonly key: RecordKey;
  /** Everybody whom the row is about, by all paths of the map; only the asker knows. Empty for a row about nobody. */
  readonly about: readonly Person[];
};

/**
 * What somebody is about to destroy. Parts add up; with none of `people`, `rows` and `tables` it is everything (a backup, a key
 * of all data). A part that is there and empty asks about nothing.
 */
export type HoldQuestion = {
  /** Whole persons: their keys, and every row of theirs. */
  readonly people?: readonly Person[];
  readonly rows?: readonly AskedRow[];
  /** Whole tables or partitions, without knowing whose rows lie in them: every hold on a person stands in the way too. */
  readonly tables?: readonly string[];
  /** The time that what would be destroyed is from; any time when left out. A hold that concerns another time does not matter. */
  readonly period?: Period;
  /** Nothing is destroyed by this answer, and nobody who places a hold waits for who asked. */
  readonly looksOnly?: boolean;
};

/** A hold that stands in the way, and of what. */
export type StandingHold = Hold & {
  readonly people: readonly Person[];
  readonly heldRows: readonly AskedRow[];
  readonly tables: readonly string[];
};
