import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { testServers } from '@safekeep/postgres/testing';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { heldBy } from './held-by.ts';

const person = { type: 'patient', key: ['42'] };

/** Until some session of this database waits for an advisory lock. */
async function somebodyWaits({ pool }: Workbench): Promise<void> {
  for (;;) {
    const { rowCount } = await pool.query(
      `select from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())`,
    );
    if (rowCount !== null && rowCount > 0) return;
  }
}

for (const server of testServers()) {
  const on = `on PostgreSQL ${server.name}`;

  test(`a hold placed while an erasure runs waits for it, and is refused when nothing is left to hold ${on}`, async (t) => {
    const bench = await workbench(t, { server });
    const placing = await bench.inTransaction(async (client) => {
      assert.deepEqual(await heldBy(client, 'default', { people: [person] }), []);
      const waiting = bench.place('patient:42');
      waiting.catch(() => undefined);
      await somebodyWaits(bench);
      await client.query('delete from public.patients where id = 42');
      await client.query('commit');
      return waiting.then(
        () => 'placed',
        (error: unknown) => error,
      );
    });
    assert.ok(isSafekeepError(placing, 'hold-target-missing'));
  });

  test(`a hold placed while an erasure runs that is rolled back stands afterwards ${on}`, async (t) => {
    const bench = await workbench(t, { server });
    const { placing } = await bench.inTransaction(async (client) => {
      await heldBy(client, 'default', { people: [person] });
      await client.query('delete from public.patients where id = 42');
      const waiting = bench.place('patient:42');
      await somebodyWaits(bench);
      return { placing: waiting };
    });
    assert.equal((await placing).target, 'patient:42');
  });

  test(`an erasure that begins while a hold is being placed waits and sees it ${on}`, async (t) => {
    const bench = await workbench(t, { server });
    const { asking } = await bench.inTransaction(async (client) => {
      await client.query(`select safekeep.lock_holds('default', true)`);
      const waiting = bench.ask({ people: [person] });
      await somebodyWaits(bench);
      await client.query(
        `insert into safekeep.holds (tenant_id, hold_id, kind, target, subject_type, subject_key, table_schema, table_name, table_oid, row_count, reason, owner, review_by, placed_by, placed_at)
         values ('default', gen_random_uuid(), 'subject', 'patient:42', 'patient', '42', 'public', 'patients', 'public.patients'::regclass, 0, 'x', 'x', '2030-01-01', 'x', now())`,
      );
      await client.query('commit');
      return { asking: waiting };
    });
    assert.equal((await asking).length, 1);
  });

  test(`a transaction that looks at the past is told to begin anew when a hold was placed since ${on}`, async (t) => {
    const { place, inTransaction } = await workbench(t, { server });
    for (const mode of ['isolation level repeatable read', 'isolation level serializable']) {
      await inTransaction(
        async (client) => {
          await client.query('select from public.patients');
          await place('patient:42');
          await assert.rejects(heldBy(client, 'default', { people: [person] }), { code: '40001' });
        },
        { mode },
      );
    }
    await inTransaction(async (client) => assert.equal((await heldBy(client, 'default', { people: [person] })).length, 2), {
      mode: 'isolation level repeatable read',
    });
  });

  test(`a plan that only reads asks without keeping anybody waiting ${on}`, async (t) => {
    const { place, inTransaction } = await workbench(t, { server });
    await place('patient:42');
    await inTransaction(
      async (client) => {
        assert.equal((await heldBy(client, 'default', { people: [person] })).length, 1);
        assert.equal((await place('patient:43')).target, 'patient:43');
      },
      { mode: 'isolation level repeatable read, read only' },
    );
  });

  test(`any number of erasures ask at a time; a hold that waits too long is refused and not placed ${on}`, async (t) => {
    const { place, ask, inTransaction } = await workbench(t, { server });
    await inTransaction(async (client) => {
      await heldBy(client, 'default', {});
      assert.deepEqual(await ask({}), []);
      await assert.rejects(place('patient:42', { patienceMs: 50 }), (error) => isSafekeepError(error, 'hold-busy'));
      assert.equal((await place('patient:42', { tenant: 'other' })).target, 'patient:42', 'another tenant does not wait');
    });
    assert.deepEqual(await ask({}), []);
  });

  test(`a trigger of the user's own table and a hold that is being placed wait for each other ${on}`, async (t) => {
    const bench = await workbench(t, { server });
    await bench.pool.query(`create function public.guard() returns trigger language plpgsql as $$ begin
        if safekeep.is_held('default', tg_relid, safekeep.key_part(old.id::text), to_jsonb(old), array['patient:' || old.id]) then
          raise exception 'held'; end if; return old; end $$;
      create trigger guard before delete on public.patients for each row execute function public.guard()`);
    const { placing } = await bench.inTransaction(async (client) => {
      await client.query('delete from public.patients where id = 42');
      const waiting = bench.place('patient:42');
      waiting.catch(() => undefined);
      await somebodyWaits(bench);
      await client.query('commit');
      return { placing: waiting };
    });
    await assert.rejects(placing, (error) => isSafekeepError(error, 'hold-target-missing'));
    await bench.place('patient:43');
    await assert.rejects(bench.pool.query('delete from public.patients where id = 43'), /held/);
    assert.equal((await bench.pool.query('delete from public.patients where id = 7')).rowCount, 1);
  });
}
