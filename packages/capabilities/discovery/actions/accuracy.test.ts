import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '@safekeep/core';
import { testDatabase } from '@safekeep/postgres/testing';
import { scanDatabase } from './scan.ts';
import { labelledSchemas, type Truth } from '../testing/labelled-schemas.ts';
import { loadPractice } from '../testing/practice.ts';

const SCHEMAS = join(import.meta.dirname, '../../../../../shared/data/schemas');
const PAGE = readFileSync(join(import.meta.dirname, '../../../../docs/discovery-accuracy.md'), 'utf8');
const ORDER = { tenant: 'default', clock: systemClock, signal: new AbortController().signal };

type Tally = { found: number; missed: string[]; wrong: string[] };

function judge(tally: Tally, column: string, truth: Truth | undefined, personal: boolean): void {
  if (truth === 'personal' && personal) tally.found += 1;
  if (truth === 'personal' && !personal) tally.missed.push(column);
  if (truth === 'not' && personal) tally.wrong.push(column);
}

function report({ found, missed, wrong }: Tally): { readonly recall: number; readonly precision: number; readonly told: string } {
  return {
    recall: found / (found + missed.length),
    precision: found / (found + wrong.length),
    told: `missed ${missed.join(', ')}; wrong ${wrong.join(', ')}`,
  };
}

/** The page says what is measured here: columns, personal ones, missed and false. */
function assertTold(database: string, columns: number, { found, missed, wrong }: Tally): void {
  const row = PAGE.split('\n').find((line) => line.startsWith(`| ${database}`)) ?? '';
  const figures = row.split('|').slice(2, 6).map(Number);
  assert.deepEqual(figures, [columns, found + missed.length, missed.length, wrong.length], `docs/discovery-accuracy.md: ${row}`);
}

test('by names alone, on empty tables in six languages, nearly every personal column is found and few others', async (t) => {
  const { database, pool } = await testDatabase(t);
  const tally: Tally = { found: 0, missed: [], wrong: [] };
  let looked = 0;
  for (const { name, ddl, truth } of labelledSchemas) {
    await pool.query(ddl);
    const { columns } = await scanDatabase(database, { ...ORDER, schemas: [name] });
    assert.equal(columns.length, truth.size, name);
    looked += columns.length;
    for (const { column, decision } of columns) {
      const [, table = '', own = ''] = column.replaceAll('"', '').split('.');
      judge(tally, `${name}.${table}.${own}`, truth.get(`${table}.${own}`), decision !== 'none');
    }
  }
  const { recall, precision, told } = report(tally);
  t.diagnostic(`recall ${recall.toFixed(3)}, precision ${precision.toFixed(3)}; ${told}`);
  assert.ok(recall >= 0.95 && precision >= 0.95, `${recall} ${precision}: ${told}`);
  assertTold('nine labelled schemas', looked, tally);
});

test('in the sample practice nearly every personal column is found, and its people with their keys', async (t) => {
  const { database, pool } = await testDatabase(t);
  const { labels } = await loadPractice(pool);
  const { columns, subjects } = await scanDatabase(database, ORDER);
  const tally: Tally = { found: 0, missed: [], wrong: [] };
  for (const finding of columns) {
    const label = labels.get(finding.column);
    if (label === undefined) continue;
    const truth: Truth = !label.includes('none') ? 'personal' : label.length === 1 ? 'not' : 'either';
    judge(
      tally,
      truth === 'not' && finding.decision !== 'none' ? `${finding.column} (${finding.evidence.join(' | ')})` : finding.column,
      truth,
      finding.decision !== 'none',
    );
  }
  const { recall, precision, told } = report(tally);
  t.diagnostic(`recall ${recall.toFixed(3)}, precision ${precision.toFixed(3)}; ${told}`);
  assert.ok(recall >= 0.98 && precision >= 0.95, `${recall} ${precision}: ${told}`);
  assertTold('sample practice', columns.length, tally);
  assert.deepEqual(
    subjects.map(({ name, table, key }) => [name, table, ...key]),
    [
      ['patient', 'public.patients', 'id'],
      ['staff', 'public.staff', 'id'],
    ],
  );
});

test('an empty pagila is judged by its names alone', async (t) => {
  const file = join(SCHEMAS, 'pagila-schema.sql');
  if (!existsSync(file)) return t.skip('skipped: ../shared/data not present');
  const { database, pool } = await testDatabase(t);
  // The extension for vectors is no part of PostgreSQL.
  const script = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => !/\bvector\b|hnsw|^\\/i.test(line))
    .join('\n');
  const client = await pool.connect();
  await client.query(script);
  client.release(true);
  const { columns } = await scanDatabase(database, { ...ORDER, schemas: ['public'] });
  const personal = new Set(columns.filter(({ decision }) => decision !== 'none').map(({ column }) => column));
  for (const column of [
    'customer.first_name',
    'customer.last_name',
    'customer.email',
    'staff.password',
    'staff.picture',
    'address.phone',
    'address.postal_code',
  ])
    assert.ok(personal.has(`public.${column}`), column);
  for (const column of ['film.title', 'city.city', 'category.name', 'country.country', 'inventory.film_id', 'customer.active'])
    assert.ok(!personal.has(`public.${column}`), column);
});
