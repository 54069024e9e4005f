import { createHash } from 'node:crypto';
import { SafekeepError } from '@safekeep/core';
import { formatPerson } from '../../holds/index.ts';
import type { DuePlan } from '../model.ts';
import { countDue, dateErasure, readDue, type ErasureRecord } from '../store/records.ts';
import { inTransaction } from '../store/session.ts';
import type { Actor, Approval, ExecuteOptions } from './erasing.ts';
import { executeErasure } from './execute-erasure.ts';
import { ownFault, type ErasureGround, type Ground } from './ground.ts';
import { orderOf } from './open-erasures.ts';
import { planErasure, showErasure } from './plan-erasure.ts';
import { refuseForeign } from './record-tag.ts';
import { dateUndated, duesNow } from './undated.ts';
import { isUnerased } from './unerased.ts';
import { doubtAbout, ownRowOf, knownByPlan, type KnownByPlan } from './same-person.ts';

/** One approval is for what somebody can look at; what is left comes with the next one. */
const PERSONS_AT_MOST = 100;
/** Of whom nothing can be erased, as while a hold stands, must not be in front of all others for ever; a thousand plans take a minute. */
const LOOKED_AT_MOST = 1000;

export type DueOptions = ExecuteOptions & {
  /** Asked with whom it would erase, once it is certain that it is what was approved; a refusal erases nobody. */
  readonly confirm?: (subjects: readonly string[]) => Promise<void>;
};

type Person = DuePlan['persons'][number];
type Due = { readonly record: ErasureRecord; readonly person: DuePlan['persons'][number] };

/**
 * Plans the erasure of what a duty kept and need not be kept any more. The hash is of all these plans together, null where none of them
 * can be carried out. Changes nothing of the user's.
 */
export async function planDue(ground: ErasureGround, actor: Actor): Promise<DuePlan> {
  const { all, more } = await dueNow(ground, actor);
  const { next } = await whatIsDue(ground);
  const persons = all.map(({ person }) => person);
  return { hash: hashOf(persons), persons, more, next };
}

/**
 * Carries out what {@link planDue} showed, if it still is that. Each person is approved as any other: where a second person is asked for, who
 * planned cannot approve. One that cannot be erased is told with its error, and the others go on.
 *
 * @throws `erasure-plan-changed`: nothing was erased.
 */
export async function eraseDue(ground: ErasureGround, approval: Approval, options: DueOptions = {}): Promise<DuePlan> {
  const { all, more } = await dueNow(ground, null);
  const now = hashOf(all.map(({ person }) => person));
  if (now !== approval.hash) throw new SafekeepError('erasure-plan-changed', { approved: approval.hash, now: now ?? 'nothing' });
  await options.confirm?.(all.flatMap(({ person }) => (person.state === 'planned' ? [person.subject] : [])));
  const persons: DuePlan['persons'] = [];
  const erasures: string[] = [];
  for (const due of all) {
    options.signal?.throwIfAborted();
    const { person, erasure } = await eraseOne(ground, due, { approval, options });
    persons.push(person);
    if (erasure !== null) erasures.push(erasure);
  }
  const { next } = await whatIsDue(ground);
  const states = [...Map.groupBy(persons, ({ state }) => state)].map(([state, same]) => `${state} ${same.length}`);
  return { hash: null, persons, more, next, erasure: erasures.join(' '), state: states.toSorted().join(', ') };
}

/** How many erasures are due, and when the next one will be: what a worker can tell, who erases nobody. */
export async function whatIsDue({ database, tenant, clock }: Pick<Ground, 'database' | 'tenant' | 'clock'>): Promise<{
  readonly due: number;
  readonly next: string | null;
  readonly undated: number;
}> {
  const { due, next, undated } = await inTransaction(database, { tenant }, (client) => countDue(client, tenant, clock.now()));
  return { due, next: next?.toISOString() ?? null, undated };
}

