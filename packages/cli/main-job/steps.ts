import { access, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SafekeepError } from '@safekeep/core';
import { embeddedDirectory } from '@safekeep/postgres';
import { generatePractice } from '@safekeep/sample';
import { runChecks } from '../doctor/checks.ts';
import { count } from '../terminal/progress.ts';
import type { MainJob, Step } from './step.ts';

export const reachServer: Step = {
  name: 'database',
  run: async ({ context }) => {
    const { server } = await context.database({ migrate: false });
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

export const prepareSource: Step = {
  name: 'source',
  run: async (job) => {
    const path = job.sqliteFile ?? (await samplePractice(job));
    const { tables, rows } = countRows(path);
    return `${path}: ${count(tables)} tables, ${count(rows)} rows`;
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

function countRows(path: string): { readonly tables: number; readonly rows: number } {
  const source = new DatabaseSync(path, { readOnly: true });
  try {
    const names = source
      .prepare(
        `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
      )
      .all();
    const rows = names.reduce((sum, { name }) => {
      const quoted = `"${String(name).replaceAll('"', '""')}"`;
      return sum + Number(source.prepare(`SELECT count(*) AS n FROM ${quoted}`).get()?.['n'] ?? 0);
    }, 0);
    return { tables: names.length, rows };
  } finally {
    source.close();
  }
}
