import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { catalogue, fixedClock, newId, SafekeepError, Secret } from '@safekeep/core';
import { catalogName, homePath, openLog, type Log } from './index.ts';
import { CANARIES } from './testing/index.ts';

const NOW = '2026-03-01T10:00:00.250Z';
const [NAME, EMAIL] = [CANARIES[0].value, CANARIES[2].value];

type Line = Readonly<Record<string, unknown>>;

/** A log in a folder of its own, and what was written to it. */
async function openInFolder(t: TestContext, level: 'trace' | 'info' | 'error' = 'info') {
  const directory = await mkdtemp(join(tmpdir(), 'safekeep-log-'));
  const log = openLog({ directory, level, clock: fixedClock(NOW), component: 'test' });
  t.after(async () => {
    log.close();
    await rm(directory, { recursive: true });
  });
  const text = async (): Promise<string> => {
    log.close();
    return readFile(join(directory, 'safekeep.log'), 'utf8');
  };
  const lines = async (): Promise<readonly Line[]> =>
    (await text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
  return { log, directory, text, lines };
}

/** Logs what the type checker would refuse, as JavaScript or a cast can. */
function logUnchecked(log: Log, fields: unknown, event: unknown = 'row-read'): void {
  const call = log.info as (event: unknown, fields: unknown) => void;
  call(event, fields);
}

/** None of the canaries, whole or in part. */
function assertHoldsNone(text: string): void {
  for (const { kind, value } of CANARIES) assert.ok(!text.includes(value), `the log holds the ${kind}`);
}

test('a line holds time, level, event, component and process, then the fields', async (t) => {
  const { log, lines } = await openInFolder(t);
  const job = newId<'job'>();
  const at = new Date('2026-02-28T23:59:59.999Z');
  log.info('job-finished', {
    job,
    done: 1_000,
    durationMs: 41.5,
    state: 'done',
    isLast: true,
    at,
    steps: [1, 2],
    error: undefined,
  });
  log.warn('table-skipped', { table: catalogName('public."Patient files"'), bytes: 12n, huge: 2n ** 60n, rate: Number.NaN });
  assert.deepEqual(await lines(), [
    {
      level: 'info',
      time: NOW,
      component: 'test',
      pid: process.pid,
      event: 'job-finished',
      job,
      done: 1_000,
      durationMs: 41.5,
      state: 'done',
      isLast: true,
      at: at.toISOString(),
      steps: [1, 2],
    },
    {
      level: 'warn',
      time: NOW,
      component: 'test',
      pid: process.pid,
      event: 'table-skipped',
      table: 'public."Patient files"',
      bytes: 12,
      huge: '1152921504606846976',
      rate: null,
    },
  ]);
});

test('a child carries its fields in every line, and a call may say otherwise', async (t) => {
  const { log, lines } = await openInFolder(t);
  const [request, first, second] = [newId<'request'>(), newId<'job'>(), newId<'job'>()];
  const child = log.child({ request }).child({ job: first });
  child.info('job-started');
  child.info('job-started', { job: second });
  log.info('idle');
  const written = (await lines()).map((line) => [line['request'], line['job']]);
  assert.deepEqual(written, [
    [request, first],
    [request, second],
    [undefined, undefined],
  ]);
});

test('events milder than the level of the log are not written', async (t) => {
  const { log, lines } = await openInFolder(t, 'error');
  log.trace('a');
  log.debug('b');
  log.info('c');
  log.warn('d');
  log.child({ count: 1 }).warn('e');
  log.error('f');
  log.fatal('g');
  assert.deepEqual(
    (await lines()).map(({ event }) => event),
    ['f', 'g'],
  );
});

test('of a path only what lies inside of the home is shown', async (t) => {
  const { log, lines } = await openInFolder(t);
  const home = join(tmpdir(), NAME, '.safekeep');
  log.info('paths', {
    inside: homePath(home, join(home, 'keys', 'signing.pem')),
    outside: homePath(home, join(tmpdir(), `${NAME}.sqlite`)),
    above: homePath(home, join(home, '..', EMAIL)),
  });
  const [line] = await lines();
  assert.equal(line?.['inside'], join('keys', 'signing.pem'));
  assert.equal(line['outside'], '[outside of the home]');
  assert.equal(line['above'], '[outside of the home]');
});

test('the folder and the file are for their owner alone, also where the file was open to others before', async (t) => {
  const { log, directory } = await openInFolder(t);
  const path = join(directory, 'safekeep.log');
  await writeFile(path, '');
  await chmod(path, 0o666);
  log.error('started');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const below = openLog({ directory: join(directory, 'log'), level: 'info', clock: fixedClock(NOW), component: 'test' });
  below.error('started');
  below.close();
  assert.equal((await stat(join(directory, 'log'))).mode & 0o777, 0o700);
});

test('of an error of PostgreSQL its SQLSTATE, class and our own places are written, and nothing it quotes', async (t) => {
  const { log, text, lines } = await openInFolder(t);
  class DatabaseError extends Error {
    readonly code = '23505';
    readonly detail = `Key (email)=(${EMAIL}) already exists.`;
    readonly where = NAME;
  }
  const cause = new DatabaseError(`duplicate key value ${EMAIL}\n    at ${NAME} (${import.meta.filename}:1:1)`);
  log.error('write-failed', { error: new Error(`could not write ${NAME}`, { cause }) });
  const [line] = await lines();
  const error = line?.['error'] as Readonly<Record<string, unknown>>;
  assert.equal(error['class'], 'Error');
  assert.match(String((error['at'] as readonly string[])[0]), /^log\/log\.test\.ts:\d+:\d+$/);
  const reducedCause = error['cause'] as Readonly<Record<string, unknown>>;
  assert.equal(reducedCause['class'], 'DatabaseError');
  assert.equal(reducedCause['code'], '23505');
  const places = reducedCause['at'] as readonly string[];
  assert.ok(!places.includes('log/log.test.ts:1:1'), 'a line of the message was taken for a frame');
  assertHoldsNone(await text());
});

test('of a refusal of ours the catalogue text is written with its blanks open', async (t) => {
  const { log, text, lines } = await openInFolder(t);
  const error = new SafekeepError('internal', { request: newId<'request'>(), summary: `error: invalid input "${NAME}"` });
  log.error('command-failed', { error });
  const [line] = await lines();
  const reduced = line?.['error'] as Readonly<Record<string, unknown>>;
  assert.equal(reduced['code'], 'internal');
  assert.equal(reduced['text'], catalogue.internal.text);
  assertHoldsNone(await text());
});

test('whatever else is thrown is named by its kind only, however it is dressed up', async (t) => {
  const { log, text, lines } = await openInFolder(t);
  const dressed = Object.assign(new Error('x'), { name: NAME, code: EMAIL, stack: `${NAME}\n    at ${EMAIL}` });
  const lying = Object.create(SafekeepError.prototype, { code: { value: NAME } }) as Error;
  class Kept extends Error {}
  Object.defineProperty(Kept, 'name', { value: NAME });
  const resisting = new Proxy(new Error(NAME), {
    get: () => {
      throw new Error(EMAIL);
    },
  });
  let chained = new Error(NAME);
  for (let depth = 0; depth < 50; depth += 1) chained = new Error(EMAIL, { cause: chained });
  const circular = new Error(NAME);
  circular.cause = circular;
  const thrown = [NAME, 42, null, Symbol(NAME), { message: NAME }, dressed, lying, new Kept(NAME), resisting, chained, circular];
  for (const error of [...thrown, new AggregateError([new Error(NAME)], EMAIL)]) log.error('failed', { error });
  const classes = (await lines()).map((line) => (line['error'] as Readonly<Record<string, unknown>>)['class']);
  assert.deepEqual(classes.slice(0, 5), ['string', 'number', 'object', 'symbol', 'object']);
  assert.equal(classes.length, thrown.length + 1);
  assertHoldsNone(await text());
});

test('a value that got past the type checker is withheld and counted, by whatever road it came', async (t) => {
  const { log, text, lines } = await openInFolder(t);
  const secret = new Secret(CANARIES[10].value);
  const inherited = Object.create({ name: NAME }) as object;
  const withGetters = {
    get first(): string {
      return NAME;
    },
    get second(): string {
      throw new Error(EMAIL);
    },
  };
  // The first look sees a state, the second would see the name.
  let looks = 0;
  const changing = {
    get state(): string {
      looks += 1;
      return looks === 1 ? 'done' : NAME;
    },
  };
  const disguised = { toString: () => NAME, toJSON: () => NAME, [Symbol.toPrimitive]: () => NAME, [inspect.custom]: () => NAME };
  const date = Object.assign(new Date(), { toISOString: () => NAME, toJSON: () => NAME });
  const fakeDate = Object.create(Date.prototype) as Date;
  const roads: readonly unknown[] = [
    ...CANARIES.flatMap(({ value }) => [
      { value },
      { list: [value] },
      { nested: { value } },
      { [value]: 1 },
      { boxed: new String(value) },
    ]),
    { secret },
    { map: new Map([[NAME, EMAIL]]), set: new Set([NAME]), bytes: Buffer.from(NAME), symbol: Symbol(NAME), run: () => NAME },
    inherited,
    { inherited },
    { [Symbol('name')]: NAME },
    withGetters,
    { withGetters },
    changing,
    { disguised },
    { date },
    { fakeDate },
    { lookAlike: Object.assign(Object.create(Object.getPrototypeOf(catalogName('x')) as object) as object, { text: NAME }) },
    new Proxy(
      { a: 1 },
      { ownKeys: () => [NAME], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: EMAIL }) },
    ),
    new Proxy({ a: 1 }, { ownKeys: () => assert.fail(NAME) }),
    { list: new Proxy([1], { get: () => NAME }) },
    { time: NAME, level: NAME, event: NAME, component: NAME, pid: NAME },
    JSON.parse(`{ "__proto__": { "name": "${NAME}" }, "constructor": "${NAME}" }`),
    NAME,
    [NAME],
    null,
    42,
  ];
  for (const fields of roads) logUnchecked(log, fields);
  logUnchecked(log, {}, NAME);
  logUnchecked(log, {}, null);
  const child = log.child as (fields: object) => Log;
  logUnchecked(child({ name: NAME }), {});
  const written = await lines();
  assert.equal(written.length, roads.length + 3);
  assertHoldsNone(await text());
  const withheld = written.map((line) => line['withheld'] ?? 0);
  assert.deepEqual(
    withheld.slice(0, CANARIES.length * 5),
    CANARIES.flatMap(() => [1, 1, 1, 1, 1]),
  );
  assert.equal(written.at(-1)?.['withheld'], 1, 'a value bound by child() is counted in each of its lines');
  assert.equal(written.find(({ state }) => state !== undefined)?.['state'], 'done');
  assert.equal(log.dropped(), 0);
});

