import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import Schema from 'typebox/schema';
import { codeOf, SafekeepError } from '@safekeep/core';
import { readPrivate } from '@safekeep/files';
import { createOnce, makeFolder } from './key-store.ts';

// <keys>/backups/<id>.json: that there is a backup of keys, of which epochs, and until when it is kept. Not the backup itself.

export const BackupNote = Type.Object(
  {
    id: Type.String(),
    at: Type.String(),
    epochs: Type.Record(Type.String(), Type.Array(Type.Integer())),
    keepUntil: Type.Union([Type.String(), Type.Null()]),
  },
  { additionalProperties: false },
);
export type BackupNote = Static<typeof BackupNote>;

export async function noteBackup(directory: string, note: BackupNote): Promise<void> {
  const folder = join(directory, 'backups');
  await makeFolder(folder);
  await createOnce(join(folder, `${note.id}.json`), `${JSON.stringify(note)}\n`);
}

/** Oldest first. */
export async function readBackups(directory: string): Promise<readonly BackupNote[]> {
  const folder = join(directory, 'backups');
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  const notes: BackupNote[] = [];
  for (const name of names.filter((each) => each.endsWith('.json')).toSorted()) {
    const path = join(folder, name);
    const text = (await readPrivate(path)) ?? '';
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new SafekeepError('key-file-broken', { path, reason: 'it is not whole' }, { cause });
    }
    if (!Schema.Check(BackupNote, value))
      throw new SafekeepError('key-file-broken', { path, reason: 'it has not the form of such a note' });
    notes.push(value);
  }
  return notes;
}
