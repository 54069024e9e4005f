import { userInfo } from 'node:os';
import { recordEvent, recordEventWithin, type NewEvent } from '@safekeep/capabilities/audit';
import type { Command, CommandContext, Outcome } from '@safekeep/capabilities/capability';
import type { RecordEvent } from '@safekeep/capabilities/encryption';
import { isSafekeepError, type SafekeepError } from '@safekeep/core';

type Input = Readonly<Record<string, unknown>>;
type Audited = {
  readonly kind: NewEvent['kind'];
  /** How a call that was only to show something ends; null: that is no event. */
  readonly planned?: string | null;
  /** Names of parts of the result that tell which one it was. Ids, never a value. */
  readonly tells?: readonly string[];
  /** Only a call with this flag is an event. */
  readonly onlyWith?: string;
  /** People whom the result names: each of them has an event of their own, so that their access log tells it. */
  readonly found?: (result: unknown) => readonly string[];
  /** Whether the person of the input is whom a done event is about. One who is erased is not named again. */
  readonly names?: boolean;
};

/** What changes a protection or lifts it, or gives out what is protected, by the name of its command. Here and not in those capabilities, which know nothing of the log. */
const AUDITED: ReadonlyMap<string, Audited> = new Map<string, Audited>([
  ['apply', { kind: 'compliance' }],
  ['unapply', { kind: 'compliance' }],
  ['hold place', { kind: 'retention' }],
  ['hold release', { kind: 'retention' }],
  ['hold review', { kind: 'retention' }],
  ['subject find', { kind: 'access', found: foundBy }],
  ['subject export', { kind: 'access', tells: ['export', 'expired'], names: true }],
  ['subject open-export', { kind: 'access' }],
  ['subject expire-exports', { kind: 'retention', tells: ['expired'] }],
  ['subject erase', { kind: 'compliance', planned: 'planned', tells: ['erasure', 'state'] }],
  ['subject erasures', { kind: 'compliance', onlyWith: 'run' }],
  ['ledger replay', { kind: 'compliance', planned: null }],
  ['keys create', { kind: 'compliance' }],
  ['keys rotate', { kind: 'compliance', tells: ['now', 'before'] }],
  ['keys backup', { kind: 'compliance', tells: ['id'] }],
  ['keys recover', { kind: 'compliance' }],
  ['keys shred', { kind: 'compliance' }],
  ['encrypt', { kind: 'compliance', tells: ['field'] }],
  ['encrypt finish', { kind: 'compliance', tells: ['field'] }],
  ['encrypt rotate', { kind: 'compliance', tells: ['field'] }],
  ['decrypt', { kind: 'compliance', tells: ['field'] }],
  ['import sqlite', { kind: 'compliance', planned: null, tells: ['runId', 'state'] }],
  ['import rollback', { kind: 'compliance', tells: ['runId'] }],
  ['import cut-over', { kind: 'compliance', tells: ['runId'] }],
]);

/** The same commands, those of the list with both of their ends in the log: done, or refused and why. */
export function audited(commands: readonly Command[]): readonly Command[] {
  return commands.map((command) => {
    const event = AUDITED.get(command.name);
    return event === undefined ? command : { ...command, run: inLog(command, event) };
  });
}

function inLog({ name, run }: Command, audit: Audited): Command['run'] {
  const action = name.replaceAll(' ', '-');
  return async (context, input) => {
    // A rehearsal on a copy changes nothing.
    if (flag(input, 'onCopy') || (audit.onlyWith !== undefined && !flag(input, audit.onlyWith))) return await run(context, input);
    const isPlan = flag(input, 'plan');
    try {
      const outcome = await run(context, input);
      const ending = isPlan && audit.planned !== undefined ? audit.planned : 'done';
      if (ending !== null) {
        const event = { kind: audit.kind, action: `${action}-${ending}`, ...detailsOf(outcome, audit) };
        const people = audit.found?.(outcome.result) ?? [];
        for (const subject of people) await record(context, { ...event, subject });
        if (people.length === 0) await record(context, { ...event, ...(isPlan || audit.names === true ? subjectOf(input) : {}) });
      }
      return outcome;
    } catch (error) {
      // A refusal is in the log although all of it was rolled back. A wrong call or a database out of reach is no event.
      if (isSafekeepError(error) && error.exit === 1)
        await record(context, {
          kind: 'security',
          action: `${action}-refused`,
          ...(isAboutNobody(error) ? {} : subjectOf(input)),
          details: { code: error.code },
        });
      throw error;
    }
  };
}

/** Of `subject find`, at most as many as it shows; one who is erased is not named again. What was looked for stands nowhere. */
function foundBy(result: unknown): readonly string[] {
  const { matches } = result as { readonly matches: readonly { readonly subject: string; readonly erased: boolean }[] }; // Its output says so.
  return matches.filter(({ erased }) => !erased).map(({ subject }) => subject);
}

function flag(input: Input, name: string): boolean {
  return input[name] === true;
}

/** Of persons as `type:key`, which the command has understood. */
function subjectOf({ subject }: Input): { readonly subject?: string } {
  return typeof subject === 'string' ? { subject } : {};
}

/** What was typed is no person of the map: it can be anything, a name even. */
function isAboutNobody({ code }: SafekeepError): boolean {
  return code.startsWith('subject-') || code === 'map-missing' || code === 'map-invalid';
}

function detailsOf({ result, ok }: Outcome<unknown>, { tells = [] }: Audited): { readonly details?: Record<string, unknown> } {
  const told = typeof result === 'object' && result !== null ? Object.entries(result) : [];
  const details = Object.fromEntries(
    told.filter(([name, value]) => tells.includes(name) && (typeof value === 'string' || typeof value === 'number')),
  );
  if (ok === false) details['ok'] = false;
  return Object.keys(details).length === 0 ? {} : { details };
}

/** Who calls: the user of this system. */
export function operator(): string {
  return `login:${userInfo().username}`;
}

async function record(context: CommandContext, event: Omit<NewEvent, 'actor'>): Promise<void> {
  await recordEvent(await context.database(), context.tenant, { ...event, actor: { name: operator() } });
}

/** What is done with keys, in the transaction in which it is done. How often they are used is counted in their own log. */
export function keyEvents(context: CommandContext): RecordEvent {
  return async ({ operation, tenant, keyId, rows, error }, db) => {
    if (operation === 'use') return;
    const event: NewEvent = {
      kind: error === null ? 'compliance' : 'security',
      action: `key-${operation}`,
      details: { rows, ...(keyId === null ? {} : { key: keyId }), ...(error === null ? {} : { code: error }) },
    };
    if (db === undefined) await recordEvent(await context.database(), tenant, { ...event, actor: { name: operator() } });
    // The transaction says itself who acts.
    else await recordEventWithin(db, tenant, event);
  };
}
