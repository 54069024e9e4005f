import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { sealBytes } from '@safekeep/crypto';
import { openDatabase } from '@safekeep/postgres';
import { testServers } from '@safekeep/postgres/testing';
import type { SubjectKey } from '../model.ts';
import { CONTEXT, owner, workbench } from '../testing/workbench.ts';
import { createScope, rotateScope } from './scope-keys.ts';

const PLAIN = Buffer.from('blood group 0 negative');

function living(key: SubjectKey | 'erased' | undefined): SubjectKey {
  assert.ok(key !== undefined && key !== 'erased');
  return key;
}

for (const server of testServers()) {
  const on = `on PostgreSQL ${server.name}`;

  test(`what one process seals another opens, each person and fate under a key of its own ${on}`, async (t) => {
    const { ring, inTenant, secretsMade } = await workbench(t, { server });
    const sealed = await inTenant(async (client) => {
      const keys = await ring().subjectKeys.forSealing(client, [owner(1), owner(1, 'kept'), owner(2), owner(1)]);
      assert.equal(keys.size, 3);
      const key = living(keys.get('default/patient:1/erasable'));
      assert.equal(new Set([...keys.values()].map((each) => living(each).keyId)).size, 3);
      return { id: key.keyId, bytes: key.seal(PLAIN, CONTEXT) };
    });
    assert.equal(secretsMade.length, 1);
    const opened = await inTenant((client) => ring().subjectKeys.forOpening(client, [sealed.id, '00'.repeat(8)]));
    assert.equal(opened.size, 1);
    const key = living(opened.get(sealed.id));
    assert.deepEqual(key.open(sealed.bytes, CONTEXT), PLAIN);
    assert.throws(
      () => key.open(sealed.bytes, Buffer.from('elsewhere')),
      (error) => isSafekeepError(error),
    );
    const again = await inTenant((client) => ring().subjectKeys.forSealing(client, [owner(1)]));
    assert.equal(living(again.get('default/patient:1/erasable')).keyId, sealed.id);
  });

  test(`a destroyed key answers erased, in every process, and is never made again; the kept one lives ${on}`, async (t) => {
    const { ring, inTenant } = await workbench(t, { server });
    const [mine, theirs] = [ring(), ring()];
    const before = await inTenant((client) => theirs.subjectKeys.forSealing(client, [owner(1), owner(1, 'kept')]));
    const id = living(before.get('default/patient:1/erasable')).keyId;
    const destroyed = await inTenant((client) =>
      mine.subjectKeys.destroy(client, { tenant: 'default', subject: 'patient:1' }, ['erasable']),
    );
    assert.deepEqual(destroyed, [id]);
    // Never made before it was destroyed.
    await inTenant((client) => mine.subjectKeys.destroy(client, { tenant: 'default', subject: 'patient:9' }, ['erasable', 'kept']));
    const after = await inTenant((client) =>
      theirs.subjectKeys.forSealing(client, [owner(1), owner(1, 'kept'), owner(9), owner(9, 'kept')]),
    );
    assert.equal(after.get('default/patient:1/erasable'), 'erased');
    assert.equal(after.get('default/patient:9/erasable'), 'erased');
    assert.equal(after.get('default/patient:9/kept'), 'erased');
    assert.notEqual(after.get('default/patient:1/kept'), 'erased');
    assert.equal((await inTenant((client) => theirs.subjectKeys.forOpening(client, [id]))).get(id), 'erased');
    await assert.rejects(theirs.openingKey('default', id), (error) => isSafekeepError(error, 'key-erased'));
  });

  test(`of two processes that make a key at once both use the winner's, also under REPEATABLE READ ${on}`, async (t) => {
    const { ring, inTenant } = await workbench(t, { server });
    await ring().epochs.current('default');
    const owners = Array.from({ length: 50 }, (_, number) => owner(number));
    const make = () => inTenant((client) => ring().subjectKeys.forSealing(client, owners));
    const made = await Promise.all([make(), make(), make(), make()]);
    const ids = made.map((keys) => owners.map(({ subject }) => living(keys.get(`default/${subject}/erasable`)).keyId).join());
    assert.equal(new Set(ids).size, 1);
    const strict = await inTenant((client) => ring().subjectKeys.forSealing(client, [owner(900)]), {
      mode: 'isolation level repeatable read',
    });
    assert.equal(strict.size, 1);
  });

  test(`the application's role reads no wrapped key but by asking for it, and none of another tenant ${on}`, async (t) => {
    const { ring, inTenant, pool } = await workbench(t, { server });
    const role = 'safekeep_app';
    const keys = await inTenant((client) => ring().subjectKeys.forSealing(client, [owner(1)]), { role });
    const id = living(keys.get('default/patient:1/erasable')).keyId;
    assert.equal((await inTenant((client) => ring().subjectKeys.forOpening(client, [id]), { role })).size, 1);
    await assert.rejects(
      inTenant((client) => client.query('select wrapped from safekeep.encryption_keys'), { role }),
      /permission denied/,
    );
    await assert.rejects(
      inTenant((client) => client.query('delete from safekeep.encryption_keys'), { role }),
      /permission denied/,
    );
    await assert.rejects(
      inTenant((client) => client.query("select * from safekeep.keys_by_id('default', $1)", [[Buffer.from(id, 'hex')]]), {
        role,
        tenant: 'other',
      }),
      /another tenant/,
    );
    assert.equal((await inTenant((client) => ring().subjectKeys.forOpening(client, [id]), { role, tenant: 'other' })).size, 0);
    await assert.rejects(
      inTenant((client) => client.query('select wrapped from safekeep.encryption_keys'), { role: 'safekeep_auditor' }),
      /permission denied/,
    );
    await assert.rejects(
      inTenant((client) => client.query("select * from safekeep.keys_by_id('default', '{}')"), { role: 'safekeep_auditor' }),
      /permission denied/,
    );
    // The cursor over all of them is their tenant's too, and gives wrapped keys only.
    const lines = await inTenant(
      async (client) => {
        await client.query("select safekeep.open_keys('default', null)");
        return (await client.query<{ line: string }>('fetch all from safekeep_keys')).rows;
      },
      { role },
    );
    assert.equal(lines.filter(({ line }) => line.startsWith(id)).length, 1);
    for (const refusal of [
      { tenant: 'other', role, error: /another tenant/ },
      { tenant: 'default', role: 'safekeep_auditor', error: /permission denied/ },
    ])
      await assert.rejects(
        inTenant((client) => client.query("select safekeep.open_keys('default', null)"), refusal),
        refusal.error,
      );
    // Nobody who reads the table learns whose keys they are.
    const { rows } = await pool.query('select * from safekeep.encryption_keys');
    assert.ok(!JSON.stringify(rows).includes('patient'));
  });
}

