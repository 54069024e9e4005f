import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { testDatabase } from '@safekeep/postgres/testing';
import { safekeep, temporaryHome } from 'safekeep/testing';

const TABLES = 1_000;

test('a database of 1,000 tables is found, logged, proven and taken out again', async (t) => {
  const { pool, url } = await testDatabase(t);
  await pool.query(`create table patients (id integer primary key, full_name text, email text);
    insert into patients select n, 'Person ' || n, 'p' || n || '@example.org' from generate_series(1, 200) as n`);
  for (let table = 1; table < TABLES; table += 1)
    await pool.query(`create table part_${table} (id integer primary key, patient_id integer references patients (id), note text, at date);
      insert into part_${table} select n, n, 'note ' || n, date '2026-01-01' from generate_series(1, 20) as n`);
  await pool.query('analyze');
  const folder = await temporaryHome(t);
  const place = ['--db', url.reveal(), '--home', join(folder, 'home'), '--map', join(folder, 'datamap.yaml'), '--yes', '--json'];
  const call = async (...args: string[]) => {
    const { code, stdout, stderr } = await safekeep([...args, ...place]);
    assert.equal(code, 0, `${stderr}${stdout}`);
    return JSON.parse(stdout);
  };
  const { steps, seconds } = await call('demo');
  t.diagnostic(
    `${seconds} s: ${steps.map((step: { name: string; seconds: number }) => `${step.name} ${step.seconds}`).join(', ')}`,
  );
  await pool.query('update part_500 set note = $1', ['changed']);
  assert.equal((await call('audit', 'verify')).ok, true);
  assert.equal((await call('status')).ok, true);
  await call('unapply');
  const { rows } = await pool.query(`select count(*)::integer as n from pg_trigger where tgname like 'safekeep%'`);
  assert.deepEqual(rows, [{ n: 0 }]);
});
