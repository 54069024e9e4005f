import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { acknowledge } from '../actions/acknowledge.ts';
import { takeBaselines } from '../actions/take-baselines.ts';
import { ownersOfLogs } from '../files/last-checkpoint.ts';
import { tampering } from '../testing/tampering.ts';
import { workbench } from '../testing/workbench.ts';
import { keptCheckpoints } from './log-files.ts';

const plain = { category: 'none', note: 'looked at' };
const TABLE = 'public.things';
/** Of the log and of what is on its way there; not of the tables that it is about. */
const OF_THE_LOG = [
  'audit_trees',
  'audit_events',
  'audit_tiles',
  'audit_checkpoints',
  'audit_sequencer',
  'audit_baselines',
  'audit_baseline_marks',
  'audit_inbox_even',
  'audit_inbox_odd',
];
/** As whoever deletes a baseline has it taken again. */
const AGAIN = `update safekeep.audit_baselines set is_taken = false, refused_at = null, ordered = gen_random_uuid()`;
const OUT_OF_INBOX = `delete from safekeep.audit_inbox_even where action = 'baseline-taken'; delete from safekeep.audit_inbox_odd where action = 'baseline-taken'`;
const LOST = `baseline-missing ${TABLE}: the log does not have the baseline that this home took last: it was deleted, or the database was put back to before it was taken.`;

async function bench(t: TestContext) {
  const made = await workbench(t, {
    setUp: `create table things (id integer primary key, v text); insert into things select n, 'v' || n from generate_series(1, 9) as n`,
    baselines: true,
  });
  await made.capture({ [TABLE]: { of: 'none', columns: { id: plain, v: plain } } });
  const { verify, unseen } = tampering(made);
  const acknowledged = async () =>
    await acknowledge(made.sequencer, {
      tenant: 'default',
      reason: 'we know who it was',
      outside: await keptCheckpoints(made.home, 'default'),
      owners: await ownersOfLogs(made.home),
    });
  const taken = async () => (await made.events()).filter(({ action }) => action === 'baseline-taken').length;
  const codes = async () => (await verify()).map((fault) => fault.split(' ')[0]);
  return { ...made, whole: made.verify, verify, unseen, acknowledged, taken, codes };
}

test('a baseline that follows none, and is deleted before the log has it, is missed, and no other is taken until somebody answers for it', async (t) => {
  const { verify, unseen, acknowledged, pool, sequence, taken, codes, takeBaselines: take } = await bench(t);
  await sequence();
  await unseen(`update things set v = 'known' where id = 1`);
  // As another process that takes baselines: nobody takes one beside it. The home ends the one there is.
  const holding = await pool.connect();
  await holding.query(`begin; select pg_advisory_xact_lock(hashtextextended('safekeep baselines', 0))`);
  assert.deepEqual((await acknowledged()).baselines, [TABLE]);
  await holding.query('rollback');
  holding.release();
  assert.equal(await take(), 1);
  await pool.query(`${OUT_OF_INBOX}; ${AGAIN}`);
  await unseen(`update things set v = 'stolen' where id = 7`);
  const before = await taken();
  assert.ok((await verify()).includes(LOST));
  assert.equal(await taken(), before, 'what was edited meanwhile is not made right by another one');
  assert.deepEqual((await acknowledged()).baselines, [TABLE]);
  assert.deepEqual(await verify(), []);
  await unseen(`update things set v = 'again' where id = 8`);
  assert.deepEqual(await codes(), ['row-unexplained'], 'and the next one holds');
});

test('the newest baseline that is taken out, with the one before put back in its place, is missed', async (t) => {
  const { verify, pool, sequence, taken, acknowledged, takeBaselines: take } = await bench(t);
  await sequence();
  await pool.query(`insert into things values (20, 'new')`);
  await sequence();
  await pool.query('create table kept as table safekeep.audit_baseline_marks');
  await pool.query(AGAIN);
  assert.equal(await take(), 1);
  await pool.query(
    `${OUT_OF_INBOX}; update safekeep.audit_baseline_marks as m set marks = k.marks from kept as k where k.part = m.part`,
  );
  assert.deepEqual(await verify(), [LOST]);
  await pool.query(AGAIN);
  const before = await taken();
  assert.deepEqual(await verify(), [LOST]);
  assert.equal(await taken(), before, 'none is taken after the wrong one');
  await acknowledged();
  assert.deepEqual(await verify(), []);
});

