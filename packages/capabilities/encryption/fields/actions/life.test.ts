import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testServers } from '@safekeep/postgres/testing';
import { countLeft, readLeftUnsealed } from '../store/rows.ts';
import { agreed, workbench } from '../testing/workbench.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';
import { reading } from './ground.ts';
import { rotateField } from './rotate-field.ts';

const PEOPLE = `
  create table people (id integer primary key, email varchar(80) not null, note text, born date);
  insert into people select n, 'person' || n || '@example.org', case when n % 3 = 0 then null when n % 3 = 1 then '' else 'note ' || n end, date '1950-01-01' + n
    from generate_series(1, 4000) as n`;

for (const server of testServers()) {
  test(`a column goes all the way in, is rotated, and comes all the way back to the byte (PostgreSQL ${server.name})`, async (t) => {
    const bench = await workbench(t, { setUp: PEOPLE, server });
    const { ground, pool } = bench;
    const before = await bench.fingerprint();
    const rows = async () => (await pool.query('select id, email, note, born::text from people order by id')).rows;
    const original = await rows();

    const { field } = await encryptField(ground, bench.order('public.people.email', { search: ['exact'] }), agreed);
    assert.deepEqual([field.phase, field.done, field.total, field.verified], ['switched', 4_000, 4_000, 4_000]);
    assert.deepEqual(await rows(), original, 'the plaintext still stands');
    await reading(ground, async (client) => {
      const looks = async () =>
        (await client.query(`select seq_scan::integer as whole from pg_stat_xact_user_tables where relname = 'people'`)).rows;
      const before = await looks();
      assert.equal(await countLeft(client, field, 'unsealed'), 0);
      assert.deepEqual(await readLeftUnsealed(client, field, 5), { rows: [], found: 0 });
      assert.deepEqual(
        await looks(),
        before,
        'what is left is found by its index, and by no look at the whole table under the lock',
      );
    });
    await encryptField(ground, bench.order('public.people.note'), agreed);
    await encryptField(ground, bench.order('public.people.born'), agreed);

    const { field: finished, residue } = await finishField(ground, bench.order('public.people.email').column, agreed);
    assert.deepEqual([finished.phase, finished.verified], ['finished', 4_000]);
    assert.ok(residue.length > 0);
    const { rows: left } = await pool.query(
      `select count(email)::integer as plain, count(email_encrypted)::integer as sealed from people`,
    );
    assert.deepEqual(left, [{ plain: 0, sealed: 4_000 }]);
    await assert.rejects(pool.query(`insert into people (id, email) values (0, 'plain@example.org')`), /takes no plaintext/);
    await assert.rejects(pool.query(`update people set email = 'plain@example.org' where id = 1`), /takes no plaintext/);
    await assert.rejects(pool.query(`update people set email = null where id = 1`), /is kept sealed/);
    await assert.rejects(
      pool.query(`update people set email_encrypted = 'plain', email_exact_index = 1 where id = 1`),
      /violates check constraint/,
    );
    await assert.rejects(pool.query(`update people set email_encrypted = null where id = 1`), /violates check constraint/);

    const { census, currentKeyId } = await rotateField(ground, bench.order('public.people.email').column, {
      agree: agreed,
      resume: false,
    });
    assert.deepEqual(census, [{ keyId: currentKeyId, values: 4_000 }]);

    for (const column of ['email', 'note', 'born'])
      await decryptField(ground, bench.order(`public.people.${column}`).column, agreed);
    assert.deepEqual(await rows(), original);
    assert.equal(await bench.fingerprint(), before);
    assert.equal((await pool.query('select from safekeep.fields')).rowCount, 0);
  });
}
