import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { promisify } from 'node:util';
import type { OutsidePlace } from '@safekeep/core';
import { codeOf } from '@safekeep/postgres';
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
    const error = place === undefined ? 'gone from the map' : await tellOne(place, { erasure: record.id, person });
    const state = error === null ? 'done' : 'pending';
    states.set(call.place, { state, error });
    await inTransaction(database, { tenant }, (client) =>
      noteCall(client, tenant, { erasure: record.id, place: call.place, state, error, at: clock.now() }),
    );
  }
  return copies.map((copy) => {
    const known = states.get(copy.place);
    if (known === undefined) return copy;
    const note = known.error === null ? copy.note : `not reached yet (${known.error}); it is told again`;
    return { ...copy, state: known.state, note };
  });
}

type Told = { readonly erasure: string; readonly person: Person };

/** Null when the place has done it, else why not: a code, never what it said. */
async function tellOne(place: OutsidePlace, told: Told): Promise<string | null> {
  if (place.kind === 'webhook') return await postErasure(place, told);
  if (place.kind === 'command') return await runCommand(place, told);
  return place.kind === 'files' ? await removeFiles(place, told) : 'kind not supported';
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

/** Only an absolute path with the key in it, and a key that cannot lead elsewhere. */
async function removeFiles({ at }: OutsidePlace, { person }: Told): Promise<string | null> {
  const isSafe = person.key.every((part) => /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(part));
  if (!isAbsolute(at) || !at.includes('{key}') || !isSafe) return 'path not safe to remove';
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
