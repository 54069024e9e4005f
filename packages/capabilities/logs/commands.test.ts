import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fixedClock, newId } from '@safekeep/core';
import { openLog, type LogLine, type OpenLog } from '@safekeep/log';
import type { Command, CommandContext } from '../capability.ts';
import { renderLine } from './commands.ts';
import { logs } from './index.ts';
import type { Tail } from './actions/tail.ts';

const NOW = '2026-03-01T12:00:00.000Z';
const plain = (text: string): string => text;
const INK = { good: plain, bad: plain, warn: plain, dim: plain, strong: plain };

const tail = commandNamed('logs tail');

function commandNamed(name: string): Command {
  const found = logs.commands.find((each) => each.name === name);
  assert.ok(found);
  return found;
}

type Given = { readonly home: string; readonly log: OpenLog; readonly clock: ReturnType<typeof fixedClock> };

async function homeFor(t: TestContext): Promise<Given> {
  const home = await mkdtemp(join(tmpdir(), 'safekeep-home-'));
  const clock = fixedClock(NOW);
  const log = openLog({
    directory: join(home, 'log'),
    level: 'trace',
    clock,
    component: 'worker',
    maxFileBytes: 600,
    maxFiles: 100,
  });
  t.after(async () => {
    log.close();
    await rm(home, { recursive: true });
  });
  return { home, log, clock };
}

/** What `logs tail` uses of its context. */
type Used = Pick<CommandContext, 'home' | 'clock' | 'json' | 'signal' | 'stream'>;

async function run({ home, clock }: Given, input: object, context: Partial<Used> = {}): Promise<Tail> {
  const used: Used = {
    home,
    clock,
    json: true,
    signal: new AbortController().signal,
    stream: () => assert.fail('streamed'),
    ...context,
  };
  const { result } = await tail.run(used as CommandContext, { lines: 50, ...input } as never);
  return result as Tail;
}

function countsOf({ lines }: Tail): readonly unknown[] {
  return lines.map(({ count }) => count);
}

test('the last lines are shown, across rotated files, oldest first', async (t) => {
  const given = await homeFor(t);
  for (let count = 0; count < 40; count += 1) given.log.error('counted', { count });
  assert.deepEqual(countsOf(await run(given, { lines: 12 })), [28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39]);
  assert.deepEqual(countsOf(await run(given, { lines: 0 })), []);
});

test('lines are picked by id, event, level, component and time', async (t) => {
  const given = await homeFor(t);
  const { log, clock } = given;
  const [request, job] = [newId<'request'>(), newId<'job'>()];
  log.child({ request }).error('request-ended', { count: 1 });
  log.child({ job }).warn('job-failed', { count: 2 });
  clock.advanceMs(3_600_000);
  log.child({ job }).info('job-finished', { count: 3 });
  log.close();
  assert.deepEqual(countsOf(await run(given, { id: request })), [1]);
  assert.deepEqual(countsOf(await run(given, { id: job })), [2, 3]);
  assert.deepEqual(countsOf(await run(given, { kind: 'job-failed' })), [2]);
  assert.deepEqual(countsOf(await run(given, { level: 'warn' })), [1, 2]);
  assert.deepEqual(countsOf(await run(given, { component: 'api' })), []);
  assert.deepEqual(countsOf(await run(given, { since: '10m' })), [3]);
  assert.deepEqual(countsOf(await run(given, { since: NOW, lines: 1, id: job })), [3]);
});

test('a home without a log shows none', async (t) => {
  const given = await homeFor(t);
  assert.deepEqual(await run(given, {}), { lines: [], malformed: 0 });
});

test('following shows the last lines, then new ones through rotations, until it is interrupted', async (t) => {
  const given = await homeFor(t);
  for (let count = 0; count < 5; count += 1) given.log.error('counted', { count });
  const interruption = new AbortController();
  const seen: unknown[] = [];
  // Each line that is seen causes the next: none is missed, none comes twice.
  const stream = async (item: object | string): Promise<void> => {
    const { count } = item as LogLine;
    seen.push(count);
    if (count === 20) interruption.abort();
    else if (Number(count) >= 4) given.log.error('counted', { count: Number(count) + 1 });
  };
  const result = await run(given, { follow: true, lines: 2 }, { stream, signal: interruption.signal });
  assert.deepEqual(
    seen,
    Array.from({ length: 18 }, (_, index) => index + 3),
  );
  assert.deepEqual(result, { lines: [], malformed: 0 });
});

test('for a person, followed lines are text', async (t) => {
  const given = await homeFor(t);
  given.log.error('counted', { count: 1 });
  const interruption = new AbortController();
  const seen: unknown[] = [];
  const stream = async (item: object | string): Promise<void> => {
    seen.push(item);
    interruption.abort();
  };
  await run(given, { follow: true }, { json: false, stream, signal: interruption.signal });
  assert.deepEqual(seen, [`${NOW} error worker counted count=1 pid=${process.pid}`]);
});

test('lines that cannot be read are counted and told, not shown', async (t) => {
  const given = await homeFor(t);
  given.log.error('counted', { count: 1 });
  await appendFile(join(given.home, 'log', 'safekeep.log'), 'nonsense\n{}\n');
  const result = await run(given, {});
  assert.deepEqual([result.lines.length, result.malformed], [1, 2]);
  assert.match(tail.render(result as never, INK, {} as never), /count=1 .*\n2 line\(s\) of the files could not be read\.$/);
});

test('no control character of a forged line reaches the terminal', () => {
  const forged: LogLine = {
    'time': NOW,
    'level': 'info',
    'event': '\u001b[2Jgone',
    'component': 'x\ny',
    'pid': 1,
    'a\u0007': { b: '\u001b]0;t\u0007' },
  };
  assert.doesNotMatch(renderLine(forged, INK), /[\u0000-\u001f\u007f]/);
});
