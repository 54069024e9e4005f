import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError, SafekeepError } from '@safekeep/core';
import { testServers } from '@safekeep/postgres/testing';
import { mapHistory } from '../../datamap/index.ts';
import { workbench } from '../testing/workbench.ts';

const PATIENTS = `
  create table patients (id integer primary key, name text not null, email text);
  comment on column patients.name is 'as on the passport';
  create table visits (id integer primary key, patient_id integer references patients, note text);`;
const MAP = {
  'public.patients': {
    columns: {
      id: { category: 'user.unique_id' },
      name: { category: ['user.name', 'user.contact'], protect: 'client' },
      email: { category: 'user.contact.email' },
    },
  },
};

async function commentOf(
  pool: { query: (text: string) => Promise<{ rows: { comment: string | null }[] }> },
  table: string,
  place: number,
) {
  return (await pool.query(`select col_description('${table}'::regclass, ${place}) as comment`)).rows[0]?.comment;
}

for (const server of testServers()) {
  test(`apply writes categories behind the user's own comments, and unapply gives these back exactly (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: PATIENTS, server });
    const intent = bench.intent(MAP);
    const before = await bench.userState();

    const applied = await bench.apply(intent);
    assert.deepEqual(
      applied.steps.map(({ id }) => id),
      [
        'create column-comment:public.patients.email',
        'create column-comment:public.patients.id',
        'create column-comment:public.patients.name',
      ],
    );
    assert.equal(
      await commentOf(bench.pool, 'patients', 2),
      'as on the passport\n[safekeep category=user.name,user.contact protect=client]',
    );
    assert.equal(await commentOf(bench.pool, 'patients', 3), '[safekeep category=user.contact.email protect=none]');

    const status = await bench.status(intent);
    assert.deepEqual(
      { ok: status.ok, drift: status.drift, pending: status.pending, applied: status.applied },
      { ok: true, drift: [], pending: [], applied: 3 },
    );
    assert.deepEqual((await bench.apply(intent)).steps, [], 'apply twice is apply once');

    const out = await bench.unapply();
    assert.equal(out.restored, true);
    assert.deepEqual(out.changedSince, []);
    assert.equal(out.fingerprint, before.fingerprint);
    assert.deepEqual(await bench.userState(), before);
    assert.deepEqual((await bench.pool.query('select from safekeep.applied_objects')).rowCount, 0);
    assert.deepEqual((await bench.unapply()).steps, [], 'there is nothing left to take out');
  });
}

test('a change of the map replaces what it changes, takes out what it drops, and leaves the rest alone', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  await bench.apply(bench.intent(MAP));
  const changed = bench.intent({
    'public.patients': {
      columns: { id: { category: 'user.unique_id' }, name: { category: 'user.name' }, email: { category: 'none' } },
    },
  });
  const { steps } = await bench.apply(changed);
  assert.deepEqual(
    steps.map(({ id }) => id),
    ['remove column-comment:public.patients.email', 'replace column-comment:public.patients.name'],
  );
  assert.equal(await commentOf(bench.pool, 'patients', 2), 'as on the passport\n[safekeep category=user.name protect=none]');
  assert.equal(await commentOf(bench.pool, 'patients', 3), null);
});

test('what was applied is kept as a version of the map with its author, also where it asks for nothing new, and once only', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  const history = async () =>
    (await mapHistory(bench.database, 'default')).map(({ number, author, sha256, changes }) => ({
      number,
      author,
      sha256,
      changes,
    }));
  const intent = bench.intent(MAP);
  assert.equal((await bench.apply(intent)).mapVersion, 1);
  assert.equal((await bench.apply(intent, { author: 'Grace' })).mapVersion, 1);
  const first = { number: 1, author: 'Ada', sha256: intent.read.sha256, changes: ['the first version'] };
  assert.deepEqual(await history(), [first]);

  const noted = bench.intent({ 'public.patients': { ...MAP['public.patients'], note: 'those of the north' } });
  const { steps, mapVersion } = await bench.apply(noted, { author: 'Grace' });
  assert.deepEqual([steps, mapVersion], [[], 2]);
  const changes = ['public.patients: note (nothing) -> those of the north'];
  assert.deepEqual(await history(), [{ number: 2, author: 'Grace', sha256: noted.read.sha256, changes }, first]);
});

test('a map that was not applied is not kept as a version', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  const declined = async (): Promise<never> => {
    throw new SafekeepError('declined', { action: 'it' });
  };
  await assert.rejects(bench.apply(bench.intent(MAP), { agree: declined }), (error) => isSafekeepError(error, 'declined'));
  const blocked = bench.intent({ 'public.gone': {} });
  await assert.rejects(bench.apply(blocked), (error) => isSafekeepError(error, 'plan-blocked'));
  assert.deepEqual(await mapHistory(bench.database, 'default'), []);
});

test('the plan that was looked at is run, and refused once map or table have changed', async (t) => {
  const bench = await workbench(t, { setUp: PATIENTS });
  const intent = bench.intent(MAP);
  const { hash } = await bench.plan(intent);
  assert.equal((await bench.plan(intent)).hash, hash, 'the same plan has the same hash');
  const otherMap = bench.intent({ 'public.patients': { columns: { id: { category: 'user.unique_id' } } } });
  await assert.rejects(bench.apply(otherMap, { hash }), (error) => isSafekeepError(error, 'plan-outdated'));
  await bench.pool.query('alter table patients add column phone text');
  await assert.rejects(bench.apply(intent, { hash }), (error) => isSafekeepError(error, 'plan-outdated'));
  assert.equal((await bench.status(intent)).applied, 0);
  await bench.pool.query('alter table patients drop column phone');
  assert.equal((await bench.apply(intent, { hash })).hash, hash);
  assert.deepEqual((await bench.apply(intent, { hash })).steps, [], 'the same command once more finds it done');
});