test('a process that dies between the file of the home and the commit, or right after it, leaves no false alarm', async (t) => {
  const { verify, pool, sequencer, sequence, home } = await bench(t);
  await sequence();
  /** At the first write the transaction is not committed yet; at the second it is, and the file does not say so. */
  const dying = (at: 1 | 2) => {
    let writes = 0;
    const write: typeof sequencer.heads.write = async (of, heads) => {
      if ((writes += 1) < 2) await sequencer.heads.write(of, heads);
      if (writes === at) throw new Error('the power is gone');
    };
    return { ...sequencer, heads: { ...sequencer.heads, write } };
  };
  const head = async () => {
    const [name = ''] = (await readdir(join(home, 'audit'))).filter((each) => each.endsWith('.baselines'));
    const [[, found] = []] = Object.entries<{ id: string; next?: string }>(
      JSON.parse(await readFile(join(home, 'audit', name), 'utf8')),
    );
    return found ?? assert.fail();
  };
  const first = await head();
  await pool.query(AGAIN);
  await assert.rejects(takeBaselines(dying(1)), /the power is gone/);
  assert.equal((await head()).id, first.id);
  assert.ok((await head()).next);
  // The order is still there: the next call takes it.
  assert.deepEqual(await verify(), []);
  const second = await head();
  assert.notEqual(second.id, first.id);
  assert.equal(second.next, undefined);
  // Once more, and nobody wants it any more: the home forgets what never came to be.
  await pool.query(AGAIN);
  await assert.rejects(takeBaselines(dying(1)), /the power is gone/);
  await pool.query('update safekeep.audit_baselines set is_taken = true');
  assert.deepEqual(await verify(), []);
  assert.deepEqual(await head(), second);
  await pool.query(AGAIN);
  // Committed, and the home had no time to say so.
  await assert.rejects(takeBaselines(dying(2)), /the power is gone/);
  assert.ok((await head()).next);
  assert.deepEqual(await verify(), []);
  assert.equal((await head()).next, undefined);
  assert.notEqual((await head()).id, second.id);
});

test('a database that was put back to before a baseline is told as such, and one word of the home answers for log and baseline', async (t) => {
  const { verify, whole, pool, sequence, acknowledged } = await bench(t);
  await sequence();
  for (const table of OF_THE_LOG) await pool.query(`create table public.kept_${table} as table safekeep.${table}`);
  await pool.query(AGAIN);
  await sequence();
  assert.deepEqual(await verify(), []);
  await pool.query(`truncate ${OF_THE_LOG.map((table) => `safekeep.${table}`).join(', ')}`);
  for (const table of OF_THE_LOG) await pool.query(`insert into safekeep.${table} table public.kept_${table}`);
  await sequence();
  const { faults, notes } = await whole();
  assert.deepEqual(
    faults.map(({ code }) => code),
    ['log-rolled-back'],
  );
  assert.deepEqual(notes, [
    `${TABLE}: the log does not have the baseline that this home took last: it was put back to before that was taken.`,
  ]);
  await acknowledged();
  assert.deepEqual(await verify(), []);
});

test('a home that knows of no baselines yet takes over those of the log, and a file that is no list of them is refused', async (t) => {
  const { verify, sequence, home, codes, takeBaselines: take } = await bench(t);
  await sequence();
  const files = async () => (await readdir(join(home, 'audit'))).filter((each) => each.endsWith('.baselines'));
  const [name = ''] = await files();
  const kept = await readFile(join(home, 'audit', name), 'utf8');
  await rm(join(home, 'audit', name));
  assert.deepEqual(await verify(), []);
  assert.equal(await readFile(join(home, 'audit', name), 'utf8'), kept);
  await writeFile(join(home, 'audit', name), '[]');
  await assert.rejects(take(), (error) => isSafekeepError(error, 'file-unreadable'));
  await writeFile(join(home, 'audit', name), kept);
  assert.deepEqual(await codes(), []);
});
