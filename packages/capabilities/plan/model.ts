import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import type { DataMap, TableRef } from '@safekeep/core';
import type { Catalog, FingerprintParts } from '@safekeep/postgres';

/** PostgreSQL manual, 13.3.1. */
export type LockMode =
  | 'ACCESS SHARE'
  | 'ROW SHARE'
  | 'ROW EXCLUSIVE'
  | 'SHARE UPDATE EXCLUSIVE'
  | 'SHARE'
  | 'SHARE ROW EXCLUSIVE'
  | 'EXCLUSIVE'
  | 'ACCESS EXCLUSIVE';

/** The strongest lock that a step takes on a table or view of the user's. */
export type RelationLock = TableRef & { readonly mode: LockMode };

/**
 * How to read what stands of an object. Objects of one kind share one `sql`, so that thousands are read at once: it takes
 * `$1`, a jsonb array of keys, and answers rows `(place integer, state text, disabled boolean)`, `place` counted from 1.
 * No row: the object is not there. `sql` must not depend on settings of the session; names are written with their schema.
 */
export type Probe = { readonly sql: string; readonly key: readonly string[] };

export type RunsIn =
  /** Together with the steps around it. */
  | 'transaction'
  /** By itself, because PostgreSQL demands it (CREATE INDEX CONCURRENTLY). */
  | 'alone';

/** One thing that a capability wants in the user's database. */
export type DesiredObject = {
  /** Stable and unique: `column-comment:public.patients.ssn`. */
  readonly id: string;
  /** `column-comment`. */
  readonly kind: string;
  /** External name of what it stands on. */
  readonly target: string;
  /** Whatever makes it another object: once its hash changes, the object is replaced. */
  readonly definition: string;
  /**
   * Statements without parameters, every name with its schema. What runs alone must cope with what an interrupted try of itself
   * left, and take no lock that stops reads or writes: nothing limits how long it waits.
   */
  readonly create: readonly string[];
  /** How it becomes what it should be from any earlier form; without it: taken out and made again, with all that rests on it. */
  readonly replace?: readonly string[];
  /** Kept with the object and run by a later `unapply`, which may know neither map nor capability. */
  readonly remove: readonly string[];
  readonly probe: Probe;
  readonly locks: readonly RelationLock[];
  /** Rows that are read or written to make it, as estimated; 0 when none are. */
  readonly rows: number;
  /** Making it writes the whole table anew. */
  readonly rewrites: boolean;
  /** Taking it out loses nothing. */
  readonly reversible: boolean;
  /** Taking it out puts something of the user's back (their comment), which would overwrite what they made of it since. */
  readonly restores: boolean;
  readonly runsIn: RunsIn;
  /** Ids of objects that must stand before it. */
  readonly dependsOn: readonly string[];
};

/** Why a map cannot be brought onto this database. */
export type Problem = { readonly target: string; readonly reason: string };

/** Something that stands, but protects less than one might think. Told, and no obstacle. */
export type Note = { readonly target: string; readonly text: string };

export type Desired = {
  readonly objects: readonly DesiredObject[];
  readonly problems: readonly Problem[];
  readonly notes: readonly Note[];
};

export type Surroundings = {
  readonly map: DataMap;
  /** The user's schemas; none of Safekeep's own. */
  readonly catalog: Catalog;
  readonly tenant: string;
  /** What this login may do that PostgreSQL reserves for a few, and managed servers for others. */
  readonly allowed: { readonly eventTriggers: boolean };
  /** What was applied, by id, as its probe read it then: where the catalogue shows these, it shows our work and not the user's. */
  readonly applied: ReadonlyMap<string, string | null>;
};

/** What a capability wants in the database for a map. Pure: the same surroundings give the same answer. */
export type Contributor = (surroundings: Surroundings) => Desired;

/** The map as it was read, its text, and the SHA-256 in hex of that. */
export type ReadMap = { readonly map: DataMap; readonly text: string; readonly sha256: string };

/** An object as the record of applied ones knows it. */
export type AppliedObject = Pick<
  DesiredObject,
  'id' | 'kind' | 'target' | 'remove' | 'probe' | 'locks' | 'restores' | 'reversible' | 'runsIn' | 'dependsOn'
> & {
  readonly definitionSha256: string;
  /** What the probe read when it was made; null while a step that runs alone has begun and not been seen to end. */
  readonly state: string | null;
};

/** What a probe read; the object is not there when it read nothing. */
export type LiveState = { readonly state: string; readonly disabled: boolean };

/** By id of the object. */
export type LiveStates = ReadonlyMap<string, LiveState>;

export type Action =
  | 'create'
  | 'replace'
  | 'remove'
  /** It is not there any more, and no longer wanted: only the record of it goes. */
  | 'forget';

export type Step = {
  readonly action: Action;
  /** Id of the object. */
  readonly object: string;
  readonly kind: string;
  readonly target: string;
  readonly sql: readonly string[];
  readonly locks: readonly RelationLock[];
  readonly rows: number;
  readonly rewrites: boolean;
  readonly reversible: boolean;
  readonly runsIn: RunsIn;
};

