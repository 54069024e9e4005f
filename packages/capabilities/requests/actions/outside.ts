import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { codeOf, filesPathFault, type OutsidePlace } from '@safekeep/core';
import { formatKey, type Person } from '../../holds/index.ts';
import type { ExternalCopy } from '../model.ts';
import { noteCall, readCalls, type ErasureRecord } from '../store/records.ts';
import { inTransaction } from '../store/session.ts';
import type { ErasureGround } from './ground.ts';

/** One answer from outside may take so long; a place that is down is asked again later. */
const CALL_TIMEOUT_MS = 10_000;
const OUTPUT_BYTES_AT_MOST = 64 * 1024;

/**
 * Tells every place outside that was not reached yet, once. What fails stays `pending` and is told again by
 * `subject erasures --run`; nothing is forgotten, and the certificate says what is outstanding.
 */
export async function tellOutside(
  ground: ErasureGround,
  { record, person, copies }: { readonly record: ErasureRecord; readonly person: Person; readonly copies: readonly ExternalCopy[] },
): Promise<readonly ExternalCopy[]> {
  const { database, tenant, map, clock } = ground;
  const calls = await inTransaction(database, { tenant }, (client) => readCalls(client, tenant, record.id));
  const states = new Map(calls.map(({ place, state, lastError }) => [place, { state, error: lastError }]));
  for (const call of calls.filter(({ state }) => state === 'pending')) {
    const place = map.outside.get(call.place);
    const { state, error } =
      place === undefined
        ? { state: 'pending' as const, error: 'gone from the map' }
        : await tellOne(place, { erasure: record.id, person });
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

type Told = { readonly erasure: string; readonly person: Person };

type Answer = { readonly state: 'done' | 'pending' | 'by-hand'; readonly error: string | null };

async function tellOne(place: OutsidePlace, told: Told): Promise<Answer> {
  if (place.kind === 's3') return { state: 'by-hand', error: 'Safekeep does not delete there by itself yet' };
  const fault = place.kind === 'files' ? filesFault(place, told.person) : null;
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

async function postErasure({ at, name }: OutsidePlace, { erasure, person }: Told): Promise<string | null> {
  try {
    const response = await fetch(filled(at, person, encodeURIComponent), {
      method: 'POST',
      // The same erasure may be told twice: whoever is told must not mind.
      headers: { 'content-type': 'application/json', 'idempotency-key': `${erasure}/${name}` },
      body: JSON.stringify({ event: 'subject-erased', erasure, place: name, subject: { type: person.type, key: person.key } }),
      redirect: 'error',
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok ? null : `HTTP ${response.status}`;
  } catch (error) {
    return codeOf(error instanceof Error ? error.cause : error) ?? (error instanceof Error ? error.name : 'unknown');
  }
}

/** Without a shell: what stands in the map are a program and its arguments, parted by blanks. */
async function runCommand({ at }: OutsidePlace, { erasure, person }: Told): Promise<string | null> {
  const [program, ...args] = at.split(/\s+/).filter((word) => word !== '');
  if (program === undefined) return 'no program';
  try {
    await promisify(execFile)(
      program,
      args.map((word) => filled(word, person, (text) => text)),
      { timeout: CALL_TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_AT_MOST, env: { PATH: process.env['PATH'], SAFEKEEP_ERASURE: erasure } },
    );
    return null;
  } catch (error) {
    return `exit ${codeOf(error) ?? (error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : 'unknown')}`;
  }
}

/**
 * Why the files of a person are not removed by Safekeep, with what to do; null where they are. Only an absolute path with the key in it,
 * and a key that cannot lead elsewhere.
 */
export function filesFault({ at }: Pick<OutsidePlace, 'at'>, person: Person): string | null {
  const fault = filesPathFault(at);
  if (fault !== null) return `not removed, because ${fault}: correct the map, or remove the files by hand`;
  const isSafe = person.key.every((part) => /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(part));
  return isSafe ? null : 'not removed, because the key of the person could lead to other files: remove them by hand';
}

async function removeFiles({ at }: OutsidePlace, { person }: Told): Promise<string | null> {
  try {
    await rm(
      filled(at, person, (text) => text),
      { recursive: true, force: true },
    );
    return null;
  } catch (error) {
    return codeOf(error) ?? 'unknown';
  }
}

function filled(text: string, { key }: Person, escape: (text: string) => string): string {
  return text.replaceAll('{key}', () => escape(formatKey(key)));
}
