import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fixedClock } from '@safekeep/core';
import { openLog, openLogReader, parseLine, type LogReader } from './index.ts';

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-log-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

function lineOf(count: number): string {
  const own = { level: 'info', time: '2026-03-01T10:00:00.000Z', component: 'test', pid: 1, event: 'counted', count };
  return `${JSON.stringify(own)}\n`;
}

async function countsOf(reader: LogReader): Promise<readonly unknown[]> {
  const counts: unknown[] = [];
  for await (const lines of reader.read()) counts.push(...lines.map(({ count }) => count));
  return counts;
}

function readerFor(t: TestContext, folder: string): LogReader {
  const reader = openLogReader(folder);
  t.after(() => reader.close());
  return reader;
}

test('a log that does not exist yet is empty, and is read once it does', async (t) => {
  const folder = await folderFor(t);
  const reader = readerFor(t, join(folder, 'log'));
  assert.deepEqual(await countsOf(reader), []);
  const log = openLog({
    directory: join(folder, 'log'),
    level: 'info',
    clock: fixedClock('2026-03-01T10:00:00Z'),
    component: 'test',
  });
  log.error('counted', { count: 1 });
  log.close();
  assert.deepEqual(await countsOf(reader), [1]);
});

test('rotated files are read in the order of their numbers, then the current one', async (t) => {
  const folder = await folderFor(t);
  for (const number of [9, 10, 11]) await writeFile(join(folder, `safekeep.${number}.log`), lineOf(number));
  await writeFile(join(folder, 'safekeep.log'), lineOf(12));
  await writeFile(join(folder, 'other.log'), lineOf(0));
  assert.deepEqual(await countsOf(readerFor(t, folder)), [9, 10, 11, 12]);
});

test('a reader goes on where it stopped, through rotations and through files that were removed', async (t) => {
  const folder = await folderFor(t);
  const current = join(folder, 'safekeep.log');
  const reader = readerFor(t, folder);
  await writeFile(current, lineOf(1));
  assert.deepEqual(await countsOf(reader), [1]);
  assert.deepEqual(await countsOf(reader), []);
  // Half a line is waited for.
  await appendFile(current, lineOf(2) + lineOf(3).slice(0, 20));
  assert.deepEqual(await countsOf(reader), [2]);
  await appendFile(current, lineOf(3).slice(20));
  // Two rotations since it looked last; a late batch of another process ends up in the renamed file.
  await rename(current, join(folder, 'safekeep.1.log'));
  await writeFile(current, lineOf(4));
  await rename(current, join(folder, 'safekeep.2.log'));
  await writeFile(current, lineOf(6));
  await appendFile(join(folder, 'safekeep.2.log'), lineOf(5));
  assert.deepEqual(await countsOf(reader), [3, 4, 5, 6]);
  // The inode of a removed file may come back with the next one; it is not taken for the old one.
  for (let count = 7; count < 20; count += 1) {
    await rm(join(folder, `safekeep.${count - 6}.log`));
    await rename(current, join(folder, `safekeep.${count - 4}.log`));
    await writeFile(current, lineOf(count));
    assert.deepEqual(await countsOf(reader), [count]);
  }
});

test('lines that are none are counted; the line glued to a torn one is found', async (t) => {
  const folder = await folderFor(t);
  const torn = lineOf(1).slice(0, 40);
  const strange = [
    'not json',
    '42',
    'null',
    '{"level":"info"}',
    lineOf(1).trimEnd().replace('"info"', '"loud"'),
    `{"level":"info"\u0000}`,
  ];
  const text = `${lineOf(1)}${strange.join('\n')}\n${torn}${lineOf(2)}\n\n${'x'.repeat(100_000)}\n${'y'.repeat(400_000)}\n${lineOf(3)}`;
  await writeFile(join(folder, 'safekeep.log'), text);
  const reader = readerFor(t, folder);
  assert.deepEqual(await countsOf(reader), [1, 2, 3]);
  assert.ok(reader.malformed() >= strange.length + 2, String(reader.malformed()));
});

test('a field that looks like the beginning of a line does not hide its line', () => {
  const line = { level: 'warn', time: '2026-03-01T10:00:00.000Z', component: 'test', pid: 1, event: 'x', text: '{"level":"info"' };
  assert.deepEqual(parseLine(JSON.stringify(line)), line);
});
