import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { application } from './bench.ts';

/** What an application may write into each type, beside what it reads like. */
const TAKEN: Readonly<Record<string, readonly unknown[]>> = {
  'smallint': [-32_768, '32767', '007'],
  'integer': [2_147_483_647, '-0'],
  'numeric': ['1.50', '-0.00', 12n, 0.1],
  'numeric(10,2)': ['5', '19.9', 19.995, '-0.004', '-0.005', '99999999.99', 'NaN'],
  'numeric(3,5)': ['0.001', '0.00999', '-0.000004'],
  'numeric(3,0)': ['999.4', '-0.5'],
  'varchar(5)': ['abc', 'abcde    ', 'äöüß€'],
  'char(5)': ['ab   ', '', 'abcde   '],
  'timestamptz(0)': ['2026-01-01 00:00:00.5+00', '1999-12-31 23:59:59.5Z', 'infinity', new Date('2026-05-01T10:00:00.499Z')],
  'timestamptz(3)': ['2026-01-01 00:00:00.1235+01', '1999-12-31 23:59:59.999499+00'],
  'date': ['2024-02-29', '0044-03-15 BC'],
  'jsonb': [
    { bb: 1, a: [true, null, { ü: 'x"\\/\n\u0007é\u2028', aa: 1.5 }], c: {} },
    '{"a":1,"a":  1e2, "Z": -0.0, "zz": 1.50e-3, "y": []}',
    '"text"',
    ' 12345678901234567890.0100 ',
    'null',
  ],
  'json': ['{"a":1,  "a":2}', { b: 1 }],
  'money_like': ['19.999'],
};

const REFUSED: readonly (readonly [type: string, value: unknown])[] = [
  ['smallint', 100_000],
  ['integer', 3_000_000_000],
  ['numeric(10,2)', '99999999.995'],
  ['numeric(10,2)', 'Infinity'],
  ['numeric(3,5)', '0.01'],
  ['varchar(5)', 'abcdef'],
  ['char(5)', 'abcde f'],
  ['jsonb', { z: '\u0000' }],
  ['jsonb', '"\\ud800"'],
  ['jsonb', '1e200000'],
  ['money_like', '100.00'],
];

const types = Object.keys(TAKEN);
const SET_UP = `create domain money_like as numeric(4,2);
  create table stored (id integer primary key, ${types.map((type, place) => `v${place} ${type}, w${place} ${type}`).join(', ')})`;

test('what the SDK writes is what the column would have stored, in every type, to the end and all the way back', async (t) => {
  const { sdk, sealed, pool, encrypt, finish, decrypt } = await application<object>(t, SET_UP);
  const names = types.map((_, place) => `public.stored.v${place}`);
  for (const name of names) await encrypt(name);
  const write = async (from: number): Promise<void> => {
    for (const [place, type] of types.entries())
      for (const [nth, value] of (TAKEN[type] ?? []).entries()) {
        const row = { ...(await sdk.sealRow(names[place] ?? '', value)), [`w${place}`]: value, id: from + place * 100 + nth };
        const columns = Object.keys(row);
        await sealed.query(
          `insert into stored (${columns.join(', ')}) values (${columns.map((_, at) => `$${at + 1}`).join(', ')})`,
          Object.values(row),
        );
      }
  };
  await write(0);
  for (const name of names) await finish(name);
  await write(10_000);
  for (const [type, value] of REFUSED) {
    const place = types.indexOf(type);
    await assert.rejects(pool.query(`insert into stored (id, w${place}) values (-1, $1)`, [value]), `${type} takes it`);
    await assert.rejects(
      sdk.sealRow(names[place] ?? '', value),
      (error) => isSafekeepError(error, 'field-value-refused'),
      `${type} ${String(value)}`,
    );
  }
  const client = await pool.connect();
  await client.query(`set timezone to 'UTC'`);
  const { rows } = await client.query<Record<string, Buffer | string | null>>(
    `select id, ${types.map((_, place) => `v${place}_encrypted, w${place}::text`).join(', ')} from stored order by id`,
  );
  client.release();
  for (const row of rows)
    for (const [place, name] of names.entries()) {
      const bytes = row[`v${place}_encrypted`];
      const opened = await sdk.open(name, Buffer.isBuffer(bytes) ? bytes : null);
      assert.equal(opened, row[`w${place}`], `${types[place]}, row ${String(row['id'])}`);
    }
  for (const name of names) await decrypt(name);
  const differing = types.map((_, place) => `v${place}::text is distinct from w${place}::text`).join(' or ');
  assert.deepEqual((await pool.query(`select id from stored where ${differing}`)).rows, []);
});
