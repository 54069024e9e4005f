import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalForm, isSafekeepError, type IndexKind, type SearchKind } from '@safekeep/core';
import { indexForms, sealTexts } from '@safekeep/crypto';
import { testServers } from '@safekeep/postgres/testing';
import type { Field } from '../model.ts';
import { agreed, workbench, type Workbench } from '../testing/workbench.ts';
import { changeIndexes } from './change-indexes.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';

const ROWS = 3_000;
const PEOPLE = `
  create table people (id integer primary key, name text, born date, visits integer not null default 0);
  insert into people select n, case when n % 500 = 0 then null when n % 250 = 0 then '' else 'Person ' || chr(65 + n % 26) || n end, date '1920-01-01' + n * 9
    from generate_series(1, ${ROWS}) as n`;

/** Every stored index is that of the value beside it: null where there is none. Counts them. */
async function compare(bench: Workbench, field: Field, kinds: readonly SearchKind[]): Promise<number> {
  const { rows } = await bench.pool.query<Record<string, string | null>>(
    `select name_encrypted is not null as sealed, coalesce(name, (select o.name from original o where o.id = p.id)) as plain, p.* from people p order by id`,
  );
  let compared = 0;
  for (const kind of kinds) {
    const index = field.indexes.find((each) => each.kind === kind) ?? assert.fail(kind);
    const values = rows.flatMap(({ plain }) => (typeof plain === 'string' ? [plain] : []));
    const numbers = await indexForms(
      bench.keys,
      field,
      index,
      values.map((value) => canonicalForm(kind, value, 'text')),
    );
    const expected = new Map(values.map((value, place) => [value, numbers[place]]));
    for (const row of rows) {
      const stored: unknown = row[index.column];
      const shown = Buffer.isBuffer(stored) ? `\\x${stored.toString('hex')}` : stored;
      assert.equal(shown, typeof row['plain'] === 'string' ? expected.get(row['plain']) : null, `${kind} of row ${row['id']}`);
      compared += 1;
    }
  }
  return compared;
}

for (const server of testServers()) {
  test(`an index is added to a column whose plaintext is gone, made anew and taken away, and each value is found (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: `${PEOPLE}; create table original as select id, name from people`, server });
    const { ground, pool, keys } = bench;
    const before = await bench.fingerprint();
    const column = bench.order('public.people.name').column;
    await encryptField(ground, bench.order('public.people.name'), agreed);
    await finishField(ground, column, agreed);

    const order = { acceptLeak: false, agree: agreed };
    const added = await changeIndexes(ground, column, { ...order, search: ['exact', 'soundex'] }).catch((error: unknown) => {
      // Soundex of these names has one of 26 forms: the refusal has the figures.
      assert.ok(
        isSafekeepError(error, 'field-search-unsafe') && /\d+ rows have \d+ different values/.test(error.message),
        String(error),
      );
    });
    assert.equal(added, undefined);
    const exact = await changeIndexes(ground, column, { ...order, search: ['exact'] });
    assert.deepEqual(
      exact.indexes.map(({ kind, state, version }) => [kind, state, version]),
      [['exact', 'serving', 1]],
    );
    assert.ok((await compare(bench, exact, ['exact'])) === ROWS);

    const anew = await changeIndexes(ground, column, { ...order, renew: ['exact'] });
    assert.deepEqual(
      anew.indexes.map(({ kind, state, version, column: name }) => [kind, state, version, name]),
      [['exact', 'serving', 2, 'name_exact_index_2']],
    );
    await compare(bench, anew, ['exact']);
    const { rows: there } = await pool.query(
      `select attname from pg_attribute where attrelid = 'people'::regclass and attname like '%index%' and not attisdropped`,
    );
    assert.deepEqual(there, [{ attname: 'name_exact_index_2' }], 'the one before is gone');
    const asNumber = async (index: IndexLike): Promise<string> =>
      (await indexForms(keys, anew, index, ['Person B1']))[0] ?? assert.fail();

    // A writer that knows the index writes both; one that does not is told, instead of a value that nobody finds.
    const [index] = anew.indexes;
    assert.ok(index);
    assert.notEqual(await asNumber({ ...index, version: 1 }), await asNumber(index), 'under a key of its own');
    const [sealed] = await sealTexts(keys, anew, ['Person B1']);
    const [number] = await indexForms(keys, anew, index, ['Person B1']);
    await assert.rejects(
      pool.query('update people set name_encrypted = $1 where id = 5', [sealed]),
      /written without name_exact_index_2/,
    );
    await assert.rejects(pool.query('insert into people (id, name_encrypted) values (9001, $1)', [sealed]), /written without/);
    await pool.query('update people set name_encrypted = $1, name_exact_index_2 = $2 where id = 5', [sealed, number]);
    const [again] = await sealTexts(keys, anew, ['Person B1']);
    await pool.query('update people set name_encrypted = $1, name_exact_index_2 = $2 where id = 5', [again, number]);
    await assert.rejects(
      pool.query('update people set name_encrypted = $1 where id = 5', [sealed]),
      /written without/,
      'that one row was given says nothing of the next',
    );
    await pool.query('update people set name_encrypted = null where id = 5');
    assert.deepEqual((await pool.query('select name_exact_index_2 as number from people where id = 5')).rows, [{ number: null }]);
    const { rows: plan } = await pool.query<{ 'QUERY PLAN': string }>(
      `explain select id from people where name_exact_index_2 = ${number}`,
    );
    assert.match(plan.map((row) => row['QUERY PLAN']).join('\n'), /Index.*zz_safekeep_exact2_/);

    const none = await changeIndexes(ground, column, { ...order, search: [] });
    assert.deepEqual(none.indexes, []);
    await pool.query('update people set name_encrypted = $1 where id = 5', [(await sealTexts(keys, anew, ['Person F5']))[0]]);
    await decryptField(ground, column, agreed);
    assert.equal(await bench.fingerprint(), before);
    assert.deepEqual(
      (await pool.query('select id, name from people order by id')).rows,
      (await pool.query('select id, name from original order by id')).rows,
    );
  });
}

type IndexLike = { readonly kind: IndexKind; readonly version: number; readonly bits: number };
