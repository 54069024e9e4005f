import assert from 'node:assert/strict';
import { test } from 'node:test';
import type pg from 'pg';
import { consistencyProof, inclusionProof, leafHash, openCheckpoint, verifyConsistency, verifyInclusion } from '@safekeep/tlog';
import { commitmentsOf, leafBytes, leafOf, readSealed, SEED_BYTES } from '../rules/leaf.ts';
import { tileReader } from '../store/sequencer.ts';
import { readLog } from '../testing/read-log.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { beginErasure, drainBeforeErasure, emptyAfterErasure, forget } from './erase-subject.ts';

const CLINIC = `
  create table patients (id integer primary key, name text, email text);
  create table invoices (id integer primary key, patient_id integer references patients, amount numeric, note text);
`;
const personal = { category: 'user.contact.email' };
const plain = { category: 'none', note: 'looked at' };
const subjects = { patient: { table: 'public.patients', key: 'id' } };
const TABLES = {
  'public.patients': { columns: { id: plain, name: personal, email: personal } },
  'public.invoices': {
    of: { patient: 'patient_id' },
    on_erasure: { keep: 'legal_obligation', cite: 'tax code' },
    columns: { id: plain, patient_id: plain, amount: plain, note: personal },
  },
};

async function erase(bench: Workbench, id: number): Promise<{ readonly keyIds: readonly string[]; readonly events: number }> {
  await drainBeforeErasure(bench.sequencer);
  return await bench.database.withClient(async (client) => {
    await client.query('begin');
    const who = { tenant: 'default', subject: `patient:${id}` };
    await beginErasure(client, bench.sequencer, who);
    await client.query('update public.invoices set patient_id = null where patient_id = $1', [id]);
    await client.query('delete from public.patients where id = $1', [id]);
    const done = await forget(client, bench.sequencer, who);
    await client.query('commit');
    return done;
  });
}

test('erasing a person leaves nothing of them readable, and every proof, checkpoint and root as it was', async (t) => {
  const bench = await workbench(t, { setUp: CLINIC });
  await bench.capture(TABLES, { subjects });
  await bench.pool.query(`insert into patients values (1, 'Ann Secret', 'ann@secret.example'), (2, 'Bob', 'b@b.c')`);
  await bench.pool.query(`insert into invoices values (7, 1, 12.50, 'root canal')`);
  await bench.pool.query(`update patients set email = 'ann@second.example' where id = 1`);
  await bench.sequence();
  const before = await bench.events();
  const [first] = before;
  assert.ok(first);
  const { rows: notes } = await bench.pool.query<{ note: string }>('select note from safekeep.audit_checkpoints');
  const old = openCheckpoint(notes[0]?.note ?? '', { trusted: [bench.sequencer.signer.verifierKey] });
  const tree = { tenant: 'default', era: 1 };
  const reader = tileReader(bench.pool, tree);
  const proof = await inclusionProof(reader, { index: first.index, size: old.size });

  const done = await erase(bench, 1);
  await emptyAfterErasure(bench.sequencer);
  const { rows: waiting } = await bench.pool.query<{ text: string }>(
    `select coalesce(string_agg(i::text, ' '), '') as text
       from (select * from safekeep.audit_inbox_even union all select * from safekeep.audit_inbox_odd) as i`,
  );
  assert.doesNotMatch(waiting[0]?.text ?? '', /secret|second/i, 'nor in what waits to be emptied');
  assert.equal(done.events, 2);
  assert.equal(done.keyIds.length, 1);
  await bench.sequence();

  const after = await bench.events();
  const dump =
    JSON.stringify(after) +
    JSON.stringify(
      (await bench.pool.query('table safekeep.audit_inbox_even union all table safekeep.audit_inbox_odd')).rows.filter(
        (row) => row.keys_only,
      ),
    );
  for (const secret of ['Ann Secret', 'ann@secret', 'ann@second']) assert.ok(!dump.includes(secret), secret);
  for (const event of after.filter(({ table }) => table === 'public.patients')) {
    if (event.record === '2') continue;
    assert.deepEqual([event.record, event.subject, await bench.opened(event)], [null, null, []]);
  }
  const kept = after.find(({ table, action }) => table === 'public.invoices' && action === 'insert');
  assert.ok(kept);
  assert.deepEqual(
    (await bench.opened(kept))[0]?.new,
    { id: '7', patient_id: '1', note: 'root canal' },
    'what the law keeps is sealed under the other key',
  );

  assert.deepEqual(
    after.slice(0, before.length).map((event) => leafBytes(leafOf(event)).toString()),
    before.map((event) => leafBytes(leafOf(event)).toString()),
  );
  assert.deepEqual((await readLog(bench.pool)).faults, []);
  verifyInclusion({ index: first.index, size: old.size, root: old.root, leaf: leafHash(leafBytes(leafOf(first))) }, proof);
  const now = await readLog(bench.pool);
  verifyConsistency(
    old,
    { size: now.size, root: Buffer.from(now.root, 'base64') },
    await consistencyProof(reader, { from: old.size, to: now.size }),
  );
  // Attack: somebody who kept a copy of the database and knows what was written guesses; the salt that he would need is gone.
  const [salted] = after;
  assert.ok(salted !== undefined && first.commitments.length === SEED_BYTES);
  assert.ok(!salted.commitments.includes(first.commitments), 'the seed of all salts is gone');
  assert.deepEqual(
    commitmentsOf(salted).map(({ kind, salt }) => [kind, salt === undefined]),
    commitmentsOf(first).map(({ kind }) => [kind, kind !== 'r']),
    'and the salts of what was erased with it',
  );
});

