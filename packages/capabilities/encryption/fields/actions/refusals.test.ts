import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError, type ErrorCode } from '@safekeep/core';
import { indexForms, sealTexts } from '@safekeep/crypto';
import { agreed, workbench, type Workbench } from '../testing/workbench.ts';
import { changeIndexes } from './change-indexes.ts';
import { changeMode } from './change-mode.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';
import type { Ground } from './ground.ts';
import { rotateField } from './rotate-field.ts';

const ROWS = 600;
const PEOPLE = `create table people (id integer primary key, email text);
  insert into people select n, 'person' || n || '@example.org' from generate_series(1, ${ROWS}) as n`;
const EMAIL = 'public.people.email';

function refused(code: ErrorCode) {
  return (error: unknown): boolean => {
    assert.ok(isSafekeepError(error, code), String(error));
    return true;
  };
}

/** What stands in the table and what Safekeep knows of the field: nothing of it may have moved. */
async function standing({ pool, fingerprint }: Workbench): Promise<unknown> {
  const { rows: people } = await pool.query('select p::text as row from people as p order by id');
  const { rows: fields } = await pool.query(
    `select mode, phase, direction, (select count(*)::integer from safekeep.field_indexes) as indexes from safekeep.fields`,
  );
  return { people, fields, structure: await fingerprint() };
}

/** Stops the work at the first commit of a batch, as Ctrl-C does. */
function stoppedAtCommit(ground: Ground): Ground {
  const stop = new AbortController();
  const observe: Ground['observe'] = (moment) => void (moment === 'committed' && stop.abort(new Error('stopped here')));
  return { ...ground, signal: stop.signal, observe };
}

test('a field whose readers do not take the ciphertext yet is not finished, rotated, searched otherwise or given to the database', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { ground, order } = bench;
  const { column } = order(EMAIL);
  await encryptField(ground, order(EMAIL, { until: 'dual-write' }), agreed);
  const before = await standing(bench);
  const attempts = {
    finish: () => finishField(ground, column, agreed),
    rotate: () => rotateField(ground, column, { agree: agreed, resume: false }),
    mode: () => changeMode(ground, column, { mode: 'database', agree: agreed }),
    search: () => changeIndexes(ground, column, { acceptLeak: false, agree: agreed, search: ['exact'] }),
  };
  for (const [name, attempt] of Object.entries(attempts)) await assert.rejects(attempt, refused('field-not-switched'), name);
  assert.deepEqual(await standing(bench), before);
  // What the remedy says.
  await encryptField(ground, order(EMAIL), agreed);
  assert.equal((await finishField(ground, column, agreed)).field.phase, 'finished');
});

test('a field on its way back is not encrypted, finished, searched otherwise or given to the database; back, it can be encrypted', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { ground, order } = bench;
  const { column } = order(EMAIL);
  await encryptField(ground, order(EMAIL), agreed);
  await finishField(ground, column, agreed);
  await assert.rejects(decryptField(stoppedAtCommit(ground), column, agreed), /stopped here/);
  const before = await standing(bench);
  const attempts = {
    encrypt: () => encryptField(ground, order(EMAIL), agreed),
    finish: () => finishField(ground, column, agreed),
    mode: () => changeMode(ground, column, { mode: 'database', agree: agreed }),
    search: () => changeIndexes(ground, column, { acceptLeak: false, agree: agreed, search: ['exact'] }),
  };
  for (const [name, attempt] of Object.entries(attempts)) await assert.rejects(attempt, refused('field-going-back'), name);
  assert.deepEqual(await standing(bench), before);
  await decryptField(ground, column, agreed);
  assert.deepEqual((await bench.pool.query('select count(email)::integer as n from people')).rows, [{ n: ROWS }]);
  assert.equal((await encryptField(ground, order(EMAIL), agreed)).field.phase, 'switched');
});

test('while somebody goes on writing under the old key a rotation does not call itself done, and resumed it ends', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { ground, order, pool, keys } = bench;
  const { column } = order(EMAIL);
  const { field } = await encryptField(ground, order(EMAIL), agreed);
  await finishField(ground, column, agreed);
  const [old] = await sealTexts(keys, field, ['late@example.org']);
  // A client that never asks again: whatever is written to the row, its value under the old key is written after it.
  await pool.query('create schema elsewhere; create table elsewhere.kept (sealed bytea)');
  await pool.query('insert into elsewhere.kept values ($1)', [old]);
  await pool.query(`create function elsewhere.write_again() returns trigger language plpgsql as $$ begin
      if pg_trigger_depth() = 1 then update public.people set email_encrypted = (select sealed from elsewhere.kept) where id = 5; end if;
      return null; end $$;
    create trigger write_again after update on people for each statement execute function elsewhere.write_again()`);
  await assert.rejects(rotateField(ground, column, { agree: agreed, resume: false }), refused('field-key-in-use'));
  const { rows } = await pool.query('select email_encrypted as sealed from people where id = 5');
  assert.deepEqual(rows, [{ sealed: old }], 'what was written last stands');
  await pool.query('drop trigger write_again on people');
  const { census, currentKeyId } = await rotateField(ground, column, { agree: agreed, resume: true });
  assert.deepEqual(census, [{ keyId: currentKeyId, values: ROWS }]);
});

test('an index that shall be unique is not searched where two rows have come to one value, and is made once they differ', async (t) => {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { ground, order, pool, keys } = bench;
  const { column } = order(EMAIL);
  const { field } = await encryptField(ground, order(EMAIL), agreed);
  await finishField(ground, column, agreed);
  const sealed = async (text: string): Promise<Buffer> => (await sealTexts(keys, field, [text]))[0] ?? assert.fail();
  // After the plan, in which all values differed.
  const agree = async (): Promise<void> => {
    await pool.query('insert into people (id, email_encrypted) values (9001, $1)', [await sealed('person7@example.org')]);
  };
  const asked = { acceptLeak: true, search: ['unique'] } as const;
  await assert.rejects(changeIndexes(ground, column, { ...asked, agree }), refused('field-values-doubled'));
  const { rows } = await pool.query('select state from safekeep.field_indexes');
  assert.deepEqual(rows, [{ state: 'building' }]);
  assert.deepEqual((await pool.query('select count(email_encrypted)::integer as n from people')).rows, [{ n: ROWS + 1 }]);

  const index = { kind: 'unique', version: 1, bits: 64 } as const;
  const number = async (text: string): Promise<unknown> => (await indexForms(keys, field, index, [text]))[0];
  await pool.query('update people set email_encrypted = $1, email_unique_index = $2 where id = 9001', [
    await sealed('another@example.org'),
    await number('another@example.org'),
  ]);
  const served = await changeIndexes(ground, column, { ...asked, agree: agreed });
  assert.deepEqual(
    served.indexes.map(({ kind, state }) => [kind, state]),
    [['unique', 'serving']],
  );
});
