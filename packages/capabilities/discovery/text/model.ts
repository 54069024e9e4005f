import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';

/** One stretch of a text that is personal or secret. */
export const Entity = Type.Object({
  type: Type.String({ description: 'a kind, see docs/kinds.md' }),
  /** UTF-16 units, as JavaScript, Java and C# count. */
  start: Type.Integer(),
  /** Exclusive. */
  end: Type.Integer(),
  score: Type.Number({ minimum: 0, maximum: 1 }),
  /** What was checked beyond the shape: check digits, lists, words beside it. */
  validators: Type.Array(Type.String()),
});

export type Entity = Static<typeof Entity>;

/** A finding before overlaps are resolved; places in the normalised text. */
export type Found = {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly score: number;
  readonly validators: readonly string[];
  /** A checked value wins over a specific shape, that over a word beside it, that over the tagger. */
  readonly rank: Rank;
};

export type Rank = 0 | 1 | 2 | 3 | 4;

/** `structured`: all that shapes and checks find. `all`: persons, places, organisations and special categories beside them. */
export type Depth = 'structured' | 'all';
