import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compoundForm, isSafekeepError } from '@safekeep/core';
import { indexForms, sealTexts } from '@safekeep/crypto';
import { testServers } from '@safekeep/postgres/testing';
import type { Field, Mode } from '../model.ts';
import { agreed, workbench, type Workbench } from '../testing/workbench.ts';
import { changeIndexes } from './change-indexes.ts';
import { changeMode } from './change-mode.ts';
import { decryptAll } from './decrypt-all.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';
import { maskStored } from './mask-stored.ts';

const ROWS = 3_000;
const PEOPLE = `
  create table people (id integer primary key, surname text, born date, seen timestamptz not null default '2024-01-01');
  insert into people select n, case when n % 400 = 0 then null else 'Müller' || n % 600 end, date '1940-01-01' + n * 7
    from generate_series(1, ${ROWS}) as n`;

async function sealed(bench: Workbench, mode: Mode): Promise<void> {
  for (const name of ['surname', 'born']) {
    const order = bench.order(`public.people.${name}`, { mode });
    await encryptField(bench.ground, order, agreed);
    await finishField(bench.ground, order.column, agreed);
  }
}

/** Every stored number is that of the two values of its row, by the table as it was; null where one is missing. */
async function compare(bench: Workbench, field: Field): Promise<number> {
  const index = field.indexes.find(({ kind, state }) => kind === 'compound' && state === 'serving') ?? assert.fail('none serves');
  const { rows } = await bench.pool.query<{ surname: string | null; born: string; number: string | null }>(
    `select o.surname, o.born::text as born, p."${index.column}"::text as number from people p join original o using (id) order by id`,
  );
  const forms = rows.map(({ surname, born }) =>
    compoundForm([
      { value: surname, type: 'text' },
      { value: born, type: 'date' },
    ]),
  );
  const numbers = await indexForms(bench.keys, field, index, forms);
  for (const [place, row] of rows.entries()) assert.equal(row.number, row.surname === null ? null : numbers[place]);
  return rows.length;
}

for (const server of testServers())
  for (const mode of ['client', 'database'] as const) {
    test(`a column is searched together with another in ${mode} mode: filled in, made anew, kept by triggers, taken away (PostgreSQL ${server.name})`, async (t) => {
      const bench = await workbench(t, {
        setUp: `${PEOPLE}; create table original as select id, surname, born from people`,
        server,
      });
      const { ground, pool, keys } = bench;
      const before = await bench.fingerprint();
      await sealed(bench, mode);
      const { column } = bench.order('public.people.surname');
      const order = { acceptLeak: false, agree: agreed };

      const made = await changeIndexes(ground, column, { ...order, searchWith: ['born'] });
      assert.deepEqual(
        made.indexes.map(({ kind, state, column: name, parts }) => [kind, state, name, parts.map((part) => part.column)]),
        [['compound', 'serving', 'surname_compound_index', ['surname', 'born']]],
      );
      assert.equal(await compare(bench, made), ROWS);
      const anew = await changeIndexes(ground, column, { ...order, renew: ['compound'] });
      assert.deepEqual(
        anew.indexes.map(({ version, state, column: name }) => [version, state, name]),
        [[2, 'serving', 'surname_compound_index_2']],
      );
      await compare(bench, anew);
      const [index] = anew.indexes;
      assert.ok(index);
      const { rows: plan } = await pool.query(`explain select id from people where surname_compound_index_2 = 5`);
      assert.match(JSON.stringify(plan), /zz_safekeep_compound2_/);

      // A value that changes alone would leave the number of the pair before: refused, or made by the database.
      const [surname] = await sealTexts(keys, anew, ['Schmidt']);
      const born = index.parts[1] ?? assert.fail();
      const [sealedBorn] = await sealTexts(keys, born, ['1950-02-03']);
      const number = async (name: string, day: string): Promise<string> =>
        (
          await indexForms(keys, anew, index, [
            compoundForm([
              { value: name, type: 'text' },
              { value: day, type: 'date' },
            ]),
          ])
        )[0] ?? assert.fail();
      await assert.rejects(pool.query('update people set surname_encrypted = $1 where id = 5', [surname]), /searched together/);
      await assert.rejects(pool.query('update people set born_encrypted = $1 where id = 5', [sealedBorn]), /searched together/);
      await assert.rejects(
        pool.query('insert into people (id, surname_encrypted, born_encrypted) values (9001, $1, $2)', [surname, sealedBorn]),
        /searched together/,
      );
      const all = 'update people set surname_encrypted = $1, born_encrypted = $2, surname_compound_index_2 = $3 where id = 5';
      await pool.query(all, [surname, sealedBorn, await number('Schmidt', '1950-02-03')]);
      // The same values sealed anew: the number stays, and was given.
      const [again] = await sealTexts(keys, anew, ['Schmidt']);
      await pool.query(all, [again, sealedBorn, await number('Schmidt', '1950-02-03')]);
      await assert.rejects(pool.query('update people set surname_encrypted = $1 where id = 5', [surname]), /searched together/);
      await pool.query('update people set born_encrypted = null where id = 5');
      const stored = async (id: number): Promise<unknown> =>
        (await pool.query('select surname_compound_index_2::text as number from people where id = $1', [id])).rows[0]?.number;
      assert.equal(await stored(5), null, 'what has no pair is found by none');
      await pool.query('update people set born_encrypted = $1, surname_compound_index_2 = $2 where id = 5', [
        sealedBorn,
        await number('Schmidt', '1950-02-03'),
      ]);

      if (mode === 'database')
        await throughTheView(bench, [anew, born], async (id) =>
          assert.equal(await stored(id), await number('Weber', '1960-01-01')),
        );

      // What is erased in one column leaves nothing in the other's index.
      const mask = await maskStored(pool, ground.keys, { tenant: 'default', table: 'public.people', column: 'born', text: 'x' });
      assert.deepEqual(mask?.indexes, [{ column: 'surname_compound_index_2', value: null }]);

      // Columns leave the search before they go back, or change hands.
      for (const name of ['surname', 'born']) {
        const ref = bench.order(`public.people.${name}`).column;
        const told = (error: unknown): boolean =>
          isSafekeepError(error, 'field-unfit') && /surname with born.*--with none/.test(error.message);
        await assert.rejects(decryptField(ground, ref, agreed), told);
        await assert.rejects(changeMode(ground, ref, { mode: mode === 'client' ? 'database' : 'client', agree: agreed }), told);
      }
      assert.deepEqual((await changeIndexes(ground, column, { ...order, searchWith: [] })).indexes, []);
      await pool.query('update people set surname_encrypted = $1 where id = 5', [surname]);
      for (const name of ['surname', 'born']) await decryptField(ground, bench.order(`public.people.${name}`).column, agreed);
      assert.equal(await bench.fingerprint(), before);
      const { rows: changed } = await pool.query(
        'select p.id, p.surname, p.born::text as born from people p left join original o using (id) where row(p.surname, p.born) is distinct from row(o.surname, o.born) order by id',
      );
      assert.deepEqual(changed[0], { id: 5, surname: 'Schmidt', born: '1950-02-03' });
      assert.equal(changed.length, mode === 'database' ? 3 : 1);
    });
  }

