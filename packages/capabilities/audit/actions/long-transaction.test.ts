import assert from 'node:assert/strict';
import { test } from 'node:test';
import { from } from 'pg-copy-streams';
import { readLog } from '../testing/read-log.ts';
import { workbench } from '../testing/workbench.ts';

const plain = { category: 'none', note: 'looked at' };
const INBOXES = ['audit_inbox_even', 'audit_inbox_odd'] as const;

test('a transaction that stays open over many rotations stops no writer and no sequencer, and is in the log once when it commits', async (t) => {
  const bench = await workbench(t, { setUp: 'create table things (id integer primary key, v text)' });
  await bench.capture({ 'public.things': { of: 'none', note: 'x', columns: { id: plain, v: plain } } });
  const { pool } = bench;
  const idle = async (): Promise<(typeof INBOXES)[number]> => {
    const { rows } = await pool.query<{ even: boolean }>("select mod((date_part('epoch', now()) / 600)::bigint, 2) = 0 as even");
    return rows[0]?.even === true ? 'audit_inbox_odd' : 'audit_inbox_even';
  };
  const left = async (): Promise<number> => {
    const { rows } = await pool.query<{ n: number }>(
      `select ((select count(*) from safekeep.audit_inbox_even) + (select count(*) from safekeep.audit_inbox_odd))::integer as n`,
    );
    return rows[0]?.n ?? 0;
  };
  const open = await pool.connect();
  try {
    await open.query(`begin; insert into things values (1, 'an hour ago')`);
    // What it wrote lies where it would after ten minutes: in the inbox that nobody writes to any more, and that is to be emptied.
    const place = await idle();
    for (const inbox of INBOXES)
      if (inbox !== place)
        await open.query(
          `with taken as (delete from safekeep.${inbox} returning *) insert into safekeep.${place} select * from taken`,
        );
    // And committed rows beside it.
    await pool.query(`insert into things values (2, 'beside')`);
    for (const inbox of INBOXES)
      if (inbox !== place)
        await pool.query(
          `with taken as (delete from safekeep.${inbox} returning *) insert into safekeep.${place} select * from taken`,
        );
    const started = performance.now();
    for (let rotation = 0; rotation < 20; rotation += 1) {
      await pool.query('insert into things values ($1, $2)', [100 + rotation, 'meanwhile']);
      const { state, events } = await bench.sequence();
      assert.deepEqual([state, events], ['done', rotation === 0 ? 2 : 1]);
    }
    assert.ok(performance.now() - started < 60_000, 'each waits for its lock for 50 ms and goes on');
    assert.equal((await bench.events()).length, 21);
    await open.query(`insert into things values (3, 'now')`);
    await open.query('commit');
  } finally {
    open.release();
  }
  assert.equal((await bench.sequence()).events, 2);
  await bench.sequence();
  const values = (await bench.events()).map(({ record }) => record);
  assert.deepEqual(
    values.filter((record) => record === '1' || record === '3'),
    ['1', '3'],
  );
  assert.equal(new Set(values).size, values.length, 'nothing twice');
  assert.deepEqual((await readLog(pool)).faults, []);
  assert.ok((await left()) < 23, 'what it held back is emptied');
});

test('rows that come by COPY are each in the log, with their values', async (t) => {
  const bench = await workbench(t, { setUp: 'create table things (id integer primary key, v text)' });
  await bench.capture({ 'public.things': { of: 'none', note: 'x', columns: { id: plain, v: plain } } });
  const client = await bench.pool.connect();
  try {
    const copy = client.query(from('copy things from stdin'));
    const ended = new Promise<void>((resolve, reject) => copy.on('finish', resolve).on('error', reject));
    copy.end(Array.from({ length: 700 }, (_, at) => `${at}\tvalue ${at}\n`).join(''));
    await ended;
  } finally {
    client.release();
  }
  assert.equal((await bench.sequence()).events, 700);
  const events = await bench.events();
  assert.deepEqual(
    events.map(({ record }) => Number(record)).toSorted((one, other) => one - other),
    Array.from({ length: 700 }, (_, at) => at),
  );
  assert.ok(events.every(({ details, record }) => JSON.parse(details ?? '').new.v === `value ${record}`));
});
