import { codeOf, isSafekeepError, newId, Secret } from '@safekeep/core';
import { migrateUp, openDatabase, type Database } from '@safekeep/postgres';
import type { RehearsalText } from '../model.ts';
import { stepId } from '../rules/text.ts';
import { copyName, createCopy, dropCopy, readCopyFacts } from '../store/copy.ts';
import { applyPlan } from './apply-plan.ts';
import { secondsSince, type Ground, type Observer } from './execute.ts';
import type { Intent } from './make-plan.ts';
import { unapply } from './unapply.ts';

export type Stage = Omit<Ground, 'database'> & {
  /** Of the database to copy. */
  readonly url: Secret;
  readonly confirm: (action: string) => Promise<void>;
};

/** Where one connects to make and drop databases; it is there on every server that was not stripped of it. */
const MAINTENANCE = 'postgres';
const COPY_POOL = 4;
/** Stands in the history of the copy only, and goes with it. */
const REHEARSAL = 'rehearsal';
const NOT_TRIED = { hash: null, steps: [], copySeconds: 0, applySeconds: 0, restored: null } as const;

type Outcome = Pick<RehearsalText, 'state' | 'reason' | 'hash' | 'restored' | 'applySeconds'>;

/**
 * Applies the plan to a copy of the whole database, takes it out again, and drops the copy. The copy is made by the server itself
 * from its files, which it does only while nobody else is connected. Without a full copy nothing is claimed: an empty schema
 * would show neither the rows that refuse a step nor the time it takes.
 */
export async function rehearse(stage: Stage, intent: Intent): Promise<RehearsalText> {
  const source = decodeURIComponent(new URL(stage.url.reveal()).pathname.slice(1));
  const server = await openMaintenance(stage.url);
  if (server === null) return notEvaluable(`this login may not connect to the database ${MAINTENANCE}, from where copies are made`);
  try {
    const facts = await server.withClient((client) => readCopyFacts(client, source));
    if (!facts.mayCreate) return notEvaluable(`${server.server.user} may not create databases (ALTER ROLE … CREATEDB)`);
    if (facts.sessions > 0)
      return notEvaluable(
        `${facts.sessions} other session(s) are connected, and PostgreSQL copies a database only while nobody is`,
      );
    await stage.confirm(`Copying the database (${Math.ceil(facts.sizeBytes / 1_000_000)} MB) on its own server for a rehearsal`);
    for (const left of facts.leftovers) await server.withClient((client) => dropCopy(client, left));
    return await onCopy(stage, { server, source, intent });
  } finally {
    await server.close();
  }
}

async function openMaintenance(url: Secret): Promise<Database | null> {
  try {
    return await openDatabase(onDatabase(url, MAINTENANCE), { poolMax: 1 });
  } catch (error) {
    if (isSafekeepError(error, 'database-missing') || isSafekeepError(error, 'privilege-missing')) return null;
    throw error;
  }
}

type Setting = { readonly server: Database; readonly source: string; readonly intent: Intent };

async function onCopy(stage: Stage, { server, source, intent }: Setting): Promise<RehearsalText> {
  const startMs = stage.clock.elapsedMs();
  const copy = copyName(source, newId<'rehearsal'>());
  try {
    await server.withClient((client) => createCopy(client, source, copy));
  } catch (error) {
    // object_in_use: somebody connected in the moment between.
    if (codeOf(error) === '55006')
      return notEvaluable('another session connected just now, and PostgreSQL copies a database only while nobody is');
    throw error;
  }
  try {
    const copySeconds = secondsSince(stage, startMs);
    const timing = timer(stage);
    const outcome = await tryOn(onDatabase(stage.url, copy), { ...stage, observe: timing.observe }, intent);
    return { ...outcome, copySeconds, steps: timing.steps };
  } finally {
    await server.withClient((client) => dropCopy(client, copy));
  }
}

async function tryOn(url: Secret, stage: Stage, intent: Intent): Promise<Outcome> {
  const { tenant, clock, signal, observe } = stage;
  const database = await openDatabase(url, { poolMax: COPY_POOL });
  try {
    await migrateUp(database);
    const applied = await applyPlan({ database, tenant, clock, signal, observe }, { intent, author: REHEARSAL, agree: agreed });
    const out = await unapply({ database, tenant, clock, signal, observe: () => undefined }, { guards: [], agree: agreed });
    return {
      state: out.restored ? 'passed' : 'failed',
      reason: out.restored ? null : out.changedSince.join(', '),
      hash: applied.hash,
      restored: out.restored,
      applySeconds: applied.seconds,
    };
  } catch (error) {
    if (!isSafekeepError(error)) throw error;
    return { state: 'failed', reason: error.message, hash: null, restored: null, applySeconds: 0 };
  } finally {
    await database.close();
  }
}

/** The copy is ours to change. */
async function agreed(): Promise<void> {}

function timer({ clock, observe }: Stage): { readonly observe: Observer; readonly steps: { id: string; seconds: number }[] } {
  const steps: { id: string; seconds: number }[] = [];
  let startMs = 0;
  return {
    steps,
    observe: (moment, place) => {
      if (moment === 'begun') startMs = clock.elapsedMs();
      if (moment === 'ran' && place.step !== null)
        steps.push({ id: stepId(place.step), seconds: secondsSince({ clock }, startMs) });
      observe(moment, place);
    },
  };
}

function notEvaluable(reason: string): RehearsalText {
  return { ...NOT_TRIED, steps: [], state: 'not-evaluable', reason };
}

function onDatabase(url: Secret, database: string): Secret {
  const other = new URL(url.reveal());
  other.pathname = `/${encodeURIComponent(database)}`;
  return new Secret(other.href);
}