test('many transactions at once that fill the pool make keys without waiting for a connection more each', async (t) => {
  const bench = await workbench(t);
  const few = await openDatabase(bench.url, { poolMax: 2 });
  try {
    const mine = bench.ring({ database: few });
    // The keys of the epoch and of the owners are asked for outside of any transaction, once in a lease.
    await bench.inTenant((client) => mine.subjectKeys.forSealing(client, [owner(1)]));
    const inside = Promise.withResolvers<void>();
    let count = 0;
    const make = (number: number): Promise<number> =>
      few.withClient(async (client) => {
        await client.query("begin; select set_config('safekeep.tenant', 'default', true)");
        count += 1;
        if (count === 2) inside.resolve();
        await inside.promise;
        const { size } = await mine.subjectKeys.forSealing(client, [owner(number)]);
        await client.query('commit');
        return size;
      });
    assert.deepEqual(await Promise.all([make(2), make(3)]), [1, 1]);
  } finally {
    await few.close();
  }
});

test('where the second connection is missing it is said, and nobody waits for ever', async (t) => {
  const bench = await workbench(t);
  const one = await openDatabase(bench.url, { poolMax: 1, connectTimeoutMs: 500 });
  try {
    const mine = bench.ring({ database: one });
    await assert.rejects(
      one.withClient(async (client) => {
        await client.query("begin; select set_config('safekeep.tenant', 'default', true)");
        await mine.subjectKeys.forSealing(client, [owner(1)]);
      }),
      (error) => isSafekeepError(error, 'database-busy'),
    );
  } finally {
    await one.close();
  }
});

