import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { codeOf, isSafekeepError, SafekeepError } from '@safekeep/core';
import type { Field, PageRange } from '../model.ts';
import {
  BATCH_BYTES,
  BATCH_ROWS,
  batchPages,
  COMMITS_EVERY_MS,
  isBehind,
  isBusy,
  PageWalk,
  pauseMs,
  type Commits,
  type ReplicaLag,
} from '../rules/pace.ts';
import { stretchesOf, writeColumns, type WriteOptions } from '../store/columns.ts';
import { isPartOf, partsOf } from '../store/partitions.ts';
import { countBatch, type BatchCount } from '../store/records.ts';
import { countLeft, tableSize } from '../store/rows.ts';
import { begin, commit, limitLockWaits } from '../store/session.ts';
import { commitCount, isInUse, replicaLag } from '../store/surroundings.ts';
import {
  fieldFailure,
  inTransaction,
  isBlocked,
  nameOf,
  NotYet,
  patienceOf,
  reading,
  requireUnaltered,
  ROW_PATIENCE_MS,
  type Ground,
} from './ground.ts';
import type { Pass, Prepared } from './passes.ts';

// How a pass goes over all rows of a table: page by page (walk), then what others held or wrote meanwhile (sweep).

/** Two connections over page ranges: while one waits for its UPDATE the other seals. More only took the server from the writers. */
const WORKERS = 2;
/** The lag is asked for every so many batches. */
const LAG_EVERY = 8;

/**
 * Walks all pages once, from where an interrupted pass came to, for these columns of one table together: each row is read and written
 * once. What is locked by others is left for {@link sweep}.
 */
export async function walk<Row>(ground: Ground, fields: readonly Field[], pass: Pass<Row>): Promise<void> {
  const [first] = fields;
  if (first === undefined) return;
  await walkParts(ground, fields, { pass, parts: await reading(ground, (client) => partsOf(client, first)) });
}

/** {@link walk} over some parts of a table only, as one of the fields knows them. */
export async function walkParts<Row>(
  ground: Ground,
  fields: readonly Field[],
  { pass, parts }: { readonly pass: Pass<Row>; readonly parts: readonly Field[] },
): Promise<void> {
  const [first] = fields;
  let counted: WalkCounts | undefined;
  for (const part of parts) {
    const { table, isPartitioned, nextPage } = part;
    const own = part === first ? fields : fields.map((field) => ({ ...field, table, isPartitioned, nextPage }));
    try {
      counted = await walkPart(ground, own, { pass, counted });
    } catch (error) {
      // A partition that was dropped meanwhile took its rows along. One that was only taken out is a table of its own, and was walked.
      if (first === undefined || part === first || !isSafekeepError(error, 'field-changed')) throw error;
      if (await reading(ground, (client) => isPartOf(client, first, table))) throw error;
    }
  }
}

/** Values of all columns that a walk goes through. */
type WalkCounts = { readonly done: number; readonly total: number };

type Part<Row> = { readonly pass: Pass<Row>; readonly counted: WalkCounts | undefined };

