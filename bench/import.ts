import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import pg from 'pg';
import { importActions, type ImportOptions, type ImportResult } from '@safekeep/capabilities/import';
import { Secret, systemClock } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { migrateUp, openDatabase } from '@safekeep/postgres';
import { generatePractice } from '@safekeep/sample';
import { defineBench, type Contender, type ContenderContext, type Prepared, type Scale, type Stage } from './measure/bench.ts';
import { findProgram, programAvailable, programVersion } from './measure/program.ts';
import { stageDatabase, type DatabaseFixture } from './postgres/database-stage.ts';
import { makeFolder, removeFolder } from './postgres/folder.ts';

type Fixture = DatabaseFixture & {
  /** The rows of the sample practice in a schema that pgloader can take: plain types, keys, indexes, foreign keys. */
  readonly plainFile: string;
  /** The same rows without keys and indexes: what `\copy` is compared with. */
  readonly rowsFile: string;
  /** Binary files for `\copy`, by table. */
  readonly folder: string;
  readonly tables: readonly string[];
  readonly rows: number;
};

type Context = ContenderContext<Fixture>;

const execute = promisify(execFile);
const PSQL = { name: 'psql', debianPackage: 'postgresql-client' };
const PGLOADER = { name: 'pgloader', debianPackage: 'pgloader' };

// ---- the material ------------------------------------------------------------------------------------------------------

async function stage({ scale, seed }: { readonly scale: Scale; readonly seed: number }): Promise<Stage<Fixture>> {
  await using down = new AsyncDisposableStack();
  const folder = await makeFolder();
  down.defer(() => removeFolder(folder));
  const practice = join(folder, 'practice.sqlite');
  await generatePractice({ file: practice, size: scale, seed });
  const plainFile = join(folder, 'plain.sqlite');
  const rowsFile = join(folder, 'rows.sqlite');
  const { tables, rows } = simplify(practice, plainFile, true);
  simplify(practice, rowsFile, false);
  const database = await stageDatabase(async () => undefined);
  down.defer(database.close);
  await writeBinaryFiles(database.fixture.url, rowsFile, folder, tables);
  const kept = down.move();
  return {
    ...database,
    fixture: { ...database.fixture, plainFile, rowsFile, folder, tables, rows },
    close: () => kept.disposeAsync(),
  };
}

/**
 * pgloader 3.6 creates nothing of the sample itself (it stops at a default expression), so all contenders get its rows in plain
 * columns: integers, reals and blobs as such, everything else as text.
 */
function simplify(from: string, to: string, withKeys: boolean): { readonly tables: string[]; readonly rows: number } {
  const target = new DatabaseSync(to);
  try {
    target.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF');
    target.exec(`ATTACH '${from}' AS practice`);
    const names = target
      .prepare(
        `SELECT name FROM practice.pragma_table_list WHERE schema = 'practice' AND type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name`,
      )
      .all()
      .map(({ name }) => String(name));
    for (const name of names) copyTable(target, name, withKeys);
    const rows = names.reduce(
      (sum, name) => sum + Number(target.prepare(`SELECT count(*) AS rows FROM ${quoted(name)}`).get()?.['rows']),
      0,
    );
    target.exec('DETACH practice');
    return { tables: names.map(plainName), rows };
  } finally {
    target.close();
  }
}

function copyTable(target: DatabaseSync, name: string, withKeys: boolean): void {
  const columns = target
    .prepare(`SELECT name, pk FROM pragma_table_info(?, 'practice')`)
    .all(name)
    .map((row) => ({ name: String(row['name']), key: Number(row['pk']) }));
  const typed = columns.map((column) => ({ ...column, type: plainType(target, name, column.name) }));
  const table = quoted(plainName(name));
  const key = withKeys ? typed.filter((column) => column.key > 0).toSorted((a, b) => a.key - b.key) : [];
  const primaryKey = key.length > 0 ? `, PRIMARY KEY (${key.map((column) => quoted(plainName(column.name))).join(', ')})` : '';
  target.exec(
    `CREATE TABLE ${table} (${typed.map((column) => `${quoted(plainName(column.name))} ${column.type}`).join(', ')}${primaryKey})`,
  );
  const values = typed.map((column) =>
    column.type === 'TEXT'
      ? `CAST(${quoted(column.name)} AS TEXT)`
      : column.type === 'BLOB'
        ? `CAST(${quoted(column.name)} AS BLOB)`
        : quoted(column.name),
  );
  target.exec(`INSERT INTO ${table} SELECT ${values.join(', ')} FROM practice.${quoted(name)}`);
  if (!withKeys) return;
  const indexes = target.prepare(`SELECT name FROM pragma_index_list(?, 'practice') WHERE origin = 'c' AND partial = 0`).all(name);
  for (const index of indexes) {
    const parts = target
      .prepare(`SELECT name FROM pragma_index_info(?, 'practice')`)
      .all(String(index['name']))
      .map((part) => part['name']);
    if (parts.every((part) => typeof part === 'string'))
      target.exec(
        `CREATE INDEX ${quoted(String(index['name']))} ON ${table} (${parts.map((part) => quoted(plainName(part))).join(', ')})`,
      );
  }
}

