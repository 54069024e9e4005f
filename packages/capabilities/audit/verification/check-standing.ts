import { createHash } from 'node:crypto';
import type pg from 'pg';
import { shippedFunctions } from '@safekeep/postgres';
import type { Capture } from '../model.ts';
import type { FaultList } from './faults.ts';
import {
  readCaptures,
  readFunctions,
  readReplicaSettings,
  readTriggers,
  wereCaptured,
  type StandingFunction,
  type StandingTrigger,
} from './store/standing.ts';

/** The only condition that capture hangs on a trigger: a row that was written and not changed says nothing. */
const ANY_CHANGE = /WHEN \(\(+old\.\* (?:\*<>|OPERATOR\(pg_catalog\.\*<>\)) new\.\*\)+ EXECUTE/i;

/**
 * Whether what writes the log still does: each trigger is there, fires, always, and calls the function it was made with, whose
 * body is the one that apply wrote. `wanted` are tables that the map wants captured; one that was once must still be.
 */
export async function checkStanding(
  client: pg.ClientBase,
  { tenant, wanted }: { readonly tenant: string; readonly wanted: readonly string[] },
  faults: FaultList,
): Promise<Standing> {
  const captures = await readCaptures(client, tenant);
  const digest = createHash('sha256');
  for (const capture of captures) {
    const triggers = await readTriggers(client, capture);
    digest.update(JSON.stringify([capture.table, triggers?.toSorted(byName) ?? null]));
    if (triggers === undefined) faults.add('trigger-missing', `${capture.table} is gone or has another name; nothing captures it.`);
    else checkTriggers(capture, triggers, faults);
  }
  const functions = new Map((await readFunctions(client, captures.flatMap(namesOf))).map((found) => [found.name, found]));
  digest.update(JSON.stringify([...functions.values()].toSorted(byName)));
  for (const capture of captures) checkFunctions(capture, functions, faults);
  if (captures.length > 0) await checkShared(client, faults);
  const known = new Set(captures.map(({ table }) => table));
  for (const table of await wereCaptured(
    client,
    tenant,
    wanted.filter((name) => !known.has(name)),
  )) {
    faults.add('trigger-missing', `The map wants ${table} in the log, the log has events of it, and nothing captures it any more.`);
  }
  for (const place of await readReplicaSettings(client)) {
    faults.add('trigger-disabled', `session_replication_role is replica for ${place}: no trigger fires there.`);
  }
  return { tables: captures.length, digest: digest.digest('hex') };
}

/** How many tables are captured, and by what: the same digest means the same triggers and functions, whatever the database says of itself. */
export type Standing = { readonly tables: number; readonly digest: string };

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name < other.name ? -1 : 1;
}

/** What every capture calls, and what writes and forgets events. */
const SHARED = [
  'actor_message',
  'capture_keys_only',
  'close_commitments',
  'count_before_truncate',
  'is_actor_proof',
  'is_keys_only',
  'key_part',
  'note_truncate',
  'record_audit_event',
  'require_actor',
];

/** Held against what this Safekeep brings along, not against what the database says of itself. */
async function checkShared(client: pg.ClientBase, faults: FaultList): Promise<void> {
  const shipped = shippedFunctions();
  const standing = await readFunctions(client, SHARED);
  for (const name of SHARED) {
    const [meant, found] = [shipped.get(name), standing.filter((each) => each.name === name)];
    const isSame = found.length === 1 && found[0]?.sha256 === meant?.sha256 && found[0]?.isDefiner === meant?.isDefiner;
    if (!isSame)
      faults.add(
        'function-changed',
        `The function safekeep.${name} is not the one of this Safekeep: \`safekeep migrate up\` writes it again.`,
      );
  }
}

function namesOf({ functions }: Capture): string[] {
  return functions.map(({ name }) => name);
}

function checkTriggers(capture: Capture, standing: readonly StandingTrigger[], faults: FaultList): void {
  for (const name of capture.triggers) {
    const trigger = standing.find((each) => each.name === name);
    const of = `The trigger ${name} of ${capture.table}`;
    if (trigger === undefined) faults.add('trigger-missing', `${of} is not there.`);
    else if (!trigger.isOn) faults.add('trigger-disabled', `${of} is disabled.`);
    else if (!trigger.calls.startsWith('safekeep.')) faults.add('trigger-changed', `${of} calls ${trigger.calls}.`);
    else if (isOther(capture, trigger)) faults.add('trigger-changed', `${of} does not fire as it was made to.`);
  }
}

function isOther(capture: Capture, { name, calls, isNarrowed, text }: StandingTrigger): boolean {
  const operation = /^safekeep_audit_(insert|update|delete)$/.exec(name)?.[1];
  const expected =
    operation === undefined ? undefined : capture.functions.find((each) => each.name.startsWith(`capture_${operation}_`));
  if (expected !== undefined && calls !== `safekeep.${expected.name}`) return true;
  return isNarrowed || (/\bWHEN \(/.test(text) && !(operation === 'update' && ANY_CHANGE.test(text)));
}

function checkFunctions(capture: Capture, standing: ReadonlyMap<string, StandingFunction>, faults: FaultList): void {
  for (const { name, sha256 } of capture.functions) {
    const found = standing.get(name);
    const of = `The function safekeep.${name} of ${capture.table}`;
    if (found === undefined) faults.add('function-changed', `${of} is not there.`);
    else if (found.sha256 !== sha256) faults.add('function-changed', `${of} has another body than apply wrote.`);
    else if (!found.isDefiner || !/search_path=(?:""|\\"\\"|'')/.test(found.settings)) {
      faults.add('function-changed', `${of} has other rights or settings than apply gave it.`);
    }
  }
}
