import { userInfo } from 'node:os';
import { recordEvent, recordEventWithin, type NewEvent } from '@safekeep/capabilities/audit';
import type { Command, CommandContext, CommandEvent, Outcome } from '@safekeep/capabilities/capability';
import type { RecordEvent } from '@safekeep/capabilities/encryption';
import { isSafekeepError, type SafekeepError } from '@safekeep/core';

type Input = Readonly<Record<string, unknown>>;
/** The same commands, those that say which event they are with both of their ends in the log: done, or refused and why. Here and not in the capabilities, which know nothing of the log. */
export function audited(commands: readonly Command[]): readonly Command[] {
  return commands.map((command) => {
    const { event } = command;
    return event === undefined || 'none' in event ? command : { ...command, run: inLog(command, event) };
  });
}

function inLog({ name, run }: Command, audit: CommandEvent): Command['run'] {
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
        // The result of the very command that says whom it names.
        const people = audit.found?.(outcome.result as never) ?? [];
        for (const subject of people) await record(context, { ...event, subject });
        if (people.length === 0) await record(context, { ...event, ...(isPlan || audit.names === true ? subjectOf(input) : {}) });
      }
      return outcome;
    } catch (error) {
      // A refusal is in the log although all of it was rolled back. A wrong call or a database out of reach is no event.
      if (isSafekeepError(error) && (error.exit === 1 || error.code === 'interrupted'))
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

function detailsOf({ result, ok }: Outcome<unknown>, { tells = [] }: CommandEvent): { readonly details?: Record<string, unknown> } {
  const told = typeof result === 'object' && result !== null ? Object.entries(result) : [];
  const details = Object.fromEntries(told.filter(([name, value]) => tells.includes(name) && isTold(value)));
  if (ok === false) details['ok'] = false;
  return Object.keys(details).length === 0 ? {} : { details };
}

/** An id, a name, a count, or some names; none is nothing to tell. */
function isTold(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0 && value.every((each) => typeof each === 'string');
  return typeof value === 'string' || typeof value === 'number';
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
