import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { smallDisks } from '@safekeep/postgres/testing';
import { CONTEXT, opening, owner, PLAIN, refused, sealed, workbench, type Workbench } from '../testing/workbench.ts';
import { makeFolder } from '../files/key-store.ts';
import { epochsOf } from '../files/epochs.ts';
import { backupKeys } from './backup-keys.ts';
import { rollEpoch } from './roll-epoch.ts';
import { rotateRoot } from './rotate-root.ts';

// What the disk of the keys refuses, on a file system of its own: a chmod alone stops no administrator.

type SmallDisk = { readonly bench: Workbench; readonly remount: (options: string) => void };

/** A workbench whose keys lie on a file system of 256 KiB. Undefined, and the test skipped, where this user may mount none. */
async function onSmallDisk(t: TestContext): Promise<SmallDisk | undefined> {
  const disks = smallDisks(t);
  const bench = await workbench(t);
  await makeFolder(bench.directory);
  if (!disks.mount(bench.directory, '256k')) return undefined;
  return { bench, remount: (options) => disks.remount(bench.directory, options) };
}

async function opens(bench: Workbench, value: { readonly id: string; readonly bytes: Buffer }): Promise<void> {
  const key = await opening(bench, value.id);
  assert.ok(key !== undefined && key !== 'erased');
  assert.deepEqual(key.open(value.bytes, CONTEXT), PLAIN);
}

const files = async (bench: Workbench) => (await readdir(bench.directory, { recursive: true })).toSorted();

test('on a key store that may only be read everything opens and is sealed, and no rotation begins', async (t) => {
  const disk = await onSmallDisk(t);
  if (disk === undefined) return;
  const { bench, remount } = disk;
  const value = await sealed(bench, 1);
  const before = await files(bench);
  remount('ro');
  await opens(bench, value);
  await opens(bench, await sealed(bench, 2));
  for (const rotation of [() => rollEpoch(bench.ring(), 'default'), () => rotateRoot(bench.ring())])
    await assert.rejects(rotation(), refused('key-store-unwritable'));
  // The first key of a tenant would have to be written.
  await assert.rejects(bench.ring().epochs.current('other'), refused('key-store-unwritable'));
  assert.deepEqual(await files(bench), before);
  assert.equal((await bench.pool.query("select from safekeep.encryption_epochs where tenant_id = 'other'")).rowCount, 0);
  remount('rw');
  assert.equal((await rollEpoch(bench.ring(), 'default')).to, 2);
  await opens(bench, value);
});

test('on a full disk a roll, a rotation and a backup stop before they destroy anything, and go on when there is room', async (t) => {
  const disk = await onSmallDisk(t);
  if (disk === undefined) return;
  const { bench, remount } = disk;
  const value = await sealed(bench, 1);
  // An export that does not fit beside what fills the disk.
  await bench.inTenant((client) =>
    bench.ring().subjectKeys.forSealing(
      client,
      Array.from({ length: 400 }, (_, person) => owner(person + 2)),
    ),
  );
  await writeFile(join(bench.directory, 'ballast'), Buffer.alloc(212 * 1_024));
  await assert.rejects(rollEpoch(bench.ring(), 'default'), refused('key-store-unwritable'));
  const epochs = await epochsOf(bench.directory, 'default');
  assert.ok(epochs.every(({ destroyedAt }) => destroyedAt === null));
  await opens(bench, value);
  const left = Buffer.alloc(4_096);
  const fill = async (number: number): Promise<void> => {
    for (let more = number; ; more += 1) await writeFile(join(bench.directory, `ballast-${more}`), left);
  };
  await assert.rejects(fill(0), /ENOSPC/);
  await assert.rejects(rotateRoot(bench.ring()), refused('key-store-unwritable'));
  const { directory, roots, clock } = bench.ring().ground;
  await assert.rejects(
    backupKeys(
      { directory, roots, clock, home: bench.home },
      { way: { kind: 'shares', shares: 2, threshold: 2 }, out: join(bench.directory, 'out'), keepUntil: null },
    ),
    refused('key-store-unwritable'),
  );
  await opens(bench, value);
  assert.deepEqual(
    (await files(bench)).filter((name) => name.endsWith('.half')),
    [],
    'nothing half-written is left',
  );
  remount('size=4m');
  const { to } = await rollEpoch(bench.ring(), 'default');
  assert.ok(
    (await epochsOf(bench.directory, 'default')).every(({ epoch, destroyedAt }) => (destroyedAt === null) === (epoch === to)),
  );
  await rotateRoot(bench.ring());
  await opens(bench, value);
});
