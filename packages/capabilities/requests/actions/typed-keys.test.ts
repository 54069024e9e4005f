import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSafekeepError, Secret } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { formatPerson, ownKey } from '../../holds/index.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { exportSubject } from './export-subject.ts';
import { findSubjects } from './find-subject.ts';
import { findPerson, parseSubject } from './ground.ts';
import { planErasure } from './plan-erasure.ts';
import { replayLedger } from './replay-ledger.ts';

const none = { category: 'none' };
const name = { category: 'user.name' };
const email = { category: 'user.contact.email' };
const UUID = '0190a0b0-aaaa-7000-8000-0000000000ab';

const SCHEMA = `create extension citext;
  create table people (id bigint primary key, name text not null, email text unique);
  insert into people values (1, 'Ada Byron', 'ada@example.org'), (2, 'Ben Cole', 'ben@example.org'), (3, 'Cy Dunn', 'cy@example.org');
  create table visits (id bigint primary key, person_id bigint not null references people, reason text);
  insert into visits values (1, 1, 'ada reason'), (2, 2, 'ben reason'), (3, 3, 'cy reason');
  create table guests (id uuid primary key, name text); insert into guests values ('${UUID}', 'Dee');
  create table logins (id citext primary key, name text); insert into logins values ('Eve', 'Eve Fox');
  create table codes (id char(4) primary key, name text); insert into codes values ('abcd', 'Fay'), ('x', 'Gus');
  create table prices (id numeric primary key, name text); insert into prices values (1.50, 'Hal')`;
const table = { columns: { id: none, name } };
const kind = (of: string): object => ({ table: `public.${of}`, key: 'id', find_by: ['name'], label: 'name' });
const MAP = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: kind('people'), guest: kind('guests'), login: kind('logins'), code: kind('codes'), price: kind('prices') },
  tables: {
    'public.people': { columns: { id: none, name, email } },
    'public.visits': {
      of: { person: 'person_id' },
      columns: { id: none, person_id: none, reason: { category: 'user.content.private' } },
    },
    'public.guests': table,
    'public.logins': table,
    'public.codes': table,
    'public.prices': table,
  },
};

async function exportOf(bench: Workbench, subject: string): Promise<string> {
  const out = join(bench.folder, `${randomBytes(4).toString('hex')}.json`);
  const order = { ...(await findPerson(bench.ground, subject)), format: 'json', window: { from: null, to: null }, out } as const;
  await exportSubject({ ...bench.ground, directory: bench.folder, key: randomBytes(32) }, order);
  return await readFile(out, 'utf8');
}

test('in whatever way the key of a person is typed it is that person: to holds, an erasure, an export, a look and a replay', async (t) => {
  const bench = await workbench(t, { schema: SCHEMA, map: MAP });
  const { ground } = bench;
  for (const [typed, own] of [
    ['person:042', 'person:42'],
    ['person: 1', 'person:1'],
    ['person:+02', 'person:2'],
    [`guest:{${UUID.toUpperCase()}}`, `guest:${UUID}`],
    ['login:EVE', 'login:Eve'],
    ['login:nobody', 'login:nobody'],
    ['code:x   ', 'code:x'],
    ['code:abcdefg', 'code:abcdefg'],
    ['price:1.5', 'price:1.50'],
  ] as const)
    assert.equal(formatPerson((await findPerson(ground, typed)).person), own, typed);
  for (const typed of ['person:x', 'person:99999999999999999999', 'guest:1', 'person:1\0'])
    await assert.rejects(findPerson(ground, typed), (error) => isSafekeepError(error, 'subject-invalid'), typed);
  await assert.rejects(
    bench.plan('code:abcdefg'),
    (error) => isSafekeepError(error, 'subject-invalid'),
    'it is cut to no stranger',
  );
  await assert.rejects(bench.plan('person:042'), (error) => isSafekeepError(error, 'subject-unknown'));

  await bench.hold('person:1');
  assert.equal((await bench.plan('person:01')).holds[0]?.wholePerson, true);
  await assert.rejects(bench.erase('person: 1'), (error) => isSafekeepError(error, 'erasure-held'));
  assert.match(await exportOf(bench, 'person:02'), /Ben Cole/);
  const found = await findSubjects(ground, 'person:003', { limit: 5 });
  assert.deepEqual(
    found.matches.map(({ subject, exact }) => [subject, exact]),
    [['person:3', true]],
  );

  // What is not asked for by its own text is refused wherever it comes from.
  for (const typed of ['person:02', 'login:EVE']) {
    const order = { ...parseSubject(ground.map, typed), mode: 'anonymise' } as const;
    await assert.rejects(planErasure(ground, order, 'ann'), (error) => isSafekeepError(error, 'subject-invalid'), typed);
  }
  const done = await bench.erase('person:03');
  assert.deepEqual([done.state, done.verified], ['done', true]);
  assert.equal((await bench.rows('people', `id = 3 and (name = 'Cy Dunn' or email = 'cy@example.org')`)).length, 0);
  await bench.pool.query(`delete from safekeep.erasures; update people set name = 'Cy Dunn', email = 'cy@example.org' where id = 3;
    update visits set reason = 'cy reason' where id = 3`);
  const { persons } = await replayLedger(ground, { plan: false, by: 'ann', also: ['person:03'] });
  assert.deepEqual(
    persons.map(({ subject, state }) => [subject, state]),
    [['person:3', 'done']],
  );
  assert.deepEqual(await bench.rows('visits', 'reason is not null'), ['(1,1,"ada reason")', '(2,2,"ben reason")']);

  // Whoever looks into the log need not read the table.
  await bench.pool.query("create role reads_no_people login password 'x'");
  const url = new URL(bench.url.reveal());
  [url.username, url.password] = ['reads_no_people', 'x'];
  const database = await openDatabase(new Secret(url.href), { applicationName: 'typed-keys' });
  try {
    assert.deepEqual(await ownKey(database, 'default', { subject: { table: 'public.people', key: ['id'] }, key: ['007'] }), ['7']);
  } finally {
    await database.close();
    await bench.pool.query('drop role reads_no_people');
  }
});
