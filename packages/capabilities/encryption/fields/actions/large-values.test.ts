import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BATCH_BYTES } from '../rules/pace.ts';
import { agreed, workbench } from '../testing/workbench.ts';
import { decryptField } from './decrypt-field.ts';
import { encryptField } from './encrypt-field.ts';
import { finishField } from './finish-field.ts';
import type { Ground } from './ground.ts';
import { sealing } from './passes.ts';
import { sweep } from './walk.ts';

const BODY = 'public.notes.body';
const VALUES = 60;
const BYTES = 1_000_000;
/** So well compressed that all of them lie in a page or two. */
const NOTES = `create table notes (id integer primary key, body text);
  insert into notes select n, n || repeat('x', ${BYTES}) from generate_series(1, ${VALUES}) as n; analyze notes`;

/** Keys that note how much was given to them at once. */
function weighed(ground: Ground): { readonly ground: Ground; readonly most: () => number } {
  const { keys } = ground;
  let most = 0;
  const weigh = (values: readonly { readonly length: number }[]): void => {
    most = Math.max(
      most,
      values.reduce((sum, { length }) => sum + length, 0),
    );
  };
  const seal: Ground['keys']['seal'] = async (field, values) => {
    weigh(values);
    return await keys.seal(field, values);
  };
  const open: Ground['keys']['open'] = async (field, values) => {
    weigh(values);
    return await keys.open(field, values);
  };
  return { ground: { ...ground, keys: { ...keys, seal, open } }, most: () => most };
}

test('values of a megabyte are taken a few at a time, however few pages they lie in', async (t) => {
  const bench = await workbench(t, { setUp: NOTES });
  const { ground, most } = weighed(bench.ground);
  const { column } = bench.order(BODY);
  await encryptField(ground, bench.order(BODY), agreed);
  const { field } = await finishField(ground, column, agreed);
  assert.equal(field.verified, VALUES);
  await decryptField(ground, column, agreed);
  assert.ok(most() > BYTES && most() <= BATCH_BYTES + 2 * BYTES, `${most()} bytes at once`);
  const { rows } = await bench.pool.query(`select count(*)::integer as whole from notes where body = id || repeat('x', ${BYTES})`);
  assert.deepEqual(rows, [{ whole: VALUES }]);
});

test('what is left for a sweep is bounded as well', async (t) => {
  const bench = await workbench(t, { setUp: NOTES });
  const { ground, most } = weighed(bench.ground);
  const { field } = await encryptField(ground, bench.order(BODY, { until: 'dual-write' }), agreed);
  await sweep(ground, field, sealing);
  assert.ok(most() > BYTES && most() <= BATCH_BYTES + 2 * BYTES, `${most()} bytes at once`);
  const { rows } = await bench.pool.query('select count(body_encrypted)::integer as sealed from notes');
  assert.deepEqual(rows, [{ sealed: VALUES }]);
});
