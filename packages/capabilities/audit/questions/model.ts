import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';

const Nullable = Type.Union([Type.String(), Type.Null()]);

/** One value before and after; null where there was or is none. Text as PostgreSQL writes it in JSON. */
export const Change = Type.Object({ column: Type.String(), before: Type.Unknown(), after: Type.Unknown() });
export type Change = { readonly column: string; readonly before: unknown; readonly after: unknown };

export const EventView = Type.Object({
  /** Its place in the signed tree, from 0. */
  index: Type.Integer(),
  id: Type.String(),
  /** When it happened by the clock of the database; ISO 8601, UTC. */
  at: Type.String(),
  sequencedAt: Type.String(),
  kind: Type.String({ description: 'change, access, security, compliance or retention' }),
  action: Type.String(),
  table: Nullable,
  /** The primary key, parts joined by commas; null once it was erased. */
  record: Nullable,
  /** `patient:42`; null where it is about nobody, or once it was erased. */
  subject: Nullable,
  actor: Nullable,
  /** How sure that is: signed, claimed or none. */
  actorState: Type.String(),
  purpose: Nullable,
  request: Nullable,
  columns: Type.Array(Type.String()),
  /** Of what may be shown: sealed values are left out. */
  changes: Type.Optional(Type.Array(Change)),
  /** Its payload is gone with the person's key. Its place in the tree stays. */
  erased: Type.Boolean(),
});
export type EventView = Omit<Static<typeof EventView>, 'changes' | 'columns'> & {
  readonly columns: readonly string[];
  readonly changes?: readonly Change[];
};

export const EventPage = Type.Object({
  events: Type.Array(EventView),
  /** Where the next page begins; null on the last. */
  next: Nullable,
});

export const eventKinds = ['change', 'access', 'security', 'compliance', 'retention'] as const;

/** What is asked for; all of it must be so. Times are ISO 8601; `to` is not included any more. */
export type EventFilter = {
  /** External name. */
  readonly table?: string;
  readonly record?: string;
  /** `patient:42`; events about several people are found by each. */
  readonly subject?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly kind?: (typeof eventKinds)[number];
  readonly purpose?: string;
  readonly request?: string;
  readonly from?: string;
  readonly to?: string;
  /** Words in readable details, as a web search takes them: `invoice -draft "past due"`. */
  readonly text?: string;
};

/** Where a page ended. */
export type Place = { readonly at: string; readonly era: number; readonly index: number };
