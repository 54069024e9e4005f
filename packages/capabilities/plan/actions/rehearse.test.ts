import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@safekeep/core';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import pg from 'pg';
import { columnComments } from '../contributors/column-comments.ts';
import { mapOf, userCatalog } from '../testing/workbench.ts';
import { fingerprint } from '@safekeep/postgres';
import { wish } from '../testing/contributors.ts';
import { rehearse, type Stage } from './rehearse.ts';

const PATIENTS = 'create table patients (id integer primary key, name text); insert into patients values (1, $$x$$)';
const READ = mapOf({ tables: { 'public.patients': { columns: { name: { category: 'user.name' } } } } });

/** A database that nobody is connected to, as `CREATE DATABASE … TEMPLATE` demands. */
async function quietDatabase(t: Parameters<typeof testDatabase>[0] & object) {
  const made = await testDatabase(t, { server: testServers()[0] });
  const client = new pg.Client({ connectionString: made.url.reveal() });
  await client.connect();
  await client.query(PATIENTS);
  await client.end();
  const asked: string[] = [];
  const stage: Stage = {
    url: made.url,
    tenant: 'default',
    clock: systemClock,
    signal: new AbortController().signal,
    observe: () => undefined,
    confirm: async (action) => void asked.push(action),
  };
  return { ...made, stage, asked };
}

async function copies(pool: pg.Pool): Promise<number> {
  return (await pool.query(`select from pg_database where datname like 'safekeep\\_rehearsal\\_%'`)).rowCount ?? -1;
}

test('a rehearsal applies to a copy, takes it out again, tells times, and leaves neither copy nor change', async (t) => {
  const { stage, asked, pool } = await quietDatabase(t);
  const result = await rehearse(stage, { tenant: 'default', read: READ, contributors: [columnComments] });
  assert.deepEqual([result.state, result.reason, result.restored], ['passed', null, true]);
  assert.deepEqual(
    result.steps.map(({ id }) => id),
    ['create column-comment:public.patients.name'],
  );
  assert.ok(result.copySeconds > 0 && result.applySeconds > 0);
  assert.match(asked.join(), /Copying the database \(\d+ MB\)/);
  assert.equal(await copies(pool), 0);
  assert.equal((await pool.query(`select from pg_namespace where nspname = 'safekeep'`)).rowCount, 0);
});

test('a plan that fails is told as failed, with the reason that the real apply would have given', async (t) => {
  const { stage, pool } = await quietDatabase(t);
  const unique = wish({
    id: 'unique:1',
    kind: 'unique',
    target: 'public.patients',
    definition: '',
    probe: { sql: 'select 1 as place where $1::text is null', key: [] },
    create: ['alter table public.patients add check (id > 1)'],
    remove: [],
    locks: [],
  });
  const result = await rehearse(stage, {
    tenant: 'default',
    read: READ,
    contributors: [() => ({ objects: [unique], problems: [], notes: [] })],
  });
  assert.equal(result.state, 'failed');
  assert.match(result.reason ?? '', /violated by some row/);
  assert.equal(await copies(pool), 0);
  assert.equal(fingerprint(await userCatalog(pool)).length, 64);
});

test('while others are connected a rehearsal says that it cannot be evaluated, and why', async (t) => {
  const { stage, pool } = await quietDatabase(t);
  const session = await pool.connect();
  const result = await rehearse(stage, { tenant: 'default', read: READ, contributors: [columnComments] });
  session.release();
  assert.equal(result.state, 'not-evaluable');
  assert.match(result.reason ?? '', /1 other session/);
  assert.equal(await copies(pool), 0);
});

test('a copy that a killed rehearsal left behind is dropped by the next one', async (t) => {
  const { stage, url, pool } = await quietDatabase(t);
  const source = new URL(url.reveal()).pathname.slice(1);
  const { copyName } = await import('../store/copy.ts');
  const server = new pg.Client({ connectionString: testServers()[0].url.reveal() });
  await server.connect();
  await server.query(`create database ${copyName(source, 'left')}`);
  assert.equal((await server.query(`select from pg_database where datname like 'safekeep\\_rehearsal\\_%'`)).rowCount, 1);
  await server.end();
  assert.equal((await rehearse(stage, { tenant: 'default', read: READ, contributors: [columnComments] })).state, 'passed');
  assert.equal(await copies(pool), 0);
});
