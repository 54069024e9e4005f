import { createHash } from 'node:crypto';
import { basename, dirname, extname, join, resolve } from 'node:path';
import type { CommandContext } from '@safekeep/capabilities/capability';
import { listRuns } from '@safekeep/capabilities/import';
import { isOwnSchema, SafekeepError, shellWord } from '@safekeep/core';
import { embeddedDirectory, parseDatabaseUrl, readCatalog } from '@safekeep/postgres';
import { DATABASE, readNote } from '../home/note.ts';

/** The generated practice, a file, or a database by URL. */
export type Source = { readonly text: string; readonly stem: string };

export function sourceOf({ configuration }: CommandContext, sqliteFile: string | undefined): Source {
  const { databaseUrl } = configuration;
  if (databaseUrl !== undefined) {
    // By name alone: the same database is reached by other addresses, too.
    const { database } = parseDatabaseUrl(databaseUrl);
    return { text: `${DATABASE}${database}`, stem: database };
  }
  if (sqliteFile === undefined) return { text: 'the sample practice', stem: 'sample' };
  return { text: sqliteFile, stem: basename(sqliteFile, extname(sqliteFile)) };
}

/**
 * Where the main job of this source works: the home that was asked for, or, where the usual one is for another source, one beside it with a map
 * of its own. Nothing of another source is ever touched.
 *
 * @throws `home-of-another` where a home was named that is for another source.
 */
export async function placeFor(context: CommandContext, source: Source): Promise<CommandContext> {
  if (await isFor(context, source)) return context;
  const { home, map } = context.configuration;
  if (home !== USUAL.home)
    throw new SafekeepError('home-of-another', { home: context.home, of: await ownerOf(context), asked: source.text });
  const stem = source.stem.replaceAll(/[^\w-]+/g, '-');
  const tail = createHash('sha256').update(source.text).digest('hex').slice(0, 6);
  for (const name of [stem, `${stem}-${tail}`]) {
    const beside = context.elsewhere({
      home: `${context.home}-${name}`,
      mapFile: map === USUAL.map ? join(dirname(context.mapFile), `datamap-${name}.yaml`) : context.mapFile,
    });
    if (await isFor(beside, source)) return beside;
  }
  throw new SafekeepError('home-of-another', { home: context.home, of: await ownerOf(context), asked: source.text });
}

/** The settings of a call that names none. */
const USUAL = { home: './.safekeep', map: 'datamap.yaml' } as const;

/** What has to be typed behind every further command to reach this place. */
export function flagsFor({ home, mapFile }: CommandContext): string {
  const isUsual = { home: home === resolve(USUAL.home), map: mapFile === resolve(USUAL.map) };
  return `${isUsual.home ? '' : ` --home ${shellWord(home)}`}${isUsual.map ? '' : ` --map ${shellWord(mapFile)}`}`;
}

async function isFor(context: CommandContext, source: Source): Promise<boolean> {
  const note = await readNote(context);
  if (note !== undefined) return note.source === source.text;
  // Somebody may have used it with commands: a database of their own is theirs to name, one of ours may hold another file.
  if (context.configuration.databaseUrl !== undefined || (await embeddedDirectory(context.home)) === undefined) return true;
  const database = await context.database({ migrate: false });
  const { tables } = await database.withClient((client) => readCatalog(client));
  if (tables.every(({ schema }) => isOwnSchema(schema))) return true;
  if (!tables.some(({ schema, name }) => schema === 'safekeep' && name === 'import_runs')) return false;
  const runs = await listRuns({ tenant: context.tenant, database });
  return runs.some((run) => run.state === 'done' && run.source === source.text);
}

async function ownerOf(context: CommandContext): Promise<string> {
  return (await readNote(context))?.source ?? 'what was put into it before';
}
