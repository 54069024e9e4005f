import { createHash } from 'node:crypto';
import type { AppliedObject, DesiredObject, LiveState, LiveStates, Step } from '../model.ts';
import { inOrder, withDependents } from './order.ts';

/** What stands by record, and what the probes read of it. */
export type Standing = { readonly applied: readonly AppliedObject[]; readonly live: LiveStates };

/**
 * What must be done for exactly the desired objects to stand: first what goes, later things before earlier ones, then what
 * comes. Empty when everything is as it should be.
 */
export function stepsToward(desired: readonly DesiredObject[], standing: Standing): readonly Step[] {
  refuseDoubles(desired);
  const recorded = new Map(standing.applied.map((object) => [object.id, object]));
  const wanted = new Map(desired.map((object) => [object.id, object]));
  const stale = desired.filter((object) => isStale(object, recorded.get(object.id), standing.live));
  const replaced = new Set(stale.filter(isReplacedInPlace).map(({ id }) => id));
  const unwanted = standing.applied.filter(({ id }) => !wanted.has(id)).map(({ id }) => id);
  const torn = stale.filter((object) => !replaced.has(object.id)).map(({ id }) => id);
  const leaving = withDependents([...unwanted, ...torn], standing.applied);
  const missing = (id: string): boolean => leaving.has(id) || (recorded.get(id)?.state ?? null) === null || !standing.live.has(id);
  return [
    ...inOrder(standing.applied.filter(({ id }) => leaving.has(id)))
      .toReversed()
      .flatMap((object) => removal(object, wanted.has(object.id), standing.live)),
    ...inOrder(desired).flatMap((object) => {
      if (missing(object.id)) return [step('create', object, object.create)];
      return replaced.has(object.id) ? [step('replace', object, object.replace ?? [])] : [];
    }),
  ];
}

/** Everything out again, later things before earlier ones. */
export function stepsOut({ applied, live }: Standing): readonly Step[] {
  return inOrder(applied)
    .toReversed()
    .flatMap((object) => removal(object, false, live));
}

/** Of all that a step does. */
export function stepSha256(content: Step): string {
  return sha256(stepContent(content));
}

/** Of a plan: the same map, the same structure of the tables touched and the same steps give the same hash. */
export function planHash(parts: {
  readonly tenant: string;
  readonly map: string;
  readonly structure: string;
  readonly steps: readonly Step[];
}): string {
  const hash = createHash('sha256').update(JSON.stringify(['safekeep plan 1', parts.tenant, parts.map, parts.structure]));
  // Step by step: the functions of a thousand tables are a hundred megabytes of text.
  for (const each of parts.steps) hash.update(JSON.stringify(stepContent(each)));
  return hash.digest('hex');
}

export function definitionSha256({ kind, definition }: Pick<DesiredObject, 'kind' | 'definition'>): string {
  return sha256([kind, definition]);
}

/** Whether an object is not as it was made: not there, of another content, or switched off. One that was never finished has not drifted. */
export function hasDrifted(object: AppliedObject, live: LiveState | undefined): boolean {
  if (object.state === null) return false;
  return live === undefined || live.disabled || live.state !== object.state;
}

function isStale(object: DesiredObject, recorded: AppliedObject | undefined, live: LiveStates): boolean {
  if (recorded === undefined || recorded.state === null || !live.has(object.id)) return false;
  return hasDrifted(recorded, live.get(object.id)) || recorded.definitionSha256 !== definitionSha256(object);
}

function isReplacedInPlace(object: DesiredObject): boolean {
  return object.replace !== undefined;
}

/** Nothing to do for an object that is gone by itself and comes again: making it overwrites the record. Of an unfinished one anything may stand. */
function removal(object: AppliedObject, comesAgain: boolean, live: LiveStates): readonly Step[] {
  if (live.has(object.id) || object.state === null) return [step('remove', { ...object, rows: 0, rewrites: false }, object.remove)];
  return comesAgain ? [] : [step('forget', { ...object, rows: 0, rewrites: false, locks: [] }, [])];
}

type Content = Pick<DesiredObject, 'id' | 'kind' | 'target' | 'locks' | 'rows' | 'rewrites' | 'reversible' | 'runsIn'>;

function step(action: Step['action'], object: Content, sql: readonly string[]): Step {
  const { id, kind, target, locks, rows, rewrites, reversible, runsIn } = object;
  return { action, object: id, kind, target, sql, locks, rows, rewrites, reversible, runsIn };
}

/** Without the estimate of rows: it changes by itself, and a plan must not be outdated by an ANALYZE. */
function stepContent({ action, object, kind, target, sql, locks, rewrites, reversible, runsIn }: Step): readonly unknown[] {
  const modes = locks.map(({ schema, table, mode }) => [schema, table, mode]);
  return [action, object, kind, target, sql, modes, rewrites, reversible, runsIn];
}

function refuseDoubles(desired: readonly DesiredObject[]): void {
  const ids = new Set<string>();
  for (const { id } of desired) {
    if (ids.has(id)) throw new Error(`Two contributors want ${id}`);
    ids.add(id);
  }
  for (const { id, dependsOn } of desired) {
    const absent = dependsOn.find((each) => !ids.has(each));
    if (absent !== undefined) throw new Error(`${id} depends on ${absent}, which nobody wants`);
  }
}

function sha256(content: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}