/** Answers how many values are done by then. */
async function walkPart<Row>(ground: Ground, fields: readonly Field[], { pass, counted }: Part<Row>): Promise<WalkCounts> {
  const [first] = fields;
  if (first === undefined) throw new Error('A walk without a column');
  const size = await inTransaction(ground, first, (client) => tableSize(client, first));
  // What one of them has done already is found and left.
  const from = Math.min(size.pages, ...fields.map(({ nextPage }) => nextPage));
  const state = new WalkState(new PageWalk({ from, to: size.pages }, batchPages(size, fields.length)), ground, {
    columns: fields.length,
    counted: counted ?? { done: sumOf(fields, 'done'), total: sumOf(fields, 'total') },
    commits: await ground.database.withClient(commitCount),
    busy: await ground.database.withClient((client) => isInUse(client, first.table)),
  });
  const stop = new AbortController();
  const signal = AbortSignal.any([ground.signal, stop.signal]);
  const results = await Promise.allSettled(
    Array.from({ length: WORKERS }, async () => {
      try {
        await walkAsOne({ ...ground, signal }, fields, { pass, state });
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    }),
  );
  // The first failure stopped the others; theirs would only say that.
  ground.signal.throwIfAborted();
  if (stop.signal.aborted) throw stop.signal.reason;
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return state.count(0);
}

function sumOf(fields: readonly Field[], what: 'done' | 'total'): number {
  return fields.reduce((sum, field) => sum + field[what], 0);
}

type WalkStart = { readonly columns: number; readonly counted: WalkCounts; readonly commits: number; readonly busy: boolean };

/** What the workers of one walk share. */
class WalkState {
  readonly pages: PageWalk;
  quickestRowMs = Infinity;
  batches = 0;
  lag: ReplicaLag = null;
  busy: boolean;
  #commits: Commits;
  #done: number;
  readonly #columns: number;
  readonly #start: WalkCounts;
  readonly #startMs: number;
  readonly #ground: Ground;

  constructor(pages: PageWalk, ground: Ground, { columns, counted, commits, busy }: WalkStart) {
    this.pages = pages;
    this.busy = busy;
    this.#commits = { count: commits, atMs: ground.clock.elapsedMs() };
    this.#ground = ground;
    this.#columns = columns;
    this.#done = counted.done;
    this.#start = counted;
    this.#startMs = ground.clock.elapsedMs();
  }

  count(values: number): WalkCounts {
    this.#done += values;
    return { done: this.#done, total: Math.max(this.#start.total, this.#done) };
  }

  /** Whether others use the database, by how many transactions they committed since the last look. */
  async lookAround(): Promise<void> {
    const atMs = this.#ground.clock.elapsedMs();
    const before = this.#commits;
    if (atMs - before.atMs < COMMITS_EVERY_MS) return;
    // At once, so that the other worker does not look too.
    this.#commits = { ...before, atMs };
    this.#commits = { count: await this.#ground.database.withClient(commitCount), atMs };
    this.busy = isBusy(before, this.#commits);
  }

  /** Of each column. */
  rowsPerSecond(): number {
    const seconds = (this.#ground.clock.elapsedMs() - this.#startMs) / 1000;
    return seconds > 0 ? Math.round((this.#done - this.#start.done) / this.#columns / seconds) : 0;
  }
}

type Walking<Row> = { readonly pass: Pass<Row>; readonly state: WalkState };

async function walkAsOne<Row>(ground: Ground, fields: readonly Field[], { pass, state }: Walking<Row>): Promise<void> {
  for (let range = state.pages.take(); range !== undefined; range = state.pages.take()) {
    ground.signal.throwIfAborted();
    const startMs = ground.clock.elapsedMs();
    const rows = await writeRange(ground, fields, { pass, state, range });
    const tookMs = ground.clock.elapsedMs() - startMs;
    if (rows > 0) state.quickestRowMs = Math.min(state.quickestRowMs, tookMs / rows);
    state.batches += 1;
    if (state.batches % LAG_EVERY === 0 || isBehind(state.lag)) state.lag = await ground.database.withClient(replicaLag);
    await state.lookAround();
    const { quickestRowMs, lag, busy } = state;
    const pause = rows === 0 ? 0 : pauseMs({ tookMs, rows, quickestRowMs, lag, busy });
    if (pause > 0) await wait(pause, undefined, { signal: ground.signal });
  }
}

/** Answers how many values were found to be worked on. Where they are large one stretch of them after the other. */
async function writeRange<Row>(
  ground: Ground,
  fields: readonly Field[],
  { pass, state, range }: Walking<Row> & { readonly range: PageRange },
): Promise<number> {
  const [first] = fields;
  if (first === undefined) return 0;
  const asked = { ...range, bytes: BATCH_BYTES };
  let found = 0;
  for (const stretch of await inTransaction(ground, first, (client) => stretchesOf(client, fields, asked))) {
    ground.signal.throwIfAborted();
    found += await writeStretch(ground, fields, { pass, state, range: stretch, whole: range });
  }
  return found;
}

/**
 * `whole` is done with the last stretch of it.
 *
 * @throws `lock-timeout` where the pass has to see the stretch and others keep it locked
 */
async function writeStretch<Row>(
  ground: Ground,
  fields: readonly Field[],
  { pass, state, range, whole }: Walking<Row> & { readonly range: PageRange; readonly whole: PageRange },
): Promise<number> {
  const [first] = fields;
  if (first === undefined) return 0;
  const attempt = (skipLocked: boolean) =>
    ground.database.withClient(async (client) => {
      await begin(client, ground.tenant, skipLocked ? patienceOf(ground).lockTimeoutMs : ROW_PATIENCE_MS);
      const found = await pass.read(client, fields, range);
      ground.observe('read', first, state.count(0));
      const written = await writeFound(client, ground, {
        pass,
        options: { skipLocked, range },
        found: fields.map((field, at) => ({ field, rows: found[at] ?? [] })),
      });
      await requireUnaltered(client, ...fields);
      const counts = state.count(written.reduce((sum, { done }) => sum + done, 0));
      const page = range.to === whole.to ? state.pages.finish(whole) : 0;
      // The other worker may be about to commit its own.
      await limitLockWaits(client, patienceOf(ground).lockTimeoutMs);
      const { tenant, clock } = ground;
      await countBatch(client, written, { tenant, page, rowsPerSecond: state.rowsPerSecond(), at: clock.now() });
      ground.observe('written', first, counts);
      await commit(client);
      ground.observe('committed', first, counts);
      return found.reduce((sum, rows) => sum + rows.length, 0);
    });
  try {
    return await attempt(false);
  } catch (error) {
    if (!isLeft(error)) throw fieldFailure(first, error);
  }
  const { tries, pauseMs: pause } = patienceOf(ground);
  for (let tried = 1; ; tried += 1) {
    try {
      // Rows that somebody holds are left; the sweep comes back to them.
      return await attempt(true);
    } catch (error) {
      if (!isLeft(error)) throw fieldFailure(first, error);
      if (pass.isSwept) return 0;
      if (tried >= tries) throw new SafekeepError('lock-timeout', { target: nameOf(first), tries }, { cause: error });
      await wait(pause * (0.5 + Math.random()), undefined, { signal: ground.signal });
    }
  }
}

type Found<Row> = { readonly field: Field; readonly rows: readonly Row[] };
type Finding<Row> = { readonly pass: Pass<Row>; readonly found: readonly Found<Row>[]; readonly options: WriteOptions };

/**
 * Column by column how many rows are as they should be, and how many of these were held against what the database stored. A row that stands
 * otherwise than it was given was changed by a trigger of the user's: nothing of the batch is committed.
 *
 * @throws `field-not-equal`, and what the pass and the keys throw.
 */
async function writeFound<Row>(
  client: pg.ClientBase,
  ground: Ground,
  { pass, found, options }: Finding<Row>,
): Promise<readonly BatchCount[]> {
  const prepared: (Prepared & { readonly field: Field })[] = [];
  for (const { field, rows } of found)
    prepared.push({ field, ...(rows.length === 0 ? {} : await pass.prepare(client, field, { ground, rows })) });
  const writings = prepared.flatMap(({ writing }) => (writing === undefined || writing.places.length === 0 ? [] : [writing]));
  const stored = await writeColumns(client, writings, options);
  const wrong = writings.find((_, at) => (stored[at]?.differing ?? 0) > 0);
  if (wrong !== undefined) throw new SafekeepError('field-not-equal', { field: nameOf(wrong.field) });
  return prepared.map(({ field, writing, alike = 0 }) => {
    const at = writing === undefined ? -1 : writings.indexOf(writing);
    const done = alike + (stored[at]?.done ?? 0);
    return { field, done, verified: done };
  });
}

/** query_canceled: where a lock comes just as its timeout fires the server calls it a cancellation. Of the batch nothing is kept. */
function isLeft(error: unknown): boolean {
  return isBlocked(error) || codeOf(error) === '57014';
}

/**
 * Works off what is left anywhere, until nothing is: rows that were written meanwhile, and those that were locked.
 *
 * @throws `field-rows-locked` when others hold the rest for too long; what was done stays, and the same command goes on.
 */
export async function sweep<Row>(ground: Ground, field: Field, pass: Pass<Row>): Promise<void> {
  const { tries, pauseMs: pause } = patienceOf(ground);
  for (let idle = 0; idle < tries;) {
    const { found, done } = await inTransaction(ground, field, (client) => sweepOnce(client, ground, { field, pass }));
    ground.observe('committed', field, { done: field.done, total: field.total });
    // Less than a batch was there, and all of it was written.
    if (found === done && found < BATCH_ROWS) return;
    if (done > 0) idle = 0;
    else {
      idle += 1;
      await wait(pause, undefined, { signal: ground.signal });
    }
  }
  throw new SafekeepError('field-rows-locked', { field: nameOf(field) });
}

/** While everybody waits for our lock no more than this is written: what is left beyond it is swept outside of the lock. */
const LOCKED_ROWS = 500;

/**
 * In a transaction that keeps writers out: what came last goes through the pass, and none is left.
 *
 * @throws {@link NotYet} where that is more than fits under a short lock
 */
export async function sweepLast<Row>(
  client: pg.ClientBase,
  ground: Ground,
  { field, pass, left }: { readonly field: Field; readonly pass: Pass<Row>; readonly left: 'unsealed' | 'unopened' },
): Promise<void> {
  const { found, done } = await sweepOnce(client, ground, { field, pass, atMost: LOCKED_ROWS });
  if (found !== done || (await countLeft(client, field, left)) > 0) throw new NotYet();
}

/** One batch of what is left, in the caller's transaction; answers how much was found and how much of it written. */
export async function sweepOnce<Row>(
  client: pg.ClientBase,
  ground: Ground,
  { field, pass, atMost = BATCH_ROWS }: { readonly field: Field; readonly pass: Pass<Row>; readonly atMost?: number },
): Promise<{ readonly found: number; readonly done: number }> {
  let [found, done] = [0, 0];
  for (const part of await partsOf(client, field)) {
    if (found >= atMost) break;
    const left = await pass.readLeft(client, part, atMost - found);
    if (left.found === 0) continue;
    const some = { field: part, rows: left.rows };
    const written = await writeFound(client, ground, { pass, found: [some], options: { skipLocked: true } });
    await requireUnaltered(client, part);
    const { tenant, clock } = ground;
    if (written.some((each) => each.done > 0)) await countBatch(client, written, { tenant, at: clock.now() });
    found += left.found;
    for (const each of written) done += each.done;
  }
  return { found, done };
}
