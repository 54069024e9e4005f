import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { systemClock } from '@safekeep/core';
import { openLog, openLogReader, type LogLine } from './index.ts';

const WRITER = join(import.meta.dirname, 'fixtures', 'writer.ts');
const FLOOD_LINES = 2_000;

const execute = promisify(execFile);

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-log-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

function runWriter(scenario: string, directory: string, ...limits: readonly string[]) {
  return execute(process.execPath, [WRITER, scenario, directory, ...limits]);
}

/** All lines of all files, oldest first. */
async function readAll(directory: string): Promise<{ readonly lines: readonly LogLine[]; readonly malformed: number }> {
  const reader = openLogReader(directory);
  const lines: LogLine[] = [];
  for await (const batch of reader.read()) lines.push(...batch);
  await reader.close();
  return { lines, malformed: reader.malformed() };
}

test('four processes at once write and rotate one log: every line is there once, whole and in its order', async (t) => {
  const folder = await folderFor(t);
  const maxFileBytes = 100_000;
  await Promise.all(Array.from({ length: 4 }, () => runWriter('flood', folder, String(maxFileBytes), '1000')));

  const { lines, malformed } = await readAll(folder);
  assert.equal(malformed, 0);
  const counts = Map.groupBy(lines, ({ pid }) => pid);
  assert.equal(counts.size, 4);
  const expected = Array.from({ length: FLOOD_LINES }, (_, count) => count);
  for (const own of counts.values())
    assert.deepEqual(
      own.map(({ count }) => Number(count)).sort((a, b) => a - b),
      expected,
    );
  const sizes = (await sizesOf(folder)).toSorted((a, b) => a - b);
  assert.ok(sizes.length > 4, `${sizes.length} files`);
  // What was on its way while another process rotated stands behind the limit: a batch a process. More does only where the one
  // that rotates was put aside by a busy machine in the middle of it, so a single long file is no fault, and many are.
  const typical = sizes[Math.floor(sizes.length / 2)] ?? 0;
  assert.ok(typical <= maxFileBytes + 4 * 16_384, sizes.join());
});

test('no more files are kept than the limit says, with several processes rotating', async (t) => {
  const folder = await folderFor(t);
  await Promise.all(Array.from({ length: 3 }, () => runWriter('flood', folder, '50000', '3')));
  const files = (await readdir(folder)).filter((name) => name.endsWith('.log'));
  assert.ok(files.length <= 3 && files.includes('safekeep.log'), files.join());
  const { lines, malformed } = await readAll(folder);
  assert.equal(malformed, 0);
  // The youngest stay: each writer's last line is among them or was followed by at least a file full of others.
  assert.ok(lines.some(({ count }) => count === FLOOD_LINES - 1));
});

async function sizesOf(folder: string): Promise<readonly number[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.log'));
  return Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
}

test('kill -9 loses nothing of a turn of the event loop that was over', async (t) => {
  const folder = await folderFor(t);
  const writer = spawn(process.execPath, [WRITER, 'tick', folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = -1;
  for await (const line of createInterface({ input: writer.stdout })) {
    told = Number(line);
    if (told === 200) writer.kill('SIGKILL');
  }
  await (writer.exitCode === null && writer.signalCode === null ? once(writer, 'exit') : undefined);
  const { lines, malformed } = await readAll(folder);
  assert.equal(malformed, 0);
  assert.ok(told >= 200 && lines.length > told, `${lines.length} lines, ${told} turns`);
  assert.deepEqual(
    lines.map(({ count }) => count),
    lines.map((_, index) => index),
  );
});

test('process.exit() and an uncaught exception lose no line', async (t) => {
  const folder = await folderFor(t);
  await runWriter('exit', folder);
  await assert.rejects(runWriter('crash', folder));
  assert.equal((await readAll(folder)).lines.length, 2);
});

test('on a full disk the work goes on; the loss is told once on stderr and later in the log', async (t) => {
  if (!existsSync('/dev/full')) return t.skip('no /dev/full on this system');
  const folder = await folderFor(t);
  await symlink('/dev/full', join(folder, 'safekeep.log'));
  const { stdout, stderr } = await runWriter('full', folder);
  assert.deepEqual(JSON.parse(stdout), { before: 3, after: 3 });
  assert.equal(stderr.match(/cannot be written \(ENOSPC\)/g)?.length, 1, stderr);
  const { lines, malformed } = await readAll(folder);
  assert.deepEqual(
    lines.map(({ event, count, reason }) => ({ event, count, reason })),
    [
      { event: 'log-lines-lost', count: 3, reason: 'ENOSPC' },
      { event: 'line-written', count: 3, reason: undefined },
    ],
  );
  assert.equal(malformed, 0);
});

test('a disk that takes a part of what is written tears one line; every line is either there or counted', async (t) => {
  if (process.platform !== 'linux') return t.skip('limits on file sizes are set as on Linux');
  const folder = await folderFor(t);
  // One block of 512 bytes (dash) or 1024 (bash); the signal that goes with the limit is ignored, so that write(2) answers.
  const limited = `trap '' XFSZ; ulimit -f 1; exec "$0" "$@"`;
  const { stdout, stderr } = await execute('sh', ['-c', limited, process.execPath, WRITER, 'limit', folder]);
  const { dropped } = JSON.parse(stdout) as { dropped: number };
  const { lines } = await readAll(folder);
  const written = lines.filter(({ event }) => event === 'line-written');
  assert.equal(written.length + dropped, 40);
  assert.ok(written.length > 0);
  assert.match(stderr, /\((short-write|EFBIG)\)/);
  assert.equal(stderr.match(/safekeep:/g)?.length, 1, stderr);
  const telling = lines.filter(({ event }) => event === 'log-lines-lost');
  assert.deepEqual(
    telling.map(({ count }) => count),
    [dropped],
  );
  assert.ok(!(await readFile(join(folder, 'safekeep.1.log'), 'utf8')).endsWith('\n'), 'no line was torn');
});

test('a log that cannot be opened stops nobody; once it can be, its lines are written', async (t) => {
  const folder = await folderFor(t);
  const directory = join(folder, 'log');
  await writeFile(directory, 'a file where the folder should be');
  const log = openLog({ directory, level: 'info', clock: systemClock, component: 'test' });
  log.error('lost');
  assert.equal(log.dropped(), 1);
  await rm(directory);
  log.error('written');
  log.close();
  assert.deepEqual(
    (await readAll(directory)).lines.map(({ event }) => event),
    ['log-lines-lost', 'written'],
  );
});

test('a log that was removed or moved away is begun anew', async (t) => {
  const folder = await folderFor(t);
  const log = openLog({ directory: folder, level: 'info', clock: systemClock, component: 'test' });
  log.error('first');
  await rename(join(folder, 'safekeep.log'), join(folder, 'taken-away'));
  log.error('second');
  log.close();
  assert.equal(log.dropped(), 0);
  assert.deepEqual(
    (await readAll(folder)).lines.map(({ event }) => event),
    ['second'],
  );
});

test('where it cannot be rotated the log grows, and that is told', async (t) => {
  const folder = await folderFor(t);
  // A folder in place of the lock: nobody can lock it.
  await mkdir(join(folder, 'rotation.lock'));
  const log = openLog({ directory: folder, level: 'info', clock: systemClock, component: 'test', maxFileBytes: 100 });
  for (let count = 0; count < 10; count += 1) log.error('line-written', { count });
  log.close();
  assert.equal(log.dropped(), 0);
  assert.equal((await readAll(folder)).lines.length, 10);
});
