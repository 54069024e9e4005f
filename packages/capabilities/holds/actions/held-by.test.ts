import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError, newId } from '@safekeep/core';
import { testServers } from '@safekeep/postgres/testing';
import type { AskedRow, HoldQuestion, Person, StandingHold } from '../model.ts';
import { formatKey } from '../rules/key.ts';
import { workbench } from '../testing/workbench.ts';
import { heldBy } from './held-by.ts';
import { releaseHold } from './release-hold.ts';

const invoice = (id: number | string, about: readonly Person[] = []): AskedRow => ({
  table: 'public.invoices',
  key: [String(id)],
  about,
});
const patient = (id: number): Person => ({ type: 'patient', key: [String(id)] });
const targets = (holds: readonly StandingHold[]): readonly string[] => holds.map(({ target }) => target).toSorted();
const heldKeys = (holds: readonly StandingHold[]): readonly string[] =>
  holds.flatMap(({ heldRows }) => heldRows.map(({ key }) => key.join())).toSorted();
const isUnevaluable = (error: unknown): boolean => isSafekeepError(error, 'hold-not-evaluable');

for (const server of testServers()) {
  const on = `on PostgreSQL ${server.name}`;

  test(`a held person, their own row and every row about them are held ${on}`, async (t) => {
    const { place, ask } = await workbench(t, { server });
    const hold = await place('patient:042');
    assert.equal(hold.target, 'patient:42', 'the key as the database writes it');
    assert.deepEqual(targets(await ask({ people: [patient(42), patient(43)] })), ['patient:42']);
    assert.deepEqual(await ask({ people: [patient(43)] }), []);
    const [found] = await ask({ rows: [invoice(1, [patient(43)]), invoice(2, [patient(43), patient(42)])] });
    assert.deepEqual(found?.heldRows, [invoice(2, [patient(43), patient(42)])], 'a row of two people is held by either');
    assert.deepEqual(
      heldKeys(await ask({ rows: [{ table: 'public.patients', key: ['42'], about: [] }] })),
      ['42'],
      'though nobody said whose it is',
    );
  });

  test(`a held row is held, its neighbours are not, and composite keys are told apart ${on}`, async (t) => {
    const { place, ask } = await workbench(t, { server });
    await place('invoices:17');
    assert.deepEqual(heldKeys(await ask({ rows: [invoice(1), invoice(17), invoice(7)] })), ['17']);
    await place('clients:1,a\\,b');
    await place(`client:2,Ünï "q" ';--`);
    const rows = [
      ['1', 'a,b'],
      ['1', 'a\\b'],
      ['2', `Ünï "q" ';--`],
    ].map((key) => ({ table: 'public.clients', key, about: [] }));
    assert.deepEqual(heldKeys(await ask({ rows })), ['1,a,b', `2,Ünï "q" ';--`]);
  });

  test(`a condition holds what it found, whatever becomes of it, and what it finds later ${on}`, async (t) => {
    const { place, ask, pool } = await workbench(t, { server });
    const hold = await place('invoices', { query: `state = 'open' and (amount >= 100 or "Odd ""name" in ('v2'))` });
    assert.equal(hold.rows, 7);
    const all = Array.from({ length: 20 }, (_, index) => invoice(index + 1));
    assert.deepEqual(heldKeys(await ask({ rows: all })), ['10', '12', '14', '16', '18', '2', '20']);
    await pool.query(
      `update public.invoices set state = 'paid' where id = 20; update public.invoices set state = 'open' where id = 19`,
    );
    assert.deepEqual(heldKeys(await ask({ rows: all })), ['10', '12', '14', '16', '18', '19', '2', '20']);
  });

  test(`a value that is not known does not slip through a condition with <> ${on}`, async (t) => {
    const { place, ask, pool } = await workbench(t, { server });
    await pool.query('update public.invoices set amount = null where id = 3');
    await place('invoices', { query: "amount <> 30 and due <= '2026-01-04'" });
    assert.deepEqual(heldKeys(await ask({ rows: [invoice(1), invoice(3), invoice(9)] })), ['1', '3']);
  });

  test(`a released hold holds nothing; another one on the same row still does ${on}`, async (t) => {
    const { place, ask, database, ground } = await workbench(t, { server });
    const first = await place('invoices:17');
    const second = await place('invoices', { query: 'id = 17' });
    await releaseHold(database, ground, { id: first.id, by: 'ann', reason: 'settled' });
    assert.deepEqual(
      (await ask({ rows: [invoice(17)] })).map(({ id }) => id),
      [second.id],
    );
    await releaseHold(database, ground, { id: second.id, by: 'ann', reason: 'settled' });
    assert.deepEqual(await ask({ rows: [invoice(17)] }), []);
  });

  test(`a table is held by holds on its rows and by every held person; nothing named means everything ${on}`, async (t) => {
    const { place, ask } = await workbench(t, { server });
    assert.deepEqual(await ask({}), []);
    await place('invoices:17');
    assert.deepEqual(targets(await ask({ tables: ['public.invoices'] })), ['public.invoices:17']);
    assert.deepEqual(await ask({ tables: ['public.clients'] }), []);
    await place('patient:42');
    assert.deepEqual(targets(await ask({ tables: ['public.clients'] })), ['patient:42']);
    assert.deepEqual(targets(await ask({})), ['patient:42', 'public.invoices:17']);
    assert.deepEqual(await ask({ rows: [], people: [], tables: [] }), [], 'empty is not everything');
  });

  test(`a hold about one time leaves what is from another alone ${on}`, async (t) => {
    const { place, ask } = await workbench(t, { server });
    const [from, until] = [new Date('2024-01-01'), new Date('2025-01-01')];
    await place('patient:42', { concerns: { from, until } });
    const during = (first: string | null, last: string | null) => ({
      from: first === null ? null : new Date(first),
      until: last === null ? null : new Date(last),
    });
    assert.equal((await ask({ period: during('2023-01-01', '2024-01-02') })).length, 1);
    assert.equal((await ask({ period: during(null, '2024-01-01') })).length, 0);
    assert.equal((await ask({ period: during('2025-01-01', null) })).length, 0);
    assert.equal((await ask({ people: [patient(42)] })).length, 1);
  });

  test(`a table is found again after a rename, and after a restore gave it another number ${on}`, async (t) => {
    const { place, ask, pool } = await workbench(t, { server });
    await place('invoices:17');
    await pool.query('alter table public.invoices rename to bills');
    assert.equal((await ask({ rows: [{ ...invoice(17), table: 'public.bills' }] })).length, 1);
    await pool.query(
      'create table public.invoices as table public.bills; alter table public.invoices add primary key (id); drop table public.bills',
    );
    assert.equal((await ask({ rows: [invoice(17)] })).length, 1);
  });

  test(`a hold on a partitioned table holds its partitions, and the reverse ${on}`, async (t) => {
    const { place, ask, pool } = await workbench(t, { server });
    await pool.query(`create table public.events (id bigint, day date, primary key (id, day)) partition by range (day);
      create table public.events_2026 partition of public.events for values from ('2026-01-01') to ('2027-01-01');
      insert into public.events values (1, '2026-05-01'), (2, '2026-05-02')`);
    await place('events:1,2026-05-01');
    await place('events_2026:2,2026-05-02');
    const row = (table: string, id: string, day: string): AskedRow => ({ table, key: [id, day], about: [] });
    assert.equal((await ask({ rows: [row('public.events_2026', '1', '2026-05-01')] })).length, 1);
    assert.equal((await ask({ rows: [row('public.events', '2', '2026-05-02')] })).length, 1);
    assert.equal((await ask({ tables: ['public.events_2026'] })).length, 2);
  });

  test(`a hold on a table that others inherit from holds their rows, and the reverse; what has another key counts as held ${on}`, async (t) => {
    const { place, ask, pool } = await workbench(t, { server });
    await pool.query(`create table public.docs (id bigint primary key, title text);
      create table public.docs_a (primary key (id)) inherits (public.docs); create table public.docs_b (ocr text) inherits (public.docs_a);
      create table public.docs_c (code text primary key) inherits (public.docs);
      insert into public.docs values (1, 'held'); insert into public.docs_a values (2, 'held'); insert into public.docs_b values (3, 'held', null), (1, 'held', null);
      insert into public.docs_c values (4, 'held', 'c4')`);
    const rows = (table: string, ...keys: readonly string[]): HoldQuestion => ({
      rows: keys.map((key) => ({ table: `public.${table}`, key: [key], about: [] })),
    });
    await place('docs:2');
    assert.deepEqual(heldKeys(await ask(rows('docs_a', '2', '3'))), ['2']);
    const unlike = [rows('docs_c', 'c4'), { rows: [{ table: 'public.docs_b', key: [], about: [] }] }];
    for (const question of unlike) await assert.rejects(ask(question), isUnevaluable);
    await place('docs', { query: `title = 'held' and id < 3` });
    await place('docs_a', { query: 'id = 3' });
    assert.deepEqual(heldKeys(await ask(rows('docs', '1', '2', '3', '5'))), ['1', '2', '2', '3']);
    await place('docs_c:c4');
    await assert.rejects(ask(rows('docs', '5')), isUnevaluable);
    assert.deepEqual(await ask({ people: [patient(42)] }), []);
  });

  test(`one tenant neither sees nor is stopped by the holds of another ${on}`, async (t) => {
    const { place, ask, inTransaction, pool } = await workbench(t, { server });
    await place('patient:42', { tenant: 'other' });
    assert.deepEqual(await ask({ people: [patient(42)] }), []);
    assert.equal((await ask({ people: [patient(42)] }, 'other')).length, 1);
    await inTransaction(
      async (client) => {
        await client.query('set local role safekeep_app');
        assert.equal((await heldBy(client, 'other', { people: [patient(42)] })).length, 1, 'the application itself may ask');
        await assert.rejects(client.query(`update safekeep.holds set reason = 'x'`), /permission denied/);
      },
      { tenant: 'other' },
    );
    await inTransaction(async (client) => {
      await client.query('set local role safekeep_app');
      assert.equal((await client.query('select from safekeep.holds')).rowCount, 0);
      await assert.rejects(client.query(`select safekeep.lock_holds('other', true)`), /another tenant/);
    });
    for (const table of ['holds', 'hold_rows', 'hold_reviews', 'hold_releases']) {
      for (const right of ['update', 'delete', 'truncate']) {
        const { rows } = await pool.query('select has_table_privilege($1, $2, $3) as may', [
          'safekeep_app',
          `safekeep.${table}`,
          right,
        ]);
        assert.deepEqual(rows, [{ may: false }], `${right} on ${table}`);
      }
    }
  });

  test(`asking outside of a transaction, or in one of no tenant or another, is an error and never a no ${on}`, async (t) => {
    const { place, pool, inTransaction } = await workbench(t, { server });
    await place('patient:42');
    const alone = await pool.connect();
    await assert.rejects(heldBy(alone, 'default', { people: [patient(42)] }), /in the transaction that destroys/);
    alone.release();
    await inTransaction(async (client) => {
      await client.query(`select set_config('safekeep.tenant', '', true)`);
      await assert.rejects(heldBy(client, 'default', { people: [patient(42)] }), /transaction of their tenant/);
    });
    await inTransaction((client) => assert.rejects(heldBy(client, 'default', {}), /another tenant/), { tenant: 'other' });
  });

  test(`what cannot be told counts as held: a table, column or right that is gone ${on}`, async (t) => {
    const { place, ask, pool, inTransaction } = await workbench(t, { server });
    await place('invoices', { query: `"Odd ""name" = 'v3'` });
    await assert.rejects(ask({ rows: [{ table: 'public.nothing', key: ['1'], about: [] }] }), isUnevaluable);
    await inTransaction(async (client) => {
      await client.query('set local role safekeep_app');
      await assert.rejects(heldBy(client, 'default', { rows: [invoice(1)] }), isUnevaluable, 'no right to read the table');
    });
    await pool.query('grant select on public.invoices to safekeep_app; alter table public.invoices enable row level security');
    await inTransaction(async (client) => {
      await client.query('set local role safekeep_app');
      await assert.rejects(heldBy(client, 'default', { rows: [invoice(1)] }), isUnevaluable, 'row security hides rows');
    });
    await pool.query('alter table public.invoices drop column "Odd ""name"');
    await assert.rejects(ask({ rows: [invoice(1)] }), isUnevaluable);
  });

  test(`a condition that was tampered with in the database cannot become SQL ${on}`, async (t) => {
    const { ask, pool } = await workbench(t, { server });
    const payloads = [
      { column: 'id', is: '= 1 or true; drop table public.patients; --', value: '1' },
      { column: 'id" = 1; drop table public.patients; --', is: '=', value: '1' },
      { column: 'id', is: '=', value: "1'; drop table public.patients; --" },
      { column: 'id', is: '=', value: { a: 1 } },
      { column: 'id', is: 'in', values: 'x' },
      { column: 'id', is: 'null; drop table public.patients' },
      { all: [] },
      { all: 'x' },
      {},
      [],
      'drop table public.patients',
    ];
    for (const payload of payloads) {
      const {
        rows: [hold],
      } = await pool.query(
        `insert into safekeep.holds (tenant_id, hold_id, kind, target, table_schema, table_name, table_oid, condition, row_count, reason, owner, review_by, placed_by, placed_at)
         values ('default', $2, 'query', 'x', 'public', 'invoices', 'public.invoices'::regclass, $1, 0, 'x', 'x', '2030-01-01', 'x', now()) returning hold_id`,
        [JSON.stringify(payload), newId()],
      );
      await assert.rejects(ask({ rows: [invoice(1)] }), isUnevaluable, JSON.stringify(payload));
      await pool.query('delete from safekeep.holds where hold_id = $1', [hold.hold_id]);
    }
    assert.equal((await pool.query('select from public.patients')).rowCount, 3);
  });

  test(`values of a condition and of keys are never text of a statement ${on}`, async (t) => {
    const { place, ask, pool } = await workbench(t, { server });
    const evil = `'); drop table public.patients; --`;
    await assert.rejects(place(`invoices:${evil}`), (error) => isSafekeepError(error, 'hold-target-missing'));
    await assert.rejects(place(`client:1,${evil}`), (error) => isSafekeepError(error, 'hold-target-missing'));
    assert.equal((await place('invoices', { query: `"Odd ""name" = '${evil.replaceAll("'", "''")}'` })).rows, 0);
    assert.deepEqual(
      await ask({ people: [{ type: evil, key: [evil] }], rows: [{ table: 'public.clients', key: ['1', evil], about: [] }] }),
      [],
    );
    const { rows } = await pool.query<{ predicate: string; operands: string[] }>(
      `select * from safekeep.hold_predicate('{"column": "Odd \\"name", "is": "=", "value": "canary"}', 'public.invoices', false, '{}')`,
    );
    assert.ok(rows[0] !== undefined && !rows[0].predicate.includes('canary') && rows[0].operands.includes('canary'));
    assert.equal((await pool.query('select from public.patients')).rowCount, 3);
  });

  test(`the function for triggers answers as the question does ${on}`, async (t) => {
    const { place, ask, inTransaction } = await workbench(t, { server });
    await place('invoices:17');
    await place('invoices', { query: `state = 'open' and amount > 150 and due > '2026-01-05' or "Odd ""name" like '%5'` });
    await place('patient:43');
    await inTransaction(async (client) => {
      const { rows } = await client.query<{ id: string; held: boolean }>(
        `select id, safekeep.is_held('default', 'public.invoices', safekeep.key_part(id::text), to_jsonb(i), array['patient:42', 'nobody:x:y']) as held from public.invoices as i`,
      );
      const asked = await ask({ rows: rows.map(({ id }) => invoice(id)) });
      const held = new Set(heldKeys(asked));
      assert.ok(held.size > 4);
      for (const row of rows) assert.equal(row.held, held.has(row.id), row.id);
      const {
        rows: [person],
      } = await client.query(`select safekeep.is_held('default', 'public.clients', '1,x', '{}', array['patient:43']) as held`);
      assert.deepEqual(person, { held: true });
      await assert.rejects(
        client.query(`select safekeep.is_held('default', 'public.invoices', '1', null, '{}')`),
        /cannot be told/,
      );
    });
  });

  test(`the function for triggers works for a login of the application without rights on the table, and tells others nothing ${on}`, async (t) => {
    const { place, inTransaction } = await workbench(t, { server });
    await place('invoices', { query: 'amount > 150' });
    await inTransaction(async (client) => {
      await client.query('set local role safekeep_app');
      const { rows } = await client.query(
        `select safekeep.is_held('default', ('public.invoices'::regclass), '99', '{"amount": 151}', '{}') as yes,
                safekeep.is_held('default', ('public.invoices'::regclass), '99', '{"amount": 150}', '{}') as no`,
      );
      assert.deepEqual(rows, [{ yes: true, no: false }]);
    });
    for (const role of ['safekeep_client', 'safekeep_subject', 'safekeep_ingest', 'safekeep_auditor']) {
      for (const ask of [
        `select safekeep.is_held('default', ('public.invoices'::regclass), '99', '{}', array['patient:42'])`,
        `select safekeep.lock_holds('default', true)`,
      ])
        await inTransaction(async (client) => {
          await client.query(`set local role ${role}`);
          await assert.rejects(client.query(ask), { code: '42501' }, `${role}: ${ask}`);
        });
    }
    await inTransaction(
      async (client) => {
        await assert.rejects(
          client.query(`select safekeep.is_held('default', 'public.invoices', '1', '{}', '{}')`),
          /another tenant/,
        );
      },
      { tenant: 'other' },
    );
  });
}