/** With nobody who plans them nothing is remembered: whoever approves must not become the planner of what nobody planned. */
async function dueNow(
  ground: ErasureGround,
  actor: Actor | null,
): Promise<{ readonly all: readonly Due[]; readonly more: boolean }> {
  const { database, tenant, clock } = ground;
  const notDated = await dateUndated(
    ground,
    async (record) => await isUnerased(ground, { ...orderOf(ground, record), mode: record.mode }),
  );
  const records = await inTransaction(database, { tenant }, (client) =>
    readDue(client, tenant, { now: clock.now(), atMost: LOOKED_AT_MOST + 1 }),
  );
  const all: Due[] = notDated.map(({ record, error }) => ({
    record,
    person: { ...textOf(record), plan: null, state: 'failed', error },
  }));
  const known = knownByPlan(ground);
  let looked = 0;
  let planned = 0;
  for (const record of records.slice(0, LOOKED_AT_MOST)) {
    if (planned === PERSONS_AT_MOST) break;
    const person = await planOne(ground, record, { actor, known });
    all.push({ record, person });
    looked += 1;
    if (person.state === 'planned') planned += 1;
  }
  return { all, more: records.length > looked };
}

async function planOne(
  ground: ErasureGround,
  record: ErasureRecord,
  { actor, known }: { readonly actor: Actor | null; readonly known: KnownByPlan },
): Promise<DuePlan['persons'][number]> {
  const text = textOf(record);
  try {
    refuseForeign(ground, record);
    const order = orderOf(ground, record);
    const full = { ...order, mode: record.mode };
    const plan = actor === null ? (await showErasure(ground, full)).plan : await planErasure(ground, full, actor.by, actor);
    const own = ownRowOf(record, order.subject);
    const doubt = await doubtAbout(ground, order, { own, marksBefore: () => known(record.planHash) });
    const subject = formatPerson(order.person);
    // Their plan would be one of what somebody else has, or of what they came back with.
    if (doubt !== null) return { ...text, subject, plan: null, state: 'ambiguous', doubt, error: null };
    const isHeld = plan.holds.some(({ wholePerson }) => wholePerson);
    const state = isHeld ? 'held' : plan.blocked.length > 0 ? 'blocked' : 'planned';
    if (state === 'planned' && !(await isUnerased(ground, { ...order, mode: record.mode })))
      // What a hold keeps by now stays due: when the hold ends nothing else would remind of it.
      return plan.holds.length > 0
        ? { ...text, subject, plan, state: 'held', error: null }
        : await notYet(ground, record, { ...text, subject });
    return { ...text, subject, plan, state, error: null };
  } catch (error) {
    return { ...text, plan: null, state: 'failed', error: ownFault(error) };
  }
}

function textOf({ type, key, id, due }: ErasureRecord): Pick<Person, 'subject' | 'erasure' | 'due' | 'certificate' | 'doubt'> {
  return { subject: `${type}:${key ?? ''}`, erasure: id, due: due?.toISOString() ?? null, certificate: null, doubt: null };
}

/** The map has the duty last longer than it did: there is nothing to approve, and the new day is remembered. */
async function notYet(ground: ErasureGround, record: ErasureRecord, text: ReturnType<typeof textOf>): Promise<Person> {
  const { due, isUndated } = await duesNow(ground, orderOf(ground, record), ground.clock.now());
  await inTransaction(ground.database, { tenant: ground.tenant }, (client) =>
    dateErasure(client, ground.tenant, { id: record.id, due, isUndated }),
  );
  return { ...text, due: due?.toISOString() ?? null, plan: null, state: 'not-yet', error: null };
}

/** Plans are keyed hashes, so theirs together tells nobody whom they are of. */
function hashOf(persons: DuePlan['persons']): string | null {
  const hashes = persons.flatMap(({ plan, state }) => (plan !== null && state === 'planned' ? [plan.hash] : []));
  return hashes.length === 0 ? null : createHash('sha256').update(hashes.toSorted().join('\n')).digest('hex');
}

async function eraseOne(
  ground: ErasureGround,
  { record, person }: Due,
  { approval, options }: { readonly approval: Approval; readonly options: ExecuteOptions },
): Promise<{ readonly person: DuePlan['persons'][number]; readonly erasure: string | null }> {
  if (person.plan === null || person.state !== 'planned') return { person, erasure: null };
  try {
    const done = await executeErasure(ground, orderOf(ground, record), { ...approval, hash: person.plan.hash }, options);
    return { person: { ...person, state: done.state, certificate: done.certificate }, erasure: done.erasure };
  } catch (error) {
    return { person: { ...person, state: 'failed', error: ownFault(error) }, erasure: null };
  }
}
