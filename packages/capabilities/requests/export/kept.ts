import { createHmac, hkdfSync } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '@safekeep/core';
import type { Person } from '../../holds/index.ts';

// Exports that are kept sealed in the home until they are handed out: `ID.MARK.EXTENSION.sealed`. The mark tells whose it is to
// whoever has the key of exports, and nothing to anybody else.

/** Days until a kept export is to be fetched; then it is deleted. */
const KEPT_DAYS = 30;
const DAY_MS = 86_400_000;
/** A file that nobody has written to for a day is what a killed export left. */
const HALF_AT_MOST_MS = DAY_MS;

const KEPT = /^[0-9a-f-]{36}\.[0-9a-f]{32}\.(zip|json|pdf)\.sealed$/;
const HALF = /\.sealed\.[0-9a-f]{8}\.partial$/;

type Owner = { readonly tenant: string; readonly person: Person };

export function keptName(
  key: Buffer,
  owner: Owner,
  { id, extension }: { readonly id: string; readonly extension: string },
): string {
  return `${id}.${markOf(key, owner)}.${extension}.sealed`;
}

/** When one that is made now is deleted. */
export function expiryOf(now: Date): Date {
  return new Date(now.getTime() + KEPT_DAYS * DAY_MS);
}

/** Paths of the kept exports of a person. */
export async function keptExports(directory: string, key: () => Promise<Buffer>, owner: Owner): Promise<readonly string[]> {
  const names = (await namesIn(directory)).filter((name) => KEPT.test(name));
  if (names.length === 0) return [];
  const mark = markOf(await key(), owner);
  return names.filter((name) => name.split('.')[1] === mark).map((name) => join(directory, name));
}

/** Deletes what nobody has fetched in time, and what killed exports left. Answers how many exports that were. */
export async function deleteExpired(directory: string, now: Date): Promise<number> {
  let expired = 0;
  for (const name of await namesIn(directory)) {
    const limitMs = KEPT.test(name) ? KEPT_DAYS * DAY_MS : HALF.test(name) ? HALF_AT_MOST_MS : undefined;
    if (limitMs === undefined) continue;
    const path = join(directory, name);
    const facts = await stat(path).catch(ignoreGone);
    if (facts === undefined || now.getTime() - facts.mtimeMs < limitMs) continue;
    await rm(path, { force: true });
    if (KEPT.test(name)) expired += 1;
  }
  return expired;
}

function markOf(key: Buffer, { tenant, person }: Owner): string {
  const markKey = Buffer.from(hkdfSync('sha256', key, '', 'safekeep/1 export owner', 32));
  return createHmac('sha256', markKey)
    .update(JSON.stringify([tenant, person.type, ...person.key]))
    .digest('hex')
    .slice(0, 32);
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return (await readdir(directory).catch(ignoreGone)) ?? [];
}

/** Another process may have deleted it, and a home without exports has no folder. */
function ignoreGone(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}
