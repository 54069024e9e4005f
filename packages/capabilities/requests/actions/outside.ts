import { execFile } from 'node:child_process';
import { lstat, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import canonicalize from 'canonicalize';
import { codeOf, outsideFault, type OutsidePlace } from '@safekeep/core';
import type { Signer } from '@safekeep/crypto';
import { formatKey, type Person } from '../../holds/index.ts';
import type { ExternalCopy } from '../model.ts';
import { noteCall, readCalls, type ErasureRecord } from '../store/records.ts';
import { inTransaction } from '../store/session.ts';
import type { ErasureGround } from './ground.ts';

/** One answer from outside may take so long unless said otherwise; a place that is down is asked again later. */
const CALL_TIMEOUT_MS = 60_000;
const OUTPUT_BYTES_AT_MOST = 64 * 1024;

/**
 * Tells every place outside that was not reached yet, once. What fails stays `pending` and is told again by
 * `subject erasures --run`; nothing is forgotten, and the certificate says what is outstanding.
 */
export async function tellOutside(
  ground: ErasureGround,
  { record, person, copies }: { readonly record: ErasureRecord; readonly person: Person; readonly copies: readonly ExternalCopy[] },
): Promise<readonly ExternalCopy[]> {
  const { database, tenant, map, clock, signer, outsideTimeoutMs = CALL_TIMEOUT_MS } = ground;
  const calls = await inTransaction(database, { tenant }, (client) => readCalls(client, tenant, record.id));
  const states = new Map(calls.map(({ place, state, lastError }) => [place, { state, error: lastError }]));
  for (const call of calls.filter(({ state }) => state === 'pending')) {
    const place = map.outside.get(call.place);
    const { state, error } =
      place === undefined
        ? { state: 'pending' as const, error: 'gone from the map' }
        : await tellOne(place, { erasure: record.id, person, at: clock.now(), signer, timeoutMs: outsideTimeoutMs });
    states.set(call.place, { state, error });
    await inTransaction(database, { tenant }, (client) =>
      noteCall(client, tenant, { erasure: record.id, place: call.place, state, error, at: clock.now() }),
    );
  }
  return copies.map((copy) => {
    const known = states.get(copy.place);
    if (known === undefined) return copy;
    const note =
      known.error === null
        ? copy.note
        : known.state === 'by-hand'
          ? known.error
          : `not reached yet (${known.error}); it is told again`;
    return { ...copy, state: known.state, note };
  });
}

type Told = {
  readonly erasure: string;
  readonly person: Person;
  readonly at: Date;
  readonly signer: Signer;
  readonly timeoutMs: number;
};

type Answer = { readonly state: 'done' | 'pending' | 'by-hand'; readonly error: string | null };

async function tellOne(place: OutsidePlace, told: Told): Promise<Answer> {
  const fault = byHandReason(place, told.person);
  // Trying again changes nothing: somebody has to do it.
  if (fault !== null) return { state: 'by-hand', error: fault };
  const error = await reach(place, told);
  return { state: error === null ? 'done' : 'pending', error };
}

/** Null when the place has done it, else why not: a code, never what it said. */
async function reach(place: OutsidePlace, told: Told): Promise<string | null> {
  if (place.kind === 'webhook') return await postErasure(place, told);
  return place.kind === 'command' ? await runCommand(place, told) : await removeFiles(place, told);
}

/**
 * The body is canonical JSON (RFC 8785) and signed by the home as an `erasure-notice`, so that whoever is told can tell who orders a deletion;
 * docs/guides/erase-a-person.md says how to check it.
 */
async function postErasure(
  { at, name }: OutsidePlace,
  { erasure, person, at: now, signer, timeoutMs }: Told,
): Promise<string | null> {
  const notice = {
    event: 'subject-erased',
    erasure,
    place: name,
    subject: { type: person.type, key: person.key },
    issuedAt: now.toISOString(),
  };
  const { keyName, keyId, signature } = signer.signDocument('erasure-notice', notice);
  try {
    const response = await fetch(filled(at, person, encodeURIComponent), {
      method: 'POST',
      // The same erasure may be told twice: whoever is told must not mind.
      headers: {
        'content-type': 'application/json',
        'idempotency-key': `${erasure}/${name}`,
        'safekeep-signature': `${keyName}+${keyId} ${signature}`,
      },
      body: canonicalize(notice) ?? '',
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    return response.ok ? null : `HTTP ${response.status}`;
  } catch (error) {
    return codeOf(error instanceof Error ? error.cause : error) ?? (error instanceof Error ? error.name : 'unknown');
  }
}

/**
 * Without a shell: what stands in the map are a program and its arguments, parted by blanks. The key comes on stdin too, in a line, for a
 * program that wants to keep it out of the list of processes.
 */
async function runCommand({ at }: OutsidePlace, { erasure, person, timeoutMs }: Told): Promise<string | null> {
  const [program, ...args] = at.split(/\s+/).filter((word) => word !== '');
  if (program === undefined) return 'no program';
  try {
    const running = promisify(execFile)(
      program,
      args.map((word) => filled(word, person, (text) => text)),
      { timeout: timeoutMs, maxBuffer: OUTPUT_BYTES_AT_MOST, env: { PATH: process.env['PATH'], SAFEKEEP_ERASURE: erasure } },
    );
    const { stdin } = running.child;
    // A program that reads nothing has closed it.
    stdin?.on('error', () => undefined);
    stdin?.end(`${formatKey(person.key)}\n`);
    await running;
    return null;
  } catch (error) {
    return `exit ${codeOf(error) ?? (error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : 'unknown')}`;
  }
}

/**
 * Why Safekeep does not tell a place of a person by itself, with what to do; null where it does. The map is looked at, and the key of the
 * person, which somebody else may have chosen: it must lead to nobody else's data, to no other address and be no option of a program.
 */
export function byHandReason(place: OutsidePlace, person: Person): string | null {
  if (place.kind === 's3') return 'Safekeep does not delete there by itself yet';
  const fault = outsideFault(place);
  if (fault !== null) return `not told, because ${fault}: correct the map, or remove it by hand`;
  const safe = SAFE_KEY[place.kind];
  const isSafe = person.key.every((part) => safe.test(part));
  return isSafe ? null : 'not told, because the key of the person could lead elsewhere: remove it by hand';
}

const SAFE_KEY = {
  files: /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/,
  // No option, no part of a path that leads out of it, and nothing that a shell behind the program (`ssh`, `sh -c`) would take for more than text.
  command: /^(?!\.{1,2}$)[A-Za-z0-9_.@+][A-Za-z0-9_.@+-]*$/,
  // Everything but the two that an address drops is escaped.
  webhook: /^(?!\.{1,2}$)[^]+$/,
} as const;

/** A folder that is not there may be one that is not mounted, and behind a link lies what removing it would leave: both are not done. */
async function removeFiles({ at }: OutsidePlace, { person }: Told): Promise<string | null> {
  const path = filled(at, person, (text) => text);
  try {
    if (!(await stat(dirname(path))).isDirectory()) return 'its folder is none';
    const found = await lstat(path).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
    });
    if (found?.isSymbolicLink() === true) return 'a link: remove by hand what it leads to';
    await rm(path, { recursive: true, force: true });
    return null;
  } catch (error) {
    const code = codeOf(error) ?? 'unknown';
    return code === 'ENOENT' ? 'its folder is not there: is it mounted?' : code;
  }
}

function filled(text: string, { key }: Person, escape: (text: string) => string): string {
  return text.replaceAll('{key}', () => escape(formatKey(key)));
}
