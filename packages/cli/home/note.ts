import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandContext } from '@safekeep/capabilities/capability';
import { privateFiles } from '@safekeep/files';

const { replaceFile } = privateFiles();

/** Begins the source of a home that is for a database by URL; that of a file is a path from the root on. */
export const DATABASE = 'database ';

/** What the main job remembers of a home. */
export type Note = {
  /** Whose data it is for; a home serves one source: its keys, log, ledger and map are of one database. */
  readonly source: string;
  /** Somebody of the sample is erased once, not at every start. */
  readonly erased?: { readonly person: string; readonly certificate: string };
  /** Somebody of a database of one's own: a second start makes no second file of all about them. */
  readonly exported?: { readonly person: string; readonly file: string };
};

export async function readNote({ home }: Pick<CommandContext, 'home'>): Promise<Note | undefined> {
  const path = noteIn(home);
  // Written by `writeNote` below and by nobody else.
  return existsSync(path) ? (JSON.parse(await readFile(path, 'utf8')) as Note) : undefined;
}

/** Kept whole: a kill leaves the note of before. The home is there with its first key. */
export async function writeNote(context: CommandContext, note: Note): Promise<void> {
  await context.signer();
  await replaceFile(noteIn(context.home), `${JSON.stringify(note)}\n`);
}

function noteIn(home: string): string {
  return join(home, 'main-job.json');
}