test('what was written about a person and not sequenced before the erasure loses its values with it', async (t) => {
  const bench = await workbench(t, { setUp: CLINIC });
  await bench.capture(TABLES, { subjects });
  await bench.pool.query(`insert into patients values (1, 'Ann', 'a@b.c')`);
  await bench.sequence();
  await bench.database.withClient(async (client) => {
    await client.query('begin');
    await beginErasure(client, bench.sequencer, { tenant: 'default', subject: 'patient:1' });
    await client.query('delete from public.patients where id = 1');
    await forget(client, bench.sequencer, { tenant: 'default', subject: 'patient:1' });
    await client.query('commit');
  });
  const { erased } = await bench.sequence();
  assert.equal(erased, 1);
  await bench.pool.query(`insert into patients values (1, 'Ann again', 'again@b.c')`);
  assert.equal((await bench.sequence()).erased, 1, 'no key is made for her again');
  const events = await bench.events();
  assert.deepEqual(
    events.map(({ record, sealed }) => [record, sealed === null ? null : readSealed(sealed).length]),
    [
      [null, 1],
      [null, null],
      [null, null],
    ],
  );
});

test('an application can neither switch its changes to keys only nor read an inbox, a key or a secret', async (t) => {
  const bench = await workbench(t, { setUp: CLINIC });
  await bench.capture(TABLES, { subjects });
  await bench.pool.query('grant all on patients to safekeep_app; grant usage on schema public to safekeep_app');
  await bench.database.withClient((client) => attack(client));
  await bench.sequence();
  const update = (await bench.events()).find(({ action }) => action === 'update');
  assert.ok(update);
  assert.deepEqual((await bench.opened(update))[0]?.new, { name: 'Z' }, 'the setting alone does nothing');
});

test('whoever drains stands in line behind a sequencer that works, and does not go on without the log', async (t) => {
  const bench = await workbench(t, { setUp: CLINIC });
  await bench.capture(TABLES, { subjects });
  await bench.pool.query(`insert into patients values (1, 'Ann', 'a@b.c')`);
  const other = await bench.pool.connect();
  await other.query('begin; lock table safekeep.audit_sequencer in exclusive mode');
  const draining = drainBeforeErasure(bench.sequencer);
  for (let waiting = 0; waiting === 0;) {
    const { rows } = await bench.pool.query<{ n: number }>('select count(*)::int as n from pg_locks where not granted');
    waiting = rows[0]?.n ?? 0;
  }
  assert.equal((await bench.events()).length, 0);
  await other.query('commit');
  other.release();
  await draining;
  assert.equal((await bench.events()).length, 1);
});

test('statistics never hold what stands in an inbox', async (t) => {
  const bench = await workbench(t, { setUp: CLINIC });
  await bench.capture(TABLES, { subjects });
  await bench.pool.query(`insert into patients select n, 'Ann Secret', 'ann@secret.example' from generate_series(1, 50) as n`);
  await bench.pool.query(
    `update patients set name = 'Ann Second' where id < 40; analyze safekeep.audit_inbox_even, safekeep.audit_inbox_odd`,
  );
  const { rows } = await bench.pool.query<{ told: string }>(
    `select coalesce(string_agg(s::text, ' '), '') as told from pg_stats as s where tablename like 'audit_inbox%'`,
  );
  assert.match(rows[0]?.told ?? '', /order_no/);
  assert.doesNotMatch(rows[0]?.told ?? '', /Ann|secret/);
});

async function attack(client: pg.ClientBase): Promise<void> {
  await client.query('set role safekeep_app');
  const refused = async (statement: string): Promise<void> => {
    await client.query('savepoint attempt');
    await assert.rejects(client.query(statement), /permission denied|row-level security/, statement);
    await client.query('rollback to attempt');
  };
  await client.query(
    `begin; select set_config('safekeep.keys_only', 'on', true); insert into public.patients values (1, 'A', 'b'); update public.patients set name = 'Z'`,
  );
  await refused(`select safekeep.capture_keys_only('default', 'patient:1')`);
  await refused(`insert into safekeep.audit_keys_only select 'default', pg_current_xact_id(), 'x'`);
  await refused('select safekeep.is_keys_only()');
  for (const table of ['audit_inbox_even', 'audit_inbox_odd', 'audit_actor_keys', 'audit_sequencer', 'audit_keys_only'])
    await refused(`select * from safekeep.${table}`);
  for (const table of ['audit_events', 'audit_tiles', 'audit_trees', 'audit_checkpoints', 'audit_captures']) {
    await refused(`delete from safekeep.${table}`);
    await refused(`update safekeep.${table} set tenant_id = 'x'`);
  }
  await refused(`select safekeep.is_actor_proof('default', 'a', 'b', 'c', 'd', 1, now())`);
  await refused(`select safekeep.make_actor_key('default')`);
  await refused(`select safekeep.close_commitments('', '', '', '{}', false, '', '{}')`);
  const { rows } = await client.query(`select proname from pg_proc where proname like 'capture_insert_%'`);
  await client.query('create temporary table fake (id integer, name text, email text)');
  await refused(`create trigger fake after insert on fake for each row execute function safekeep.${rows[0].proname}()`);
  await client.query('commit; reset role');
}