function plainType(target: DatabaseSync, table: string, column: string): string {
  const classes = target
    .prepare(
      `SELECT DISTINCT typeof(${quoted(column)}) AS class FROM practice.${quoted(table)} WHERE ${quoted(column)} IS NOT NULL`,
    )
    .all()
    .map((row) => String(row['class']));
  const [only] = classes;
  if (classes.includes('blob')) return 'BLOB';
  if (classes.length !== 1)
    return classes.every((one) => one === 'integer' || one === 'real') && classes.length > 0 ? 'REAL' : 'TEXT';
  return only === 'integer' ? 'INTEGER' : only === 'real' ? 'REAL' : 'TEXT';
}

function plainName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

async function writeBinaryFiles(url: string, rowsFile: string, folder: string, tables: readonly string[]): Promise<void> {
  const importer = await openImporter(url, folder);
  try {
    await importer.run(rowsFile, { verify: 'off' });
    await psql(
      url,
      tables.map((table) => `\\copy public.${quoted(table)} to '${join(folder, `${table}.bin`)}' (format binary)`),
    );
    await importer.run(rowsFile, { verify: 'off', schema: 'shape' });
    await importer.clear();
  } finally {
    await importer.close();
  }
}

// ---- the contenders ----------------------------------------------------------------------------------------------------

async function openImporter(url: string, home: string) {
  const database = await openDatabase(new Secret(url));
  await migrateUp(database);
  const signer = signingKeyFromPem(createSigningKey(), 'bench');
  const silent = { update: () => undefined, end: () => undefined };
  const context = {
    home,
    tenant: 'default',
    clock: systemClock,
    signal: new AbortController().signal,
    progress: () => silent,
    say: () => undefined,
    database,
    signer,
  };
  const defaults = {
    schema: 'public',
    onInvalid: 'refuse',
    strictTypes: false,
    replace: false,
    jobs: 2,
    snakeCase: false,
    acceptProposals: false,
    types: [],
  } as const;
  return {
    run: async (file: string, options: Pick<ImportOptions, 'verify'> & Partial<ImportOptions>): Promise<ImportResult> => {
      const { importSqlite } = await importActions();
      const result = await importSqlite(context, { file, ...defaults, ...options });
      if (result.state !== 'done') throw new Error(`The import ended ${result.state}: ${result.problems.join('; ')}`);
      return result;
    },
    clear: () => clearPublic(url),
    close: database.close,
  };
}

async function clearPublic(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public; CHECKPOINT');
  } finally {
    await client.end();
  }
}

function ours(pick: (fixture: Fixture) => string, verify: ImportOptions['verify']): Contender<Fixture>['prepare'] {
  return async ({ fixture }: Context): Promise<Prepared> => {
    const importer = await openImporter(fixture.url, fixture.folder);
    return {
      beforeRun: importer.clear,
      run: async () => {
        const { tables, phases } = await importer.run(pick(fixture), { verify });
        return { units: tables.reduce((sum, table) => sum + table.rowsWritten, 0), extra: { loadSeconds: phases['load'] ?? 0 } };
      },
      close: importer.close,
    };
  };
}

