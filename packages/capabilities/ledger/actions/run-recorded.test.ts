import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { fixedClock, newId } from '@safekeep/core';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import { begin, insertHead, readSeen, rollback, takeOperation } from '../store.ts';
import { gather, intent, workbench } from '../testing/workbench.ts';
import { recoverIntents, runRecorded, type RecordedGround } from './run-recorded.ts';

const PLAN = { operation: 'erasure', marks: [], counts: { 'public.patients': 3 }, ids: {} };
const UNPREPARED = { plan: async () => PLAN, prepare: async () => undefined };
const clock = fixedClock('2026-11-21T10:00:00Z');

for (const server of testServers()) {
  const on = `on PostgreSQL ${server.name}`;

  async function ground(t: TestContext) {
    const made = await testDatabase(t, { migrated: true, server });
    await made.pool.query('create table public.patients as select generate_series(1, 3) as id');
    const files = await workbench(t);
    const ledger = await files.open();
    const recorded: RecordedGround = { database: made.database, ledger, tenant: 'default', clock };
    const kinds = async () => (await gather(ledger.read())).map(({ entry }) => entry.kind);
    const left = async () => (await made.pool.query('select from public.patients')).rowCount;
    const seen = () =>
      made.database.withClient(async (client) => {
        await begin(client, 'default');
        const found = await readSeen(client, 'default', ledger.id);
        await rollback(client);
        return found;
      });
    return { ...made, files, ledger, recorded, kinds, left, seen };
  }

  test(`the intent is on disk before anything is destroyed, its end afterwards, and the database has seen it ${on}`, async (t) => {
    const { recorded, kinds, left, seen, files, ledger } = await ground(t);
    const { id, result } = await runRecorded(recorded, {
      plan: async () => PLAN,
      prepare: async (client) => Number((await client.query('select from public.patients for update')).rowCount),
      destroy: async (client, locked) => {
        assert.deepEqual([await kinds(), locked], [['intent'], 3]);
        return { result: (await client.query('delete from public.patients')).rowCount, counts: { 'public.patients': 3 } };
      },
    });
    assert.deepEqual([result, await left(), await kinds()], [3, 0, ['intent', 'done']]);
    const { heads } = await seen();
    assert.deepEqual(
      heads.map(({ operation }) => operation),
      [id],
    );
    assert.deepEqual((await files.verify({ seen: { heads, otherLedgers: 0 } })).faults, []);
    assert.deepEqual(await ledger.openIntents(), []);
  });

  test(`what fails destroys nothing, and the intent is abandoned ${on}`, async (t) => {
    const { recorded, kinds, left, seen } = await ground(t);
    await assert.rejects(
      runRecorded(recorded, {
        ...UNPREPARED,
        destroy: async (client) => {
          await client.query('delete from public.patients');
          throw new Error('held');
        },
      }),
      /held/,
    );
    assert.deepEqual([await left(), await kinds(), (await seen()).heads], [3, ['intent', 'abandoned'], []]);
  });

  test(`what is refused while the intent is written destroys nothing, and the intent is abandoned ${on}`, async (t) => {
    const { recorded, kinds, left, seen } = await ground(t);
    await assert.rejects(
      runRecorded(recorded, {
        ...UNPREPARED,
        prepare: async () => {
          throw new Error('held');
        },
        destroy: async (client) => ({ result: await client.query('delete from public.patients'), counts: {} }),
      }),
      /held/,
    );
    assert.deepEqual([await left(), await kinds(), (await seen()).heads], [3, ['intent', 'abandoned'], []]);
  });

  test(`where the ledger cannot be written nothing is destroyed ${on}`, async (t) => {
    const { recorded, left } = await ground(t);
    await assert.rejects(
      runRecorded(recorded, {
        ...UNPREPARED,
        plan: async () => ({ ...PLAN, operation: 'not a word' }),
        destroy: async (client) => ({ result: await client.query('delete from public.patients'), counts: {} }),
      }),
    );
    assert.equal(await left(), 3);
  });

  test(`intents that a crash left open are ended by what the database knows; one that is being carried out is left alone ${on}`, async (t) => {
    const { recorded, ledger, database } = await ground(t);
    const [committed, lost, alive, foreign] = [
      newId<'operation'>(),
      newId<'operation'>(),
      newId<'operation'>(),
      newId<'operation'>(),
    ];
    const [receipt] = await ledger.appendAll([
      intent(committed),
      intent(lost),
      intent(alive),
      intent(foreign, { tenant: 'other' }),
    ]);
    assert.ok(receipt);
    await database.withClient(async (client) => {
      await begin(client, 'default');
      await insertHead(client, 'default', { receipt, at: clock.now() });
      await client.query('commit');
    });
    await database.withClient(async (client) => {
      await begin(client, 'default');
      assert.ok(await takeOperation(client, alive));
      assert.deepEqual(await recoverIntents(recorded), { done: [committed], abandoned: [lost] });
      assert.deepEqual(await recoverIntents(recorded), { done: [], abandoned: [] });
      await rollback(client);
    });
    assert.deepEqual(
      (await ledger.openIntents()).map(({ id }) => id),
      [alive, foreign],
    );
    assert.deepEqual(await recoverIntents(recorded), { done: [], abandoned: [alive] });
  });

  test(`a recovery that finds an operation between its commit and its last entry ends it once ${on}`, async (t) => {
    const { recorded, kinds, files, ledger } = await ground(t);
    const other = await files.open();
    // The recovery runs when the work is committed and its maker is about to note the end.
    const end: typeof ledger.end = async (begun, ending) => {
      await recoverIntents({ ...recorded, ledger: other });
      return await ledger.end(begun, ending);
    };
    const slow = { ...ledger, end };
    await runRecorded({ ...recorded, ledger: slow }, { ...UNPREPARED, destroy: async () => ({ result: null, counts: {} }) });
    assert.deepEqual(await kinds(), ['intent', 'done']);
    assert.deepEqual((await files.verify()).faults, []);
  });

  test(`one tenant does not see what the database has seen for another ${on}`, async (t) => {
    const { recorded, pool, ledger, seen } = await ground(t);
    await runRecorded(recorded, { ...UNPREPARED, destroy: async () => ({ result: null, counts: {} }) });
    const client = await pool.connect();
    try {
      await client.query(`begin; set local role safekeep_app; select set_config('safekeep.tenant', 'other', true)`);
      assert.equal((await client.query('select from safekeep.ledger_heads')).rowCount, 0);
      await assert.rejects(client.query('delete from safekeep.ledger_heads'), /permission denied/);
    } finally {
      await client.query('rollback');
      client.release();
    }
    assert.equal((await seen()).heads.length, 1);
    assert.ok(ledger.id);
  });
}
