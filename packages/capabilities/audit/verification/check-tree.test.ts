import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeTile, encodeTile } from '@safekeep/tlog';
import { checkTree, type StoredEntry } from './check-tree.ts';
import { faultList } from './faults.ts';
import { smallLog } from './testing/small-log.ts';

type Log = ReturnType<typeof smallLog>;

async function check(log: Log, entries: readonly StoredEntry[] = numbered(log), minimumIndex = 0) {
  const faults = faultList();
  async function* batches() {
    for (let at = 0; at < entries.length; at += 100) yield entries.slice(at, at + 100);
  }
  const checked = await checkTree({ ...log, minimumIndex }, batches(), { faults });
  return { checked, faults: faults.list().map(({ code, index }) => (index === undefined ? code : `${code} ${index}`)) };
}

function numbered({ entries }: Log): StoredEntry[] {
  return entries.map((entry, index) => ({ index, entry }));
}

function spoilTile({ files }: Log, path: string, position: number): void {
  const hashes = decodeTile(files.get(path) ?? assert.fail(path)).map((hash) => Buffer.from(hash));
  hashes[position]?.fill(9);
  files.set(path, encodeTile(hashes));
}

test('a whole log has no fault, whatever its size', async () => {
  for (const size of [0, 1, 255, 256, 257, 700]) {
    assert.deepEqual(await check(smallLog(size)), { checked: size, faults: [] }, String(size));
  }
});

test('the entry that was changed is named, wherever it stands', async () => {
  const log = smallLog(700);
  for (const index of [0, 255, 256, 600, 699]) {
    const entries = numbered(log).with(index, { index, entry: Buffer.from('forged') });
    assert.deepEqual((await check(log, entries)).faults, [`entry-changed ${index}`]);
  }
});

test('what is missing, in the middle, at the end or as a whole, is named from its first index', async () => {
  const log = smallLog(700);
  assert.deepEqual((await check(log, numbered(log).toSpliced(300, 1))).faults, ['entry-missing 300']);
  assert.deepEqual((await check(log, numbered(log).toSpliced(100, 500))).faults, ['entry-missing 100']);
  assert.deepEqual((await check(log, numbered(log).slice(0, 650))).faults, ['entry-missing 650']);
  assert.deepEqual((await check(log, [])).faults, ['entry-missing 0']);
});

test('two entries that were swapped are recognised', async () => {
  const log = smallLog(700);
  const [one, two] = [log.entries[5] ?? assert.fail(), log.entries[600] ?? assert.fail()];
  const entries = numbered(log).with(5, { index: 5, entry: two }).with(600, { index: 600, entry: one });
  assert.deepEqual((await check(log, entries)).faults, ['entry-moved 5', 'entry-moved 600']);
});

test('an entry beyond the signed size is named', async () => {
  const log = smallLog(700);
  assert.deepEqual((await check(log, [...numbered(log), { index: 700, entry: Buffer.from('more') }])).faults, [
    'entry-unsigned 700',
  ]);
});

test('a changed tile is named, and the entries below it are not', async () => {
  const log = smallLog(700);
  spoilTile(log, 'tile/0/001', 44);
  assert.deepEqual((await check(log)).faults, ['tile-changed 300']);
});

test('a changed tile at the right edge breaks the root', async () => {
  for (const [path, position, named] of [
    ['tile/0/002.p/188', 3, 'tile-changed 515'],
    ['tile/1/000.p/2', 1, 'tile-changed 256'],
  ] as const) {
    const log = smallLog(700);
    spoilTile(log, path, position);
    assert.deepEqual((await check(log)).faults, [named, 'root-wrong']);
  }
});

test('an entry and its tile that were changed together do not fit the signed root', async () => {
  const log = smallLog(700);
  const forged = smallLog(700);
  spoilTile(log, 'tile/0/001', 44);
  const entries = numbered(forged).with(300, { index: 300, entry: Buffer.from('forged') });
  assert.deepEqual((await check(log, entries)).faults, ['tile-changed 300', 'entry-changed 300']);
});

test('a tile that is missing, or is none, is named and the rest is checked', async () => {
  const log = smallLog(700);
  log.files.delete('tile/0/001');
  const { checked, faults } = await check(log, numbered(log).with(600, { index: 600, entry: Buffer.from('forged') }));
  assert.deepEqual([checked, faults], [700, ['entry-changed 600', 'tile-missing']]);
  log.files.set('tile/0/001', Buffer.alloc(7));
  assert.deepEqual((await check(log)).faults, ['tile-changed']);
});

test('what lies below the minimum index is not asked for', async () => {
  const log = smallLog(700);
  log.files.delete('tile/0/000');
  assert.deepEqual(await check(log, numbered(log).slice(300), 300), { checked: 400, faults: [] });
});

test('a million faults are counted and the first hundred kept', async () => {
  const faults = faultList();
  for (let index = 0; index < 1_000_000; index += 1) faults.add('entry-changed', 'changed', index);
  assert.deepEqual([faults.count(), faults.list().length, faults.list()[0]?.index], [1_000_000, 100, 0]);
});