/** What pgloader's manual recommends against its heap exhaustion: small batches and few of them in memory. */
async function preparePgloader({ fixture }: Context): Promise<Prepared> {
  const commands = join(fixture.folder, 'pgloader.load');
  await writeFile(
    commands,
    `LOAD DATABASE FROM sqlite://${fixture.plainFile} INTO ${fixture.url.replace(/^postgres:/, 'postgresql:')}
     WITH include drop, create tables, create indexes, reset sequences, workers = 2, concurrency = 1, batch rows = 10000, batch size = 10MB, prefetch rows = 10000
     SET maintenance_work_mem to '256MB';\n`,
    { mode: 0o600 },
  );
  const program = await findProgram(PGLOADER);
  return {
    beforeRun: () => clearPublic(fixture.url),
    run: async () => {
      await execute(program ?? PGLOADER.name, ['--dynamic-space-size', '4096', commands], { maxBuffer: 100_000_000 });
      // It exits 0 whatever it lost; the time is that of the rows it was given.
      return { units: fixture.rows, extra: { rowsLost: fixture.rows - (await countRows(fixture)) } };
    },
  };
}

/** Rows that stand in the target. */
async function countRows({ url, tables }: Fixture): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: found } = await client.query<{ rows: string }>(
      `SELECT (${tables.map((table) => `(SELECT count(*) FROM public.${quoted(table)})`).join(' + ')}) AS rows`,
    );
    return Number(found[0]?.rows);
  } finally {
    await client.end();
  }
}

async function prepareCopy({ fixture }: Context): Promise<Prepared> {
  const { url, folder, tables, rows } = fixture;
  return {
    beforeRun: () => clearPublic(url),
    run: async () => {
      const startedMs = performance.now();
      await psql(
        url,
        tables.flatMap((table) => [
          'begin;',
          `create table public.${quoted(table)} (like shape.${quoted(table)});`,
          `\\copy public.${quoted(table)} from '${join(folder, `${table}.bin`)}' (format binary, freeze)`,
          'commit;',
        ]),
      );
      return { units: rows, extra: { loadSeconds: (performance.now() - startedMs) / 1_000 } };
    },
  };
}

async function psql(url: string, commands: readonly string[]): Promise<void> {
  const child = spawn('psql', ['--no-psqlrc', '--quiet', '--set', 'ON_ERROR_STOP=1', url], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  child.stdin.end(`${commands.join('\n')}\n`);
  await once(child, 'exit');
  if (child.exitCode !== 0) throw new Error(`psql ended with ${child.exitCode}`);
}

const SOURCE = 'issue 4, speed and size';
const MEGABYTE = 1_000_000;

export const bench = defineBench<Fixture>({
  question:
    'How fast does a SQLite practice come into PostgreSQL, with and without proof, beside pgloader and beside the bare COPY?',
  unit: 'rows',
  // Of the sample practice of that size.
  sizes: { small: 97_616, medium: 958_816, large: 1_491_467 },
  runs: 5,
  runLimitSeconds: 300,
  stage,
  contenders: [
    { name: 'safekeep, not proven', kind: 'ours', isolate: true, prepare: ours(({ plainFile }) => plainFile, 'off') },
    { name: 'safekeep, fully proven', kind: 'ours', isolate: true, prepare: ours(({ plainFile }) => plainFile, 'full') },
    { name: 'safekeep, rows alone', kind: 'ours', isolate: true, prepare: ours(({ rowsFile }) => rowsFile, 'off') },
    {
      name: 'pgloader, tuned',
      kind: 'rival',
      isolate: true,
      available: () => programAvailable(PGLOADER),
      version: () => programVersion(PGLOADER),
      prepare: preparePgloader,
    },
    {
      name: 'psql \\copy of ready binary files',
      kind: 'limit',
      isolate: true,
      available: () => programAvailable(PSQL),
      version: () => programVersion(PSQL),
      prepare: prepareCopy,
    },
  ],
  limits: [
    {
      contender: 'safekeep, not proven',
      measure: 'unitsPerSecond',
      relation: 'at-least',
      bound: 3,
      against: 'pgloader, tuned',
      scales: ['large'],
      source: SOURCE,
    },
    {
      contender: 'safekeep, fully proven',
      measure: 'unitsPerSecond',
      relation: 'at-least',
      bound: 2,
      against: 'pgloader, tuned',
      scales: ['large'],
      source: SOURCE,
    },
    {
      contender: 'safekeep, rows alone',
      measure: 'extra.loadSeconds',
      relation: 'at-most',
      bound: 1.35,
      against: 'psql \\copy of ready binary files',
      scales: ['large'],
      source: SOURCE,
    },
    {
      contender: 'safekeep, fully proven',
      measure: 'peakRssBytes',
      relation: 'at-most',
      bound: 300 * MEGABYTE,
      scales: ['large'],
      source: SOURCE,
    },
  ],
});