test('a key whose transaction was rolled back is not used by the next one', async (t) => {
  const { ring, inTenant } = await workbench(t);
  const mine = ring();
  const lost = await inTenant((client) => mine.subjectKeys.forSealing(client, [owner(1)]), { end: 'rollback' });
  const kept = await inTenant((client) => mine.subjectKeys.forSealing(client, [owner(1)]));
  assert.notEqual(living(kept.get('default/patient:1/erasable')).keyId, living(lost.get('default/patient:1/erasable')).keyId);
  const id = living(kept.get('default/patient:1/erasable')).keyId;
  assert.equal((await inTenant((client) => ring().subjectKeys.forOpening(client, [id]))).size, 1);
});

test('a key in somebody’s hand ends with its lease, and a data key is asked for again after it', async (t) => {
  const { ring, inTenant, clock, pool } = await workbench(t);
  const mine = ring();
  const key = living(
    (await inTenant((client) => mine.subjectKeys.forSealing(client, [owner(1)]))).get('default/patient:1/erasable'),
  );
  const sealed = key.seal(PLAIN, CONTEXT);
  const data = await mine.dataKey('default', 'user.contact.email');
  await pool.query("update safekeep.encryption_keys set state = 'shredded', wrapped = null, destroyed_at = now()");
  clock.advanceMs(59_999);
  assert.deepEqual(key.open(sealed, CONTEXT), PLAIN);
  assert.equal(await mine.dataKey('default', 'user.contact.email'), data);
  clock.advanceMs(1);
  for (const use of [() => key.open(sealed, CONTEXT), () => key.seal(PLAIN, CONTEXT)])
    assert.throws(use, (error) => isSafekeepError(error, 'key-lease-expired'));
  await assert.rejects(mine.dataKey('default', 'user.contact.email'), (error) => isSafekeepError(error, 'key-erased'));
});

test('a wrapped key that was changed, or put in the place of another, does not open', async (t) => {
  const { ring, inTenant, pool } = await workbench(t);
  const keys = await inTenant((client) => ring().subjectKeys.forSealing(client, [owner(1), owner(2)]));
  const [first, second] = [...keys.values()].map((key) => living(key).keyId);
  await pool.query(
    'update safekeep.encryption_keys set wrapped = (select wrapped from safekeep.encryption_keys where key_id = $1) where key_id = $2',
    [Buffer.from(first ?? '', 'hex'), Buffer.from(second ?? '', 'hex')],
  );
  await assert.rejects(
    inTenant((client) => ring().subjectKeys.forOpening(client, [second ?? ''])),
    (error) => isSafekeepError(error, 'key-swapped'),
  );
  await pool.query(
    `update safekeep.encryption_keys set wrapped = set_byte(wrapped, 20, 255 - get_byte(wrapped, 20)) where key_id = $1`,
    [Buffer.from(first ?? '', 'hex')],
  );
  await assert.rejects(
    inTenant((client) => ring().subjectKeys.forOpening(client, [first ?? ''])),
    (error) => isSafekeepError(error, 'key-swapped'),
  );
});