/** Sessions that unlocked the keys write plaintext, both columns or one, and the number follows. */
async function throughTheView(
  bench: Workbench,
  fields: readonly Pick<Field, 'id' | 'tenant' | 'keyScope'>[],
  check: (id: number) => Promise<void>,
): Promise<void> {
  const { pool, keys } = bench;
  const client = await pool.connect();
  try {
    await client.query('begin');
    for (const field of fields) await client.query('select safekeep.unlock($1)', [keys.bundle(field, [1, 2])]);
    await client.query(`insert into people_decrypted (id, surname, born) values (9002, 'Weber', '1960-01-01')`);
    await client.query(`update people_decrypted set surname = 'Weber' where id = 7`);
    await client.query(`update people_decrypted set born = '1960-01-01' where id = 7`);
    await client.query('commit');
    await check(9002);
    await check(7);
    await client.query('begin');
    await assert.rejects(client.query(`update people_decrypted set born = '1961-01-01' where id = 7`), /takes no plaintext/);
    await client.query('rollback');
    // Half of the keys make half of a number: none.
    await client.query('begin');
    const [, born] = fields;
    assert.ok(born);
    await client.query('select safekeep.unlock($1)', [keys.bundle(born, [1, 2])]);
    await assert.rejects(client.query(`update people_decrypted set born = '1961-01-01' where id = 7`), /searched together/);
    await client.query('rollback');
  } finally {
    client.release();
  }
}

test('a search together with a column that is not ready is refused with what to do first', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { ground } = bench;
  const { column } = bench.order('public.people.surname');
  await encryptField(ground, bench.order('public.people.surname'), agreed);
  const asked = (searchWith: readonly string[]) => changeIndexes(ground, column, { searchWith, acceptLeak: false, agree: agreed });
  const refused = (pattern: RegExp) => (error: unknown) => isSafekeepError(error, 'field-unfit') && pattern.test(error.message);
  await assert.rejects(asked(['born']), refused(/born: it is not encrypted/));
  await encryptField(ground, bench.order('public.people.born'), agreed);
  await assert.rejects(asked(['born']), refused(/safekeep encrypt finish public\.people\.surname[^]*finish public\.people\.born/));
  await finishField(ground, column, agreed);
  await finishField(ground, bench.order('public.people.born').column, agreed);
  await changeMode(ground, bench.order('public.people.born').column, { mode: 'database', agree: agreed });
  await assert.rejects(asked(['born']), refused(/other hands.*--mode client/));
});

test('all columns go back to plaintext together, also where two are searched with each other', async (t) => {
  const bench = await workbench(t, { setUp: `${PEOPLE}; create table original as select id, surname, born from people` });
  const { ground, pool } = bench;
  const before = await bench.fingerprint();
  await sealed(bench, 'client');
  await changeIndexes(ground, bench.order('public.people.surname').column, {
    acceptLeak: false,
    agree: agreed,
    searchWith: ['born'],
  });
  const asked: number[] = [];
  const given = await decryptAll(ground, async ({ length }) => void asked.push(length));
  assert.deepEqual([asked, given.map(({ column }) => column).toSorted()], [[2], ['born', 'surname']]);
  assert.deepEqual(await bench.fingerprint(), before);
  const { rowCount } = await pool.query('select id, surname, born from people except select id, surname, born from original');
  assert.equal(rowCount, 0);
  assert.deepEqual(await decryptAll(ground, async () => assert.fail('nothing is left to be asked about')), []);
});
