import assert from 'node:assert/strict';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { clinic } from './lived-in.ts';

// Quotes, a statement, a comment, a backslash, a dollar quote, a line break, letters that turn the direction, and a lookalike.
const NASTY = `x"; drop table victims; --'$$\\ \n\u202e\u0430`;
const VALUES = [`'; drop table victims; --`, '"quoted" $$dollar$$', '\u202eevil', 'a\\b,%_', '=cmd|/c <script>'];

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

test('tables, columns and people with names that are statements are only names, all the way', { timeout: 600_000 }, async (t) => {
  const setUp = `
    create table victims (id integer primary key); insert into victims values (1);
    create table ${quoted(NASTY)} (${quoted(`id${NASTY}`)} text primary key, ${quoted(`mail${NASTY}`)} text, ${quoted(`ssn${NASTY}`)} text);
    create table ${quoted(`visits ${NASTY}`)} (n integer primary key, ${quoted(`who${NASTY}`)} text not null references ${quoted(NASTY)}, note text);`;
  const { pool, done, cli, folder } = await clinic(t, setUp);
  for (const [place, value] of VALUES.entries()) {
    await pool.query(`insert into ${quoted(NASTY)} values ($1, $2, $3)`, [`${value}${place}`, value, `${value} ssn`]);
    await pool.query(`insert into ${quoted(`visits ${NASTY}`)} values ($1, $2, $3)`, [place, `${value}${place}`, value]);
  }
  await pool.query(
    `insert into ${quoted(NASTY)} select 'n' || n, 'm' || n || '@example.org', 's' || n from generate_series(1, 60) as n`,
  );
  const table = `public.${quoted(NASTY)}`;
  const map = {
    version: 1,
    tenant: 'fixed',
    purposes: { care: { use: 'essential.service', basis: 'contract', retention: '10y', condition: 'health_care' } },
    audit: { writes: true },
    subjects: { client: { table, key: `id${NASTY}`, find_by: [`mail${NASTY}`], label: `mail${NASTY}` } },
    tables: {
      [table]: {
        purposes: ['care'],
        columns: {
          [`id${NASTY}`]: { category: 'user.unique_id' },
          [`mail${NASTY}`]: { category: 'user.contact.email' },
          [`ssn${NASTY}`]: { category: 'user.government_id.national_identification_number' },
        },
      },
      [`public.${quoted(`visits ${NASTY}`)}`]: {
        of: { client: quoted(`who${NASTY}`) },
        purposes: ['care'],
        columns: {
          n: { category: 'none', note: 'ours' },
          [`who${NASTY}`]: { category: 'user.unique_id' },
          note: { category: 'user', free_text: true },
        },
      },
    },
  };
  await writeFile(join(folder, 'datamap.yaml'), JSON.stringify(map));
  await cli(['scan', '--write', '--json']);
  await done('apply');
  await done('encrypt', `${table}.${quoted(`ssn${NASTY}`)}`);
  for (const [place, value] of VALUES.entries()) {
    const found = await cli(['subject', 'find', value, '--json']);
    assert.equal(found.code, 0, found.stdout);
    const key = `${value}${place}`.replaceAll('\\', '\\\\').replaceAll(',', '\\,');
    const exported = await cli([
      'subject',
      'export',
      `client:${key}`,
      '--format',
      'json',
      '--out',
      join(folder, `${place}.json`),
      '--json',
    ]);
    assert.equal(exported.code, 0, `${value}: ${exported.stdout}`);
    assert.equal(JSON.parse(exported.stdout).rows, 2, value);
    const { hash } = JSON.parse((await cli(['subject', 'erase', `client:${key}`, '--plan', '--json'])).stdout);
    const erased = await cli(['subject', 'erase', `client:${key}`, '--approve', hash, '--json']);
    assert.equal(erased.code, 0, `${value}: ${erased.stdout}`);
    const { rows } = await pool.query(`select from ${quoted(NASTY)} where ${quoted(`mail${NASTY}`)} = $1`, [value]);
    assert.deepEqual(rows, [], value);
  }
  const { rows: others } = await pool.query(
    `select count(*)::integer as n from ${quoted(NASTY)} where ${quoted(`mail${NASTY}`)} like 'm%'`,
  );
  assert.deepEqual(others, [{ n: 60 }], 'nobody else was touched');
  assert.deepEqual((await pool.query('select id from victims')).rows, [{ id: 1 }]);
  await done('audit', 'verify');
  await done('decrypt', `${table}.${quoted(`ssn${NASTY}`)}`, '--no-wait');
  await done('unapply');
});

test('a NUL, a lone surrogate and a text without end in an argument are refused or found nowhere', async (t) => {
  const { done, cli, pool } = await clinic(t);
  await done('apply');
  for (const query of ['\ud800', 'x'.repeat(100_000), `' or 1=1 --`, '%', '\\']) {
    const { code, stdout } = await cli(['subject', 'find', query, '--json']);
    assert.ok(code === 0 || code === 1 || code === 2, stdout);
    if (code === 0) assert.deepEqual(JSON.parse(stdout).matches, [], query.slice(0, 20));
  }
  for (const subject of [
    'patient:',
    'patient',
    'patient:1;2',
    'patient:1 or 1=1',
    `patient:1'`,
    'patient:99999999999999999999',
    'nobody:1',
    '../x:1',
  ]) {
    const { code, stdout } = await cli(['subject', 'erase', subject, '--plan', '--json']);
    assert.ok(code === 1 || code === 2, `${subject} ${stdout}`);
    assert.notEqual(JSON.parse(stdout).error.code, 'internal', subject);
  }
  const { rows } = await pool.query('select count(email)::integer as n from patients');
  assert.deepEqual(rows, [{ n: 100 }]);
});
