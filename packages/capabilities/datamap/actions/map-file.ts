import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf, isSafekeepError, mapJsonSchema, MAP_SCHEMA_FILE, SafekeepError } from '@safekeep/core';
import { readMapText, type MapText } from '../text/document.ts';

/** Reads a map from a file. Throws `map-missing`, `file-unreadable`, `map-invalid`. */
export async function loadMap(path: string): Promise<MapText> {
  return readMapText(await readText(path), basename(path));
}

/**
 * Puts a new text in the place of the one that was read (`was`; undefined where there was no file), whole or not at all.
 * Throws `map-changed` if somebody wrote in the meantime, `file-unwritable`. A new map gets the schema for editors beside it.
 */
export async function saveMap(path: string, text: string, was: string | undefined): Promise<void> {
  // What is written must be a map: a broken one would lock everybody out.
  readMapText(text, basename(path));
  const stands = await readText(path).catch((error: unknown) => {
    if (isSafekeepError(error, 'map-missing')) return undefined;
    throw error;
  });
  if (stands !== was) throw new SafekeepError('map-changed', { file: path });
  await replaceFile(path, text);
  if (was === undefined) await replaceFile(join(dirname(path), MAP_SCHEMA_FILE), `${JSON.stringify(mapJsonSchema(), null, 2)}\n`);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const code = codeOf(cause) ?? 'unknown reason';
    if (code === 'ENOENT') throw new SafekeepError('map-missing', { file: path });
    throw new SafekeepError('file-unreadable', { path, reason: code }, { cause });
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(temporary, text, { flag: 'wx' });
    await rename(temporary, path);
  } catch (cause) {
    // Why it could not be written is told, not why its beginning could not be removed.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new SafekeepError('file-unwritable', { path, reason: codeOf(cause) ?? 'unknown reason' }, { cause });
  }
}
