import { existsSync, readFileSync } from 'node:fs';
import { open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SafekeepError } from '@safekeep/core';
import { TODAY } from './calendar.ts';
import { liveThrough } from './days.ts';
import { labels } from './labels/labels.ts';
import { people } from './people/people.ts';
import { refusal } from './refusal.ts';
import { furnish } from './rows/house.ts';
import { plans, type Plan, type Size } from './sizes.ts';
import { quoted, tableWriter, type TableWriter } from './tables.ts';

export type PracticeRequest = {
  /** Where the SQLite file is to stand. Refused when something stands there already. */
  readonly file: string;
  readonly size: Size;
  /** An integer of 32 bits; the same seed and size give the same rows, on any machine and day. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** `total` is an estimate, within 3 %, until the last call, which says `(rows, rows)`. */
  readonly onProgress?: (rows: number, total: number) => void;
  /** Writes the labels into this file too, as JSON. */
  readonly labelsFile?: string;
  /** Breaks some foreign keys, as in files that were edited by hand. */
  readonly orphans?: boolean;
};

export type PracticeSummary = {
  readonly file: string;
  readonly size: Size;
  readonly seed: number;
  /** The day the practice believes it is, `2026-09-30`. */
  readonly today: string;
  readonly rows: number;
  readonly sizeBytes: number;
  /** Rows by table, without the tables SQLite keeps for itself. */
  readonly tables: Readonly<Record<string, number>>;
};

const DEFAULT_SEED = 20_260_930;

/**
 * Makes a dental practice as a SQLite file. The file appears under its name only when it is complete: until then, and
 * after a kill, there is only `FILE.partial`, which the next run replaces.
 *
 * Throws `file-exists`, `file-unwritable`, `disk-full` and `interrupted`; nothing of the file is then left.
 */
export async function generatePractice(request: PracticeRequest): Promise<PracticeSummary> {
  const file = resolve(request.file);
  const partial = `${file}.partial`;
  const seed = request.seed ?? DEFAULT_SEED;
  if (!Number.isInteger(seed)) throw new RangeError(`A seed is an integer, not ${seed}`);
  if (existsSync(file)) throw new SafekeepError('file-exists', { path: file });
  try {
    // Node names the reason (ENOENT, EACCES, EROFS); SQLite only says that it cannot.
    await (await open(partial, 'w')).close();
    const tables = await fill(partial, seed, request);
    await flush(partial);
    if (request.labelsFile !== undefined) await writeLabels(request.labelsFile);
    await rename(partial, file);
    const rows = Object.values(tables).reduce((sum, count) => sum + count, 0);
    request.onProgress?.(rows, rows);
    return { file, size: request.size, seed, today: TODAY, rows, sizeBytes: (await stat(file)).size, tables };
  } catch (error) {
    await rm(partial, { force: true });
    throw refusal(error, file);
  }
}

/** In the order of their tables, though SQLite lets a key point to a table that comes later. */
const SCHEMA = ['house.sql', 'people.sql', 'clinic.sql', 'money.sql', 'traces.sql'] as const;

async function fill(path: string, seed: number, request: PracticeRequest): Promise<Readonly<Record<string, number>>> {
  using database = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  // A file nobody else knows of yet, thrown away when anything fails: neither journal nor sync is of use.
  database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -16384');
  for (const part of SCHEMA) database.exec(script(part));
  await load(database, seed, request);
  // An empty line separates its statements, some of which take seconds: breathe between them.
  for (const statement of script('after-load.sql').split('\n\n')) {
    await pause(request.signal);
    database.exec(statement);
  }
  if (request.orphans === true) database.exec(script('orphans.sql'));
  return rowsByTable(database);
}

async function load(database: DatabaseSync, seed: number, { size, signal, onProgress }: PracticeRequest): Promise<void> {
  const plan = plans[size];
  const writer = tableWriter(database);
  const practice = { seed, plan, people: people(seed, plan), insert: writer.insert, nextId: writer.nextId };
  const report = progressReport(writer, plan, onProgress);
  database.exec('BEGIN');
  furnish(practice);
  const days = liveThrough(practice);
  while (days.next().done !== true) if (report()) await pause(signal);
  database.exec('COMMIT');
}

/** Rows between two breaths: some 30 ms of work. */
const BREATH = 5000;
/** Measured: all rows by the bookings that brought them. A test holds the estimate against the truth. */
const ROWS_PER_BOOKING = 7.72;

/** True, and the caller told, whenever another breath of rows is written. */
function progressReport(writer: TableWriter, plan: Plan, onProgress: PracticeRequest['onProgress']): () => boolean {
  const estimate = Math.round(plan.bookings * ROWS_PER_BOOKING);
  let reported = 0;
  return () => {
    const rows = writer.written();
    if (rows - reported < BREATH) return false;
    reported = rows;
    onProgress?.(rows, Math.max(rows, estimate));
    return true;
  };
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  await nextTurn();
  if (signal?.aborted !== true) return;
  const particulars = { action: 'Making the sample practice', kept: 'The half-made file was removed.' };
  throw new SafekeepError('interrupted', particulars, { cause: signal.reason });
}

function script(name: string): string {
  return readFileSync(new URL(`./schema/${name}`, import.meta.url), 'utf8');
}

function rowsByTable(database: DatabaseSync): Readonly<Record<string, number>> {
  const names = database
    .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT GLOB 'sqlite_*'")
    .all();
  const counts = names.map(({ name }) => {
    const table = String(name);
    return [table, Number(database.prepare(`SELECT count(*) AS rows FROM ${quoted(table)}`).get()?.['rows'])] as const;
  });
  return Object.fromEntries(counts);
}

async function writeLabels(file: string): Promise<void> {
  try {
    await writeFile(file, `${JSON.stringify(labels, null, 2)}\n`);
  } catch (error) {
    throw refusal(error, resolve(file));
  }
}

async function flush(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  await file.sync();
}