test('a key is written alike by the database and by the program', async (t) => {
  const { pool } = await workbench(t);
  for (const part of ['a', 'a,b', 'a\\b', '\\,', ',\\', 'ü,', '']) {
    const { rows } = await pool.query('select safekeep.key_part($1) as part', [part]);
    assert.deepEqual(rows, [{ part: formatKey([part]) }]);
  }
});

test('100,000 rows and people are asked about in well under a second', async (t) => {
  const { place, inTransaction, pool } = await workbench(t);
  await pool.query(`create table public.visits (id bigint primary key, patient_id bigint, state text);
    insert into public.visits select n, n, case when n % 1000 = 0 then 'open' else 'done' end from generate_series(1, 200000) as n; analyze public.visits`);
  await place('visits', { query: `state = 'open'` });
  await place('visits:5');
  await place('patient:42');
  const rows = Array.from({ length: 100_000 }, (_, index): AskedRow => ({
    table: 'public.visits',
    key: [String(index + 1)],
    about: [patient(index + 1)],
  }));
  await inTransaction(async (client) => {
    const startMs = performance.now();
    const holds = await heldBy(client, 'default', { rows });
    t.diagnostic(`100,000 rows asked about in ${Math.round(performance.now() - startMs)} ms`);
    const counts = holds.map(({ target, heldRows }) => `${target} ${heldRows.length}`);
    assert.deepEqual(counts.toSorted(), ['patient:42 1', 'public.visits 100', 'public.visits:5 1']);
  });
});
