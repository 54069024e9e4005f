import assert from 'node:assert/strict';
import { readFile, rm, writeFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { inTenant, openDatabase } from '@safekeep/postgres';
import { testServers } from '@safekeep/postgres/testing';
import { destroyKek, epochsOf } from '../files/epochs.ts';
import { CONTEXT, opening, owner, PLAIN, refused, sealed, workbench } from '../testing/workbench.ts';
import type { Keyring } from './open-keys.ts';
import { restoreTable, tryKeys } from './recover-keys.ts';
import { rollEpoch } from './roll-epoch.ts';

for (const server of testServers()) {
  test(`a roll keeps every key alive, destroys the old epoch, and a copy from before opens nothing that was shredded on PostgreSQL ${server.name}`, async (t) => {
    const bench = await workbench(t, { server });
    const { ring, inTenant, pool, directory, clock } = bench;
    const [lives, dies] = [await sealed(bench, 1), await sealed(bench, 2)];
    // What a backup of the database holds.
    await pool.query(
      'create table public.copy_keys as select * from safekeep.encryption_keys; create table public.copy_epochs as select * from safekeep.encryption_epochs',
    );
    await inTenant((client) => ring().subjectKeys.destroy(client, { tenant: 'default', subject: 'patient:2' }, ['erasable']));
    clock.advanceMs(1000);
    const rolled = await rollEpoch(ring(), 'default');
    assert.deepEqual([rolled.from, rolled.to], [1, 2]);
    assert.equal(rolled.rewrapped, 2, 'the living person’s key and the one that marks owners');
    assert.deepEqual(await epochsOf(directory, 'default'), [
      { epoch: 1, destroyedAt: clock.now() },
      { epoch: 2, destroyedAt: null },
    ]);
    assert.deepEqual((await readdir(join(directory, 'kek', 'default'))).toSorted(), ['epoch-000001.destroyed', 'epoch-000002.kek']);
    const key = await opening(bench, lives.id);
    assert.ok(key !== undefined && key !== 'erased');
    assert.deepEqual(key.open(lives.bytes, CONTEXT), PLAIN);
    // The copy comes back.
    const columns =
      'tenant_id, key_id, key_purpose, scope, owner_mark, fate, algorithm, version, state, epoch, wrapped, usage_count, created_at';
    await pool.query(`truncate safekeep.encryption_keys, safekeep.encryption_epochs;
      insert into safekeep.encryption_epochs select * from public.copy_epochs;
      insert into safekeep.encryption_keys (${columns}) select ${columns} from public.copy_keys`);
    await assert.rejects(opening(bench, dies.id), refused('key-epoch-destroyed'));
    await assert.rejects(
      inTenant((client) => ring().subjectKeys.forSealing(client, [owner(1)])),
      refused('key-epoch-destroyed'),
    );
    await assert.rejects(
      inTenant((client) => ring().subjectKeys.forSealing(client, [owner(3)])),
      refused('key-epoch-destroyed'),
    );
    // The newest export brings the living back, and the dead stay dead.
    assert.equal(await restoreTable(ring(), 'default'), 3);
    assert.deepEqual(await tryKeys(ring(), 'default'), { keys: 2, closed: 0 });
    const again = await opening(bench, lives.id);
    assert.ok(again !== undefined && again !== 'erased');
    assert.deepEqual(again.open(lives.bytes, CONTEXT), PLAIN);
    assert.equal(await opening(bench, dies.id), 'erased');
    assert.equal(
      (await inTenant((client) => ring().subjectKeys.forSealing(client, [owner(2)]))).get('default/patient:2/erasable'),
      'erased',
    );
  });
}

test('a transaction that is making a key is waited for, and one roll runs at a time', async (t) => {
  const bench = await workbench(t);
  const { ring, inTenant, pool } = bench;
  const mine = ring();
  await inTenant(async (client) => {
    const keys = await mine.subjectKeys.forSealing(client, [owner(1)]);
    assert.equal(keys.size, 1);
    await assert.rejects(rollEpoch(ring(), 'default', { patienceMs: 50 }), refused('key-busy'));
  });
  const before = await sealed(bench, 1);
  const both = await Promise.allSettled([rollEpoch(ring(), 'default'), rollEpoch(ring(), 'default')]);
  const failed = both.filter((each) => each.status === 'rejected');
  assert.equal(failed.length, 1);
  assert.ok(refused('key-busy')(failed[0]?.reason));
  const key = await opening(bench, before.id);
  assert.ok(key !== undefined && key !== 'erased');
  assert.equal((await pool.query("select from safekeep.encryption_epochs where state = 'current'")).rowCount, 1);
});

test('a roll goes key by key through the index, whatever old statistics say of the epoch', async (t) => {
  const bench = await workbench(t);
  const people = Array.from({ length: 4_000 }, (_, number) => owner(number));
  // Connections tell what they counted at the latest when they end.
  const alone = async (action: (ring: Keyring) => Promise<unknown>): Promise<void> => {
    const database = await openDatabase(bench.url);
    await action(bench.ring({ database }));
    await database.close();
  };
  const lookups = async (): Promise<number> => {
    const { rows } = await bench.pool.query<{ count: string }>(
      "select idx_scan as count from pg_stat_user_indexes where indexrelname = 'encryption_keys_pkey'",
    );
    return Number(rows[0]?.count);
  };
  await bench.pool.query('alter table safekeep.encryption_keys set (autovacuum_enabled = off)');
  await alone((ring) => makeKeys(ring, people));
  await bench.pool.query('analyze safekeep.encryption_keys');
  await alone((ring) => rollEpoch(ring, 'default'));
  let before = 0;
  for (let look = 0; look < 100 && before < 2 * people.length; look += 1) {
    await wait(50);
    before = await lookups();
  }
  // The statistics know of the first epoch alone.
  await alone((ring) => rollEpoch(ring, 'default'));
  let counted = 0;
  for (let look = 0; look < 100 && counted < people.length; look += 1) {
    await wait(50);
    counted = (await lookups()) - before;
  }
  assert.ok(counted >= people.length, `${counted} lookups for ${people.length} keys: the table was read for each key`);
});

async function makeKeys(ring: Keyring, people: readonly ReturnType<typeof owner>[]): Promise<void> {
  await inTenant(ring.ground.database, 'default', (client) => ring.subjectKeys.forSealing(client, people));
}

test('a process that had the old epoch open goes on with the new one, and loses the old one with its lease', async (t) => {
  const bench = await workbench(t);
  const other = bench.ring();
  const before = await sealed(bench, 1);
  assert.ok(await opening(bench, before.id, other));
  await rollEpoch(bench.ring(), 'default');
  const key = await opening(bench, before.id, other);
  assert.ok(key !== undefined && key !== 'erased');
  const made = await bench.inTenant((client) => other.subjectKeys.forSealing(client, [owner(7)]));
  assert.equal(made.size, 1);
  await other.epochs.open('default', 1);
  bench.clock.advanceMs(60_000);
  await assert.rejects(other.epochs.open('default', 1), refused('key-epoch-destroyed'));
});

test('an export that is not what was written stops the roll before anything is destroyed, and restores nothing', async (t) => {
  const bench = await workbench(t);
  const { ring, directory } = bench;
  await sealed(bench, 1);
  const { exported } = await rollEpoch(ring(), 'default');
  const text = await readFile(exported, 'utf8');
  for (const damaged of [
    text.slice(0, -10),
    text.replace('\tactive\t', '\theld\t'),
    text.replace(/\t[0-9a-f]{2}([0-9a-f]{94})\t/, '\t00$1\t'),
    `${text}{}\n`,
    '',
  ]) {
    await writeFile(exported, damaged);
    await assert.rejects(restoreTable(ring(), 'default', exported), refused('key-export-broken'));
  }
  await rm(join(directory, 'exports'), { recursive: true });
  await writeFile(join(directory, 'exports'), 'in the way');
  await assert.rejects(rollEpoch(ring(), 'default'), refused('key-store-unwritable'));
  assert.deepEqual(
    (await epochsOf(directory, 'default')).map(({ destroyedAt }) => destroyedAt === null),
    [false, true, true],
  );
  await rm(join(directory, 'exports'));
  // It goes on where it stopped.
  const { from, to } = await rollEpoch(ring(), 'default');
  assert.deepEqual([from, to], [2, 3]);
});

test('key files that are gone, of another home, or half-written are refused, and nothing is made in their place', async (t) => {
  const bench = await workbench(t);
  const { ring, home, directory, inTenant } = bench;
  const { id } = await sealed(bench, 1);
  const elsewhere = join(home, 'elsewhere');
  const use = (on: string) => inTenant((client) => ring({ directory: on }).subjectKeys.forSealing(client, [owner(5)]));
  await assert.rejects(use(elsewhere), refused('key-store-missing'));
  await assert.rejects(readdir(elsewhere), /ENOENT/);
  // Another home has keys of its own for this tenant.
  const { ring: strangers } = await workbench(t);
  await strangers().epochs.current('default');
  await assert.rejects(
    inTenant((client) => ring({ directory: strangers().ground.directory }).subjectKeys.forOpening(client, [id])),
    refused('key-store-foreign'),
  );
  await assert.rejects(use(strangers().ground.directory), refused('key-store-foreign'));
  const path = join(directory, 'kek', 'default', 'epoch-000001.kek');
  const text = await readFile(path, 'utf8');
  for (const damaged of ['', text.slice(0, 50), text.replace('"epoch":1', '"epoch":2'), '{"format":"safekeep-kek/1"}']) {
    await writeFile(path, damaged);
    await assert.rejects(use(directory), refused('key-file-broken'));
  }
  await writeFile(path, text);
  // What a crash leaves beside it does not matter.
  await writeFile(`${path}.123-aa.half`, text.slice(0, 9), { mode: 0o600 });
  assert.equal((await use(directory)).size, 1);
  await rm(path);
  await assert.rejects(use(directory), refused('key-store-missing'));
});

test('a key file that a crash left beside the note of its destruction is destroyed by whoever looks next', async (t) => {
  const bench = await workbench(t);
  const { ring, directory } = bench;
  await sealed(bench, 1);
  const path = join(directory, 'kek', 'default', 'epoch-000001.kek');
  const text = await readFile(path, 'utf8');
  await destroyKek(directory, 'default', { epoch: 1, at: bench.clock.now() });
  await writeFile(path, text, { mode: 0o600 });
  // What a rotation of the root was killed while writing holds the same key.
  await writeFile(`${path}.4711-00ff00ff.half`, text, { mode: 0o600 });
  await assert.rejects(ring().epochs.open('default', 1), refused('key-epoch-destroyed'));
  assert.deepEqual(await readdir(dirname(path)), ['epoch-000001.destroyed']);
});