test('lists and fields have limits, so that no line is without end', async (t) => {
  const { log, lines } = await openInFolder(t);
  logUnchecked(log, { list: Array.from({ length: 1_000 }, (_, index) => index) });
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  logUnchecked(
    log,
    Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`${letters[index % 26]}${letters[Math.floor(index / 26)]}`, 1])),
  );
  logUnchecked(log, { length: { length: 10 ** 9 } });
  const [long, wide] = await lines();
  assert.deepEqual((long?.['list'] as readonly unknown[] | undefined)?.slice(-2), [99, '[900 more]']);
  assert.equal(wide?.['withheld'], 10);
});

test('after close() lines are counted as dropped and nothing is thrown', async (t) => {
  const { log, lines } = await openInFolder(t);
  log.info('first');
  log.close();
  log.close();
  log.info('second');
  log.child({ count: 1 }).error('third');
  assert.equal(log.dropped(), 2);
  assert.deepEqual(
    (await lines()).map(({ event }) => event),
    ['first'],
  );
});

test('the log of a test run outlives the home it was written in', async (t) => {
  const kept = await mkdtemp(join(tmpdir(), 'safekeep-kept-'));
  const home = await mkdtemp(join(tmpdir(), 'safekeep-home-'));
  t.after(() => rm(kept, { recursive: true }));
  const environment = { SAFEKEEP_TEST_LOG_DIR: kept };
  const [first, second] = ['cli', 'cli'].map((component) =>
    openLog({ directory: home, level: 'info', clock: fixedClock(NOW), component, environment }),
  );
  first?.error('first-line');
  second?.error('second-line');
  first?.close();
  second?.close();
  await rm(home, { recursive: true });
  const [name, ...others] = await readdir(kept);
  assert.match(name ?? '', /^cli-\d+-\d+\.log$/);
  assert.deepEqual(others, []);
  assert.match(await readFile(join(kept, name ?? ''), 'utf8'), /first-line.*\n.*second-line/);
});
