import type { EventView } from './model.ts';

/** Actors that are programs: `type:name` with one of these types. A person reading their own history wants to know. */
const MACHINES = new Set(['system', 'job', 'service', 'worker', 'machine', 'bot', 'integration', 'safekeep', 'import', 'cron']);

export function isMachine({ actor, actorState }: Pick<EventView, 'actor' | 'actorState'>): boolean {
  const [type = '', name] = actor?.split(':', 2) ?? [];
  return actorState === 'system' || (name !== undefined && MACHINES.has(type));
}

/** Who, as told to the person whom it is about. */
function actorWords(event: EventView, subject: string): string {
  const { actor, actorState } = event;
  if (actor === null) return 'Somebody whose name was not given';
  if (actor === subject && actorState !== 'claimed') return 'You yourself';
  const who = isMachine(event) ? `The program ${actor.slice(actor.indexOf(':') + 1)} (not a person)` : actor;
  return actorState === 'claimed' ? `${who} (by their own account)` : who;
}

const DID: Readonly<Record<string, string>> = {
  'insert': 'added',
  'update': 'changed',
  'delete': 'deleted',
  'truncate': 'emptied',
  'decrypt': 'gave back the plaintext of encrypted values in',
  'read': 'looked at',
  'access': 'looked at',
  'history-opened': 'opened the history of',
  'export': 'exported',
  'erase': 'erased',
  'remain': 'noted the state of',
  'subject-find-done': 'searched for and found',
  'subject-export-done': 'made a copy of everything in',
  'subject-open-export-done': 'gave out the sealed copy of everything in',
  'subject-erase-planned': 'looked at what an erasure would do to',
  'subject-export-refused': 'asked for a copy of, and was refused,',
  'subject-erase-refused': 'asked to erase, and was refused,',
  'denied': 'tried to look at, and was refused,',
};

/** One event in a plain sentence to the person: no jargon, no values. Times are UTC. */
export function accessSentence(event: EventView, subject: string): string {
  const { at, action, table, columns, purpose } = event;
  const place = table === null ? 'your record' : `your entry in ${tableWords(table)}`;
  const did = DID[action.toLowerCase()] ?? `did “${action}” on`;
  const which =
    columns.length === 0 || !['update', 'read', 'access'].includes(action.toLowerCase()) ? '' : `: ${listWords(columns)}`;
  const why = purpose === null || purpose === '' ? '' : ` The reason given was ${columnWords(purpose)}.`;
  const gone = event.erased ? ' What exactly was in it has been erased.' : '';
  return `On ${dayWords(at)}, ${lowerFirst(actorWords(event, subject))} ${did} ${place}${which}.${why}${gone}`;
}

function lowerFirst(text: string): string {
  return /^(The|Somebody|You) /.test(text) ? `${text.slice(0, 1).toLowerCase()}${text.slice(1)}` : text;
}

function tableWords(table: string): string {
  return columnWords(table.slice(table.lastIndexOf('.') + 1));
}

function columnWords(name: string): string {
  return name.replaceAll(/["_]+/g, ' ').trim();
}

function listWords(names: readonly string[]): string {
  const words = names.map(columnWords);
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}

/** `21 November 2026 at 10:03 UTC` */
function dayWords(at: string): string {
  const date = new Date(at);
  const day = date.toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });
  return `${day} at ${date.toISOString().slice(11, 16)} UTC`;
}
