import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError, newId, type ErrorCode } from '@safekeep/core';
import { testServers } from '@safekeep/postgres/testing';
import { workbench } from '../testing/workbench.ts';
import { holdHistory, listHolds, refuseWhileHeld } from './list-holds.ts';
import { onRelease, releaseHold } from './release-hold.ts';
import { reviewHold } from './review-hold.ts';

const refused =
  (code: ErrorCode) =>
  (error: unknown): boolean =>
    isSafekeepError(error, code);

for (const server of testServers()) {
  test(`what cannot be held is refused, and nothing of it stays on PostgreSQL ${server.name}`, async (t) => {
    const { place, pool } = await workbench(t, { server });
    await pool.query(`create table public.keyless (a text); create view public.seen as select * from public.patients;
      create table public.short (code varchar(3) primary key, fixed char(4) unique); insert into public.short values ('abc', 'x')`);
    for (const [target, query, code] of [
      ['patient:99', undefined, 'hold-target-missing'],
      ['patient:4x', undefined, 'hold-target-missing'],
      ['patient:99999999999999999999', undefined, 'hold-target-missing'],
      ['patient:4\0', undefined, 'hold-target-missing'],
      ['client:1', undefined, 'hold-target-missing'],
      ['client:1,a,b', undefined, 'hold-target-missing'],
      ['invoices:0', undefined, 'hold-target-missing'],
      ['short:abcd', undefined, 'hold-target-missing'],
      ['nothing:1', undefined, 'hold-target-invalid'],
      ['keyless:1', undefined, 'hold-table-unfit'],
      ['seen:42', undefined, 'hold-table-unfit'],
      ['invoices', 'nothing = 1', 'hold-condition-unfit'],
      ['invoices', 'ctid = 1', 'hold-condition-unfit'],
      ['invoices', `tags = '{}'`, 'hold-condition-unfit'],
      ['invoices', `amount > 'much'`, 'hold-condition-unfit'],
      ['invoices', `state = 'lost'`, 'hold-condition-unfit'],
      ['invoices', `due > '2026-13-40'`, 'hold-condition-unfit'],
    ] as const) {
      await assert.rejects(place(target, query === undefined ? {} : { query }), refused(code), `${target} ${query ?? ''}`);
    }
    assert.equal((await pool.query('select from safekeep.holds')).rowCount, 0);
    assert.equal((await pool.query('select from safekeep.hold_rows')).rowCount, 0);
    assert.equal((await place('short:abc')).target, 'public.short:abc');
    assert.equal((await place('short', { query: `fixed = 'x' and code = 'abc'` })).rows, 1);
  });

  test(`a hold is reviewed and released, each with who and why, and its history keeps all of it on PostgreSQL ${server.name}`, async (t) => {
    const { place, database, ground, clock } = await workbench(t, { server });
    const { id } = await place('patient:42', { reviewBy: '2026-12-01' });
    const overdue = async (): Promise<number> => (await listHolds(database, ground, { overdue: true, limit: 10 })).holds.length;
    clock.set('2026-12-01T23:00:00Z');
    assert.equal(await overdue(), 0, 'the day itself is not late');
    clock.set('2026-12-02T01:00:00Z');
    assert.equal(await overdue(), 1);
    await assert.rejects(
      reviewHold(database, ground, { id, by: 'ben', reason: 'x', reviewBy: '2026-12-02' }),
      refused('hold-dates-unfit'),
    );
    await reviewHold(database, ground, { id, by: 'ben', reason: 'appeal', reviewBy: '2027-03-01' });
    assert.equal(await overdue(), 0);
    await releaseHold(database, ground, { id, by: 'cem', reason: 'settled' });
    await assert.rejects(releaseHold(database, ground, { id, by: 'cem', reason: 'again' }), refused('hold-released'));
    await assert.rejects(
      reviewHold(database, ground, { id, by: 'cem', reason: 'again', reviewBy: '2027-03-01' }),
      refused('hold-released'),
    );
    const { hold, events } = await holdHistory(database, ground, id);
    assert.equal(hold.state, 'released');
    assert.deepEqual(
      events.map(({ event, by, reason, reviewBy }) => [event, by, reason, reviewBy]),
      [
        ['placed', 'ann', 'claim 7 C 12/26', '2026-12-01'],
        ['reviewed', 'ben', 'appeal', '2027-03-01'],
        ['released', 'cem', 'settled', null],
      ],
    );
  });
}

test('a review in the past, a day that is none, and a matter that ends before it begins are refused', async (t) => {
  const { place } = await workbench(t);
  for (const reviewBy of ['2026-11-21', '2025-01-01', '2027-02-30', 'soon'])
    await assert.rejects(place('patient:42', { reviewBy }), refused('hold-dates-unfit'), reviewBy);
  const moment = new Date();
  await assert.rejects(place('patient:42', { concerns: { from: moment, until: moment } }), refused('hold-dates-unfit'));
});

test('a hold that nobody knows is said so', async (t) => {
  const { database, ground } = await workbench(t);
  const id = newId<'hold'>();
  await assert.rejects(releaseHold(database, ground, { id, by: 'x', reason: 'x' }), refused('hold-unknown'));
  await assert.rejects(reviewHold(database, ground, { id, by: 'x', reason: 'x', reviewBy: '2030-01-01' }), refused('hold-unknown'));
  await assert.rejects(holdHistory(database, ground, id), refused('hold-unknown'));
});

test('holds are listed newest first by pages, by person, and released ones only when asked for', async (t) => {
  const { place, database, ground } = await workbench(t);
  const placed = [await place('patient:42'), await place('invoices:1'), await place('client:1,a\\,b')];
  const first = await listHolds(database, ground, { limit: 2 });
  assert.deepEqual(
    first.holds.map(({ target }) => target),
    ['client:1,a\\,b', 'public.invoices:1'],
  );
  assert.ok(first.next !== null);
  const second = await listHolds(database, ground, { limit: 2, after: first.next });
  assert.deepEqual([second.holds.map(({ target }) => target), second.next], [['patient:42'], null]);
  const of = async (subject: string) => (await listHolds(database, ground, { limit: 9, subject })).holds.map(({ id }) => id);
  assert.deepEqual(await of('client:1,a\\,b'), [placed[2]?.id]);
  assert.deepEqual(await of('patient:43'), []);
  assert.equal((await refuseWhileHeld(database, 'default')).length, 3);
  for (const { id } of placed) await releaseHold(database, ground, { id, by: 'x', reason: 'x' });
  assert.deepEqual(await refuseWhileHeld(database, 'default'), []);
  assert.equal((await listHolds(database, ground, { limit: 9 })).holds.length, 0);
  assert.equal((await listHolds(database, ground, { limit: 9, all: true })).holds.length, 3);
});

test('listeners hear of a release in its transaction; where one fails the hold stands', async (t) => {
  const { place, database, ground, pool, ask } = await workbench(t);
  await pool.query('create table public.queued (target text)');
  const { id } = await place('patient:42');
  const stop = onRelease(async () => {
    throw new Error('queue is down');
  });
  await assert.rejects(releaseHold(database, ground, { id, by: 'x', reason: 'x' }), /queue is down/);
  assert.equal((await ask({})).length, 1);
  stop();
  const unlisten = onRelease(
    async (client, { tenant, hold }) =>
      void (await client.query('insert into public.queued values ($1)', [`${tenant} ${hold.target}`])),
  );
  t.after(unlisten);
  await releaseHold(database, ground, { id, by: 'x', reason: 'x' });
  assert.deepEqual((await pool.query('select * from public.queued')).rows, [{ target: 'default patient:42' }]);
});
