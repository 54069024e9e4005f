import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { importActions, listRuns, showRun } from '@safekeep/capabilities/import';
import { SafekeepError } from '@safekeep/core';
import { embeddedDirectory } from '@safekeep/postgres';
import { generatePractice } from '@safekeep/sample';
import { runChecks } from '../doctor/checks.ts';
import { readNote, writeNote } from '../home/note.ts';
import { count } from '../terminal/progress.ts';
import type { MainJob, Step } from './step.ts';

const SCHEMA = 'public';

type Imported = {
  readonly runId: string;
  readonly state: string;
  readonly tables: readonly { readonly rowsWritten: number }[];
  readonly problems: readonly string[];
  readonly report: string | null;
};

export const reachServer: Step = {
  name: 'database',
  run: async ({ context, sqliteFile, erase, source }) => {
    // A file that cannot be moved, or a person who cannot be named, is no reason to touch a database.
    if (erase !== undefined && !/^[^:]+:./.test(erase))
      throw new SafekeepError('subject-invalid', { reason: 'it is written type:key, as patient:42' });
    if (sqliteFile !== undefined) await (await importActions()).checkSource(sqliteFile);
    const { server } = await context.database({ migrate: false });
    // From here on the home is for this source.
    if ((await readNote(context)) === undefined) await writeNote(context, { source });
    return server.embedded
      ? `PostgreSQL ${server.version}, embedded in ${(await embeddedDirectory(context.home)) ?? context.home}`
      : `PostgreSQL ${server.version} at ${server.host}:${server.port}`;
  },
};

export const migrateSchema: Step = {
  name: 'schema',
  run: async ({ context }) => {
    await context.database();
    return 'schema safekeep is at its newest version';
  },
};

export const importSource: Step = {
  name: 'import',
  run: async (job) => {
    if (job.sqliteFile === undefined && job.context.configuration.databaseUrl !== undefined)
      return 'nothing to move: the data is in this database already';
    const file = job.sqliteFile ?? (await samplePractice(job));
    const { context } = job;
    const earlier = await runOf({ ...context, database: await context.database() }, file);
    if (earlier !== undefined) return `${file} came over before, and proven (run ${earlier})`;
    // In our own database a file that has changed since comes over again, and its run keeps aside what it replaces; not where that is
    // protected already, which the command refuses.
    const replace = context.configuration.databaseUrl === undefined;
    const { result, ok } = await job.perform<Imported>('import sqlite', { file, schema: SCHEMA, replace });
    if (!ok) throw new SafekeepError('import-not-proven', { file, run: result.runId, problems: result.problems.join('; ') });
    const rows = result.tables.reduce((sum, table) => sum + table.rowsWritten, 0);
    return `${file}: ${count(result.tables.length)} tables, ${count(rows)} rows moved and proven equal; report in ${result.report ?? context.home}`;
  },
};

export const checkHealth: Step = {
  name: 'doctor',
  run: async ({ context }) => {
    const checks = await runChecks(context);
    const failed = checks.filter(({ state }) => state === 'fail').map(({ name, detail }) => `${name}: ${detail}`);
    if (failed.length > 0) throw new SafekeepError('unhealthy', { failed: failed.join('; ') });
    const warned = checks.filter(({ state }) => state !== 'ok').map(({ name }) => name);
    return warned.length === 0
      ? `${checks.length} checks, all ok`
      : `${checks.length} checks; look at ${warned.join(', ')} with \`npx safekeep doctor\``;
  },
};

/** The generated practice of this home, made on first use. The generator leaves a whole file or none. */
async function samplePractice({ context }: MainJob): Promise<string> {
  const file = join(context.home, 'sample', 'practice.sqlite');
  const stands = await access(file).then(
    () => true,
    () => false,
  );
  if (stands) return file;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const progress = context.progress('generating the sample practice');
  try {
    await generatePractice({ file, size: 'small', signal: context.signal, onProgress: progress.update });
  } finally {
    progress.end();
  }
  return file;
}

/** The run that brought this very file, byte for byte, and still stands. */
async function runOf(context: Parameters<typeof listRuns>[0], file: string): Promise<string | undefined> {
  const done = (await listRuns(context)).find((run) => run.state === 'done' && run.source === file && run.schema === SCHEMA);
  if (done === undefined) return undefined;
  const { source } = await showRun(context, done.runId);
  return source.sha256 === (await sha256Of(file)) ? done.runId : undefined;
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
