import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { acknowledge } from '../actions/acknowledge.ts';
import { ownersOfLogs } from '../files/last-checkpoint.ts';
import { tampering } from '../testing/tampering.ts';
import { workbench } from '../testing/workbench.ts';
import { keptCheckpoints } from './log-files.ts';

const plain = { category: 'none', note: 'looked at' };

async function bench(t: TestContext) {
  const made = await workbench(t, {
    setUp: `create table things (id integer primary key, v text); insert into things select n, 'v' || n from generate_series(1, 20) as n;
      create table notes (v text); insert into notes select 'v' || n from generate_series(1, 20) as n`,
    baselines: true,
  });
  const table = (columns: object) => ({ of: 'none', columns });
  await made.capture({ 'public.things': table({ id: plain, v: plain }), 'public.notes': table({ v: plain }) });
  await made.sequence();
  const differences = async () => {
    await made.sequence();
    return (await made.verify()).differences;
  };
  const answer = async (rows: string) =>
    await acknowledge(made.sequencer, {
      tenant: 'default',
      reason: 'a repair by hand',
      rows,
      outside: await keptCheckpoints(made.home, 'default'),
      owners: await ownersOfLogs(made.home),
    });
  const refused = (rows: string) => assert.rejects(answer(rows), (error) => isSafekeepError(error, 'audit-rows-changed'));
  return { ...made, ...tampering(made), differences, answer, refused };
}

test('what is acknowledged is what was seen: another edit of the same row since is not, nor one of another row', async (t) => {
  const { unseen, differences, answer, refused, verify, pool, events } = await bench(t);
  assert.equal(await differences(), undefined);
  await unseen(`update things set v = 'repaired' where id = 7`);
  const seen = await differences();
  assert.equal(seen?.count, 1);
  assert.match(seen.digest, /^[0-9a-f]{32}$/);
  await pool.query(
    `insert into things values (21, 'honest'); update things set v = 'honest' where id = 8; insert into notes values ('honest')`,
  );
  assert.deepEqual(await differences(), seen, 'honest work is none');
  await unseen(`update things set v = 'stolen' where id = 7`);
  const later = await differences();
  assert.equal(later?.count, 1);
  assert.notEqual(later.digest, seen.digest);
  await refused(seen.digest);
  assert.deepEqual(await differences(), later, 'nothing was answered for');
  await unseen(`update things set v = 'repaired' where id = 7; delete from things where id = 9`);
  await refused(seen.digest);
  await unseen(`insert into things values (9, 'v9')`);
  assert.deepEqual(await differences(), seen);
  assert.deepEqual((await answer(seen.digest)).baselines, ['public.things']);
  assert.deepEqual(await verify(), []);
  const [ended] = (await events()).filter(({ action }) => action === 'baseline-ended');
  assert.deepEqual((JSON.parse(ended?.details ?? '{}') as { differences: unknown }).differences, seen);
  await unseen(`update things set v = 'stolen' where id = 7`);
  assert.equal((await differences())?.count, 1, 'a later edit is a fault again');
});

test('of a table without a key the rows stand for themselves, and a digest of the other home names nothing', async (t) => {
  const { unseen, differences, answer, refused, verify } = await bench(t);
  await unseen(`update notes set v = 'one' where v = 'v3'`);
  const seen = await differences();
  await unseen(`update notes set v = 'another' where v = 'one'`);
  const later = await differences();
  assert.deepEqual([seen?.count, later?.count], [1, 1]);
  assert.notEqual(later?.digest, seen?.digest);
  await refused(seen?.digest ?? '');
  await refused('0'.repeat(32));
  await answer(later?.digest ?? '');
  assert.deepEqual(await verify(), []);
  await refused(later?.digest ?? '');
});