test('a scope has versions: the newest seals, the one before opens, one made ahead takes over', async (t) => {
  const { ring } = await workbench(t);
  const mine = ring();
  const order = { tenant: 'default', scope: 'user.name', purpose: 'data', expiresAt: null } as const;
  const first = await mine.dataKey('default', 'user.name');
  const sealed = sealBytes(first, CONTEXT, PLAIN);
  assert.equal(await createScope(mine, { ...order, state: 'active' }), undefined);
  const ahead = await createScope(mine, { ...order, state: 'pre-active' });
  assert.equal((await ring().dataKey('default', 'user.name')).id, first.id);
  const { now, before } = await rotateScope(mine, order);
  assert.deepEqual([now.keyId, before.keyId, now.version], [ahead?.keyId, first.id, 2]);
  const other = ring();
  assert.equal((await other.dataKey('default', 'user.name')).id, now.keyId);
  assert.equal((await other.openingKey('default', first.id)).id, first.id);
  assert.ok(sealed.includes(Buffer.from(first.id, 'hex')));
  const both = await Promise.all([rotateScope(ring(), order), rotateScope(ring(), order)]);
  assert.deepEqual(
    both.map((each) => each.now.version).toSorted((a, b) => a - b),
    [3, 4],
  );
  await assert.rejects(mine.openingKey('other', first.id), (error) => isSafekeepError(error, 'key-unknown'));
  for (const scope of ['owners', 'root', 'Ünï', 'a b', ''])
    await assert.rejects(mine.dataKey('default', scope), (error) => isSafekeepError(error, 'key-scope-invalid'));
});

test('two rotations of one data key at once come one after the other: three versions, and one that seals', async (t) => {
  const bench = await workbench(t);
  const order = { tenant: 'default', scope: 'health', purpose: 'data', expiresAt: null } as const;
  const first = await createScope(bench.ring(), { ...order, state: 'active' });
  const both = await Promise.all([rotateScope(bench.ring(), order), rotateScope(bench.ring(), order)]);
  const [one, two] = both.toSorted((a, b) => a.now.version - b.now.version);
  assert.deepEqual([one?.before, two?.before], [first, one?.now]);
  const { rows } = await bench.pool.query(
    "select version, state from safekeep.encryption_keys where scope = 'health' order by version",
  );
  assert.deepEqual(
    rows.map(({ version, state }) => `${version} ${state}`),
    ['1 decrypt-only', '2 decrypt-only', '3 active'],
  );
});

test('an index key is never the key that seals, and gives the same index in every process', async (t) => {
  const { ring } = await workbench(t);
  const [a, b] = [await ring().indexKey('default', 'user.name'), await ring().indexKey('default', 'user.name')];
  assert.equal(a.index('exact', 'ada', 16), b.index('exact', 'ada', 16));
  assert.notEqual(a.index('exact', 'ada', 60), (await ring().indexKey('other', 'user.name')).index('exact', 'ada', 60));
});

test('uses are counted in batches, and ten times the usual is told', async (t) => {
  const { ring, inTenant, pool, clock, events } = await workbench(t);
  const mine = ring();
  const uses = async () =>
    (await pool.query("select usage_count::int as n from safekeep.encryption_keys where key_purpose = 'data'")).rows[0]?.n;
  const data = await mine.dataKey('default', 'user.name');
  for (let count = 0; count < 5; count += 1) data.countSeal();
  const key = living(
    (await inTenant((client) => mine.subjectKeys.forSealing(client, [owner(1)]))).get('default/patient:1/erasable'),
  );
  key.seal(PLAIN, CONTEXT);
  assert.equal(await uses(), 0);
  await mine.flushUsage();
  await mine.flushUsage();
  assert.equal(await uses(), 5);
  clock.advanceMs(3 * 86_400_000);
  await mine.flushUsage();
  const again = await mine.dataKey('default', 'user.name');
  for (let count = 0; count < 20_000; count += 1) again.countSeal();
  clock.advanceMs(3_600_000);
  await mine.close();
  assert.equal(await uses(), 20_005);
  const told = events.filter(({ operation }) => operation === 'unusual-use');
  assert.deepEqual(
    told.map(({ keyId, rows }) => [keyId, rows]),
    [[again.id, 20_000]],
  );
  assert.equal(events.filter(({ operation }) => operation === 'use').length, 2);
});
