import { createHash } from 'node:crypto';
import type pg from 'pg';
import { isShipped, shippedFunctions, shippedIn } from '@safekeep/postgres';
import type { Capture } from '../model.ts';
import { captureParts, type CaptureParts } from '../store/capture-sql.ts';
import type { FaultList } from './faults.ts';
import {
  readCaptures,
  readCryptoSchema,
  readFunctions,
  readParts,
  readPlantedChecks,
  readReplicaSettings,
  readTableFaults,
  readTriggers,
  type StandingFunction,
  type StandingTrigger,
} from './store/standing.ts';

/** The only condition that capture hangs on a trigger: a row that was written and not changed says nothing. */
const ANY_CHANGE = /WHEN \(\(+old\.\* (?:\*<>|OPERATOR\(pg_catalog\.\*<>\)) new\.\*\)+ EXECUTE/i;

/** With pg_temp unnamed PostgreSQL looks there first for types (manual, search_path), and anybody may make a domain of any name there. */
const SEARCH_PATH = /^search_path=pg_catalog, pg_temp$/m;

/** A capture, and what this Safekeep makes of its definition; undefined where it does not make of it what the definition says. */
type Expected = { readonly capture: Capture; readonly parts: CaptureParts | undefined };

/**
 * Whether what writes the log still does: each trigger is there, fires, always, and calls the function it was made with, whose
 * body is the one that this Safekeep makes; the functions that all of them share are as they are shipped; nothing stands in the way on the
 * log's own tables. What the database says of itself is no measure, for who changes the one can change the other. Answers how many tables are
 * captured.
 */
export async function checkStanding(client: pg.ClientBase, tenant: string, faults: FaultList): Promise<number> {
  const captures = (await readCaptures(client, tenant)).map((capture): Expected => ({ capture, parts: partsOf(capture) }));
  for (const expected of captures) {
    const { capture } = expected;
    const triggers = await readTriggers(client, capture);
    if (triggers === undefined) faults.add('trigger-missing', `${capture.table} is gone or has another name; nothing captures it.`);
    else checkTriggers(expected, triggers, faults);
    await checkParts(client, capture, faults);
    // Fields of another tenant, who applied the capture of a shared table, this one need not be able to see.
    if (capture.tenant === tenant) await checkSealed(client, capture, faults);
  }
  const names = captures.flatMap(({ capture }) => capture.functions.map(({ name }) => name));
  const functions = new Map((await readFunctions(client, names)).map((found) => [found.name, found]));
  for (const expected of captures) checkFunctions(expected, functions, faults);
  await checkShared(client, faults);
  for (const fault of await readTableFaults(client)) faults.add('table-changed', `${fault}.`);
  for (const place of await readReplicaSettings(client)) {
    faults.add('trigger-disabled', `session_replication_role is replica for ${place}: no trigger fires there.`);
  }
  return captures.length;
}

/** Whether rows are paired and how they are partitioned the definition does not say: what it was made of makes the functions that it names. */
function partsOf(capture: Capture): CaptureParts | undefined {
  for (const [partitioned, paired] of [
    [false, true],
    [false, false],
    [true, false],
  ] as const) {
    const parts = captureParts({ ...capture, partitioned, paired });
    const isSame = parts.functions.every(({ name, sha256 }, place) => {
      const told = capture.functions[place];
      return told?.name === name && told.sha256 === sha256;
    });
    if (isSame && parts.triggers.map(({ name }) => name).join() === capture.triggers.join()) return parts;
  }
  return undefined;
}

/** The functions that captures rest on, and all others of schema safekeep, against the text that they are made from. */
async function checkShared(client: pg.ClientBase, faults: FaultList): Promise<void> {
  const [shipped, crypto] = [shippedFunctions(), await readCryptoSchema(client)];
  for (const found of await readFunctions(client, [...shipped.keys()])) {
    const isOurs = found.isOwn && shipped.get(found.name)?.some((each) => isShipped(found, each, crypto));
    if (isOurs !== true)
      faults.add('function-changed', `The function safekeep.${found.name} is not the one that this Safekeep makes.`);
  }
}

function checkTriggers({ capture, parts }: Expected, standing: readonly StandingTrigger[], faults: FaultList): void {
  for (const name of capture.triggers) {
    const trigger = standing.find((each) => each.name === name);
    const of = `The trigger ${name} of ${capture.table}`;
    if (trigger === undefined) faults.add('trigger-missing', `${of} is not there.`);
    else if (!trigger.isOn) faults.add('trigger-disabled', `${of} is disabled.`);
    else if (!trigger.calls.startsWith('safekeep.')) faults.add('trigger-changed', `${of} calls ${trigger.calls}.`);
    else if (isOther(parts, trigger)) faults.add('trigger-changed', `${of} does not fire as it was made to.`);
  }
}

async function checkSealed(client: pg.ClientBase, capture: Capture, faults: FaultList): Promise<void> {
  for (const name of await readPlantedChecks(client, capture))
    faults.add(
      'table-changed',
      `${capture.table} has the check ${name}, which no encrypted field explains: plaintext beside its column is neither logged nor compared.`,
    );
}

/** A partition that came since the last apply has no guard yet; its rows are captured like all others. */
async function checkParts(client: pg.ClientBase, capture: Capture, faults: FaultList): Promise<void> {
  for (const { name, guards, isDisabled, isUnheard } of await readParts(client, capture)) {
    if (isUnheard) faults.add('trigger-disabled', `The capture of ${capture.table} is disabled on its part ${name}.`);
    if (isDisabled)
      faults.add('trigger-disabled', `What refuses to empty ${name}, a part of ${capture.table}, by its own name is disabled.`);
    else if (guards < 2)
      faults.note(
        `${name}, a part of ${capture.table}, can be emptied by its own name with no event. \`safekeep apply\` sees to it; \`audit verify --full\` misses the rows.`,
      );
  }
}

function isOther(parts: CaptureParts | undefined, { name, calls, isNarrowed, text }: StandingTrigger): boolean {
  const made = parts?.triggers.find((each) => each.name === name)?.statement ?? '';
  const called = /execute function (safekeep\.\w+)\(/.exec(made)?.[1];
  if (called !== undefined && calls !== called) return true;
  if (made !== '' && firing(made) !== firing(text)) return true;
  return isNarrowed || (/\bWHEN \(/.test(text) && !(name === 'safekeep_audit_update' && ANY_CHANGE.test(text)));
}

/** When a trigger fires, on what, and with which rows: what its definition says before and behind the name of its table. */
function firing(definition: string): string {
  const text = definition.replaceAll(/\s+/g, ' ').toLowerCase();
  const [, moment = '', events = ''] = /^create trigger "?\w+"? (before|after|instead of) ([a-z ]+?) on /.exec(text) ?? [];
  const rows = [...text.matchAll(/\b(?:old|new) table as \w+/g)].join();
  const [level = ''] = /\bfor each (?:row|statement)\b/.exec(text) ?? [];
  return [moment, events.split(' or ').toSorted().join(), rows, level].join(' ');
}

/** With the rights, settings and way of being called that `apply` gave it. */
function isMade(parts: CaptureParts | undefined, found: StandingFunction): boolean {
  const made = shippedIn(parts?.functions.find(({ name }) => name === found.name)?.statement ?? '');
  // Of one that is not what this Safekeep makes the fault is told already.
  return made === undefined ? found.isDefiner && SEARCH_PATH.test(found.settings.join('\n')) : isShipped(found, made, '');
}

function checkFunctions({ capture, parts }: Expected, standing: ReadonlyMap<string, StandingFunction>, faults: FaultList): void {
  if (parts === undefined)
    faults.add('function-changed', `What is written down of the capture of ${capture.table} is not what this Safekeep makes.`);
  for (const { name, sha256 } of capture.functions) {
    const found = standing.get(name);
    const of = `The function safekeep.${name} of ${capture.table}`;
    if (found === undefined) faults.add('function-changed', `${of} is not there.`);
    else if (createHash('sha256').update(found.body).digest('hex') !== sha256)
      faults.add('function-changed', `${of} has another body than apply wrote.`);
    else if (!found.isOwn || found.isOpen || !isMade(parts, found)) {
      faults.add('function-changed', `${of} has other rights or settings than apply gave it.`);
    }
  }
}