/** Columns of a mapped table as the last apply left them: type by name, by table. */
export type KnownColumns = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** The user's schemas before the first apply. */
export type Baseline = {
  readonly fingerprint: string;
  readonly parts: FingerprintParts;
  /** The same right after the last apply; null until the first one has ended. */
  readonly expected: FingerprintParts | null;
  /** Objects that the user changed since the first apply. */
  readonly changed: readonly string[];
};

/** What the record says was applied. */
export type Applied = {
  readonly objects: readonly AppliedObject[];
  readonly columns: KnownColumns;
  readonly baseline: Baseline | null;
};

export type Plan = {
  readonly hash: string;
  /** Fingerprint of the tables that the steps touch; part of the hash. */
  readonly structure: string;
  readonly steps: readonly Step[];
  readonly problems: readonly Problem[];
  readonly notes: readonly Note[];
  readonly drift: readonly Drift[];
  /** What the steps make, by id. */
  readonly desired: ReadonlyMap<string, DesiredObject>;
  readonly catalog: Catalog;
  readonly applied: Applied;
};

const LockText = Type.Object({ table: Type.String(), mode: Type.String() });

export const StepText = Type.Object({
  id: Type.String({ description: 'the action and the id of the object; unique in its plan' }),
  action: Type.Union([Type.Literal('create'), Type.Literal('replace'), Type.Literal('remove'), Type.Literal('forget')]),
  kind: Type.String(),
  target: Type.String(),
  reversible: Type.Boolean({ description: 'taking it out again loses nothing' }),
  rows: Type.Number({ description: 'rows read or written, as estimated' }),
  rewrites: Type.Boolean({ description: 'the whole table is written anew' }),
  locks: Type.Array(LockText),
  runsIn: Type.Union([Type.Literal('transaction'), Type.Literal('alone')]),
  sql: Type.Array(Type.String()),
});
export type StepText = Static<typeof StepText>;

const Problems = Type.Array(Type.Object({ target: Type.String(), reason: Type.String() }));
const Notes = Type.Array(Type.Object({ target: Type.String(), text: Type.String() }));

export const PlanText = Type.Object({
  hash: Type.String({ description: 'SHA-256 of the map, the structure of the tables touched, and the steps' }),
  steps: Type.Array(StepText),
  problems: Problems,
  notes: Notes,
});
export type PlanText = Static<typeof PlanText>;

/** `disabled`: it stands and does nothing, as a trigger that was switched off. `added`: a column that came since the last apply. */
export const Drift = Type.Object({
  object: Type.String(),
  kind: Type.String(),
  target: Type.String(),
  change: Type.Union([Type.Literal('vanished'), Type.Literal('changed'), Type.Literal('disabled'), Type.Literal('added')]),
  expected: Type.Union([Type.String(), Type.Null()]),
  found: Type.Union([Type.String(), Type.Null()]),
  remedy: Type.String(),
});
export type Drift = Readonly<Static<typeof Drift>>;

export const StatusText = Type.Object({
  ok: Type.Boolean({ description: 'false for drift, and only for drift' }),
  drift: Type.Array(Drift),
  pending: Type.Array(StepText),
  problems: Problems,
  notes: Notes,
  applied: Type.Integer({ description: 'objects that stand by record' }),
});
export type StatusText = Static<typeof StatusText>;

export const ApplyText = Type.Object({
  runId: Type.Union([Type.String(), Type.Null()], { description: 'null when there was nothing to do' }),
  hash: Type.String(),
  steps: Type.Array(StepText),
  mapVersion: Type.Integer({ description: 'number of the applied map in `safekeep map history`' }),
  seconds: Type.Number(),
});
export type ApplyText = Static<typeof ApplyText>;

export const RehearsalText = Type.Object({
  state: Type.Union([Type.Literal('passed'), Type.Literal('failed'), Type.Literal('not-evaluable')]),
  reason: Type.Union([Type.String(), Type.Null()], { description: 'why it failed or could not be tried' }),
  hash: Type.Union([Type.String(), Type.Null()]),
  steps: Type.Array(Type.Object({ id: Type.String(), seconds: Type.Number() })),
  copySeconds: Type.Number(),
  applySeconds: Type.Number(),
  restored: Type.Union([Type.Boolean(), Type.Null()], {
    description: 'taking everything out again gave the structure that was there before',
  }),
});
export type RehearsalText = Static<typeof RehearsalText>;

export const UnapplyText = Type.Object({
  before: Type.Array(Type.String(), { description: 'what was given back or put aside first: plaintext, a copy of the log' }),
  runId: Type.Union([Type.String(), Type.Null()]),
  steps: Type.Array(StepText),
  fingerprint: Type.Union([Type.String(), Type.Null()], { description: "of the user's schemas as they are now" }),
  restored: Type.Boolean({ description: 'the fingerprint is the one from before the first apply' }),
  changedSince: Type.Array(Type.String(), { description: 'what the user changed themselves since the first apply, and keeps' }),
  seconds: Type.Number(),
});
export type UnapplyText = Static<typeof UnapplyText>;

/** Why something that the user asked for must not be done now: what is held, and by whom or what. */
export type Refusal = {
  readonly target: string;
  readonly reason: string;
  /** What to do where it is no hold that stands in the way. */
  readonly remedy?: string;
};
