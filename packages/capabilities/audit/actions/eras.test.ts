import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ownersOfLogs } from '../files/last-checkpoint.ts';
import { workbench } from '../testing/workbench.ts';
import { keptCheckpoints } from '../verification/log-files.ts';
import { acknowledge } from './acknowledge.ts';
import { dropOldPartitions } from './partitions.ts';
import { recordEvent } from './record-event.ts';

const TABLES = ['audit_trees', 'audit_events', 'audit_tiles', 'audit_checkpoints', 'audit_sequencer'];

async function bench(t: TestContext) {
  const made = await workbench(t, { setUp: 'create table things (id integer primary key, v text)' });
  const plain = { category: 'none', note: 'looked at' };
  await made.capture({ 'public.things': { of: 'none', columns: { id: plain, v: plain } } });
  await made.pool.query(`insert into things values (1, 'a')`);
  await made.sequence();
  const home = join(made.home, 'audit');
  const told = async (): Promise<readonly string[]> =>
    (await made.verify()).faults
      // Rows whose events went with the log are told too.
      .filter(({ code }) => code !== 'row-unexplained')
      .map(({ code, detail }) => `${code}: ${detail.replaceAll(/[0-9a-f]{8}/g, 'N')}`);
  const acknowledged = async (checkpoint?: string) =>
    await acknowledge(made.sequencer, {
      tenant: 'default',
      reason: 'restored',
      outside: await keptCheckpoints(made.home, 'default'),
      owners: await ownersOfLogs(made.home),
      ...(checkpoint === undefined ? {} : { checkpoint }),
    });
  /** The log as it is now; returns how to put it back to that. */
  const saved = async () => {
    for (const table of TABLES) await made.pool.query(`create table public.kept_${table} as table safekeep.${table}`);
    return async () => {
      await made.pool.query(
        `truncate ${TABLES.map((table) => `safekeep.${table}`).join(', ')}, safekeep.audit_inbox_even, safekeep.audit_inbox_odd`,
      );
      for (const table of TABLES) await made.pool.query(`insert into safekeep.${table} table public.kept_${table}`);
    };
  };
  const checkpoints = async () => (await readdir(home)).filter((name) => name.endsWith('.checkpoint')).toSorted();
  return { ...made, told, acknowledged, saved, checkpoints, audit: home };
}

test('who rolls the log back to be rid of its newest events is found by every verification, until somebody says why with the key of the home', async (t) => {
  const { sequence, told, saved, pool, database, acknowledged, events } = await bench(t);
  const putBack = await saved();
  await recordEvent(database, 'default', {
    kind: 'access',
    action: 'row-read',
    subject: 'patient:7',
    actor: { name: 'doctor:snoop' },
  });
  await sequence();
  await putBack();
  await pool.query(`insert into things values (2, 'b')`);
  await sequence();
  const lost = ['log-rolled-back: Of the log safekeep-test/default/N 2 events were signed; 1 of them are not in the database.'];
  assert.deepEqual(await told(), lost);
  await sequence();
  assert.deepEqual(await told(), lost, 'also after the new era was signed');
  // What a superuser can write, and the lowest login of the application too.
  const [opened] = (await events()).filter(({ action }) => action === 'era-opened');
  const { previous } = JSON.parse(opened?.details ?? '{}') as { previous: object };
  await recordEvent(database, 'default', {
    kind: 'compliance',
    action: 'log-acknowledged',
    details: { reason: 'restored', lost: [{ ...previous, stands: null }], adopted: [], mark: 'AAAAAAAAAAAAAAAAAAAAAA==' },
  });
  await sequence();
  assert.deepEqual(await told(), lost, 'an acknowledgement without the mark of the home is none');
  assert.deepEqual(
    (await acknowledged()).lost.map(({ size, stands }) => [size, stands]),
    [[2, 1]],
  );
  assert.deepEqual(await told(), []);
  assert.deepEqual((await acknowledged()).lost.length, 1, 'it stays lost');
  await pool.query(`delete from safekeep.audit_events where era = 1; delete from safekeep.audit_tiles where era = 1;
    delete from safekeep.audit_checkpoints where era = 1; delete from safekeep.audit_trees where era = 1`);
  assert.deepEqual(
    await told(),
    ['log-rolled-back: Of the log safekeep-test/default/N 2 events were signed; it is not in the database.'],
    'nothing more may be lost',
  );
});

test('an era that was made to end and then thrown away is missed, by the home and by what the next era says of it', async (t) => {
  const { sequence, told, pool, checkpoints, audit } = await bench(t);
  await pool.query(`insert into things values (2, 'b')`);
  await sequence();
  await pool.query('update safekeep.audit_sequencer set timeline = 77');
  await sequence();
  assert.deepEqual(await told(), []);
  const [second = '', first = ''] = await checkpoints();
  assert.match(second, /-2\.checkpoint$/);
  await pool.query(`delete from safekeep.audit_events where era = 1; delete from safekeep.audit_tiles where era = 1;
    delete from safekeep.audit_checkpoints where era = 1; delete from safekeep.audit_trees where era = 1`);
  const missed = ['log-rolled-back: Of the log safekeep-test/default/N 2 events were signed; it is not in the database.'];
  assert.deepEqual(await told(), missed);
  await rm(join(audit, first));
  assert.deepEqual(await told(), missed, 'also where the home has lost the checkpoint of that era');
});

test('where the home has no checkpoint of a log nothing is signed, and the verification says so, until one is taken over', async (t) => {
  const { sequence, told, saved, pool, checkpoints, audit, acknowledged } = await bench(t);
  const putBack = await saved();
  await pool.query(`insert into things values (2, 'b')`);
  await sequence();
  const [file = ''] = await checkpoints();
  const signed = await readFile(join(audit, file), 'utf8');
  await putBack();
  await rm(join(audit, file));
  await pool.query(`insert into things values (3, 'c')`);
  await assert.rejects(sequence(), { code: 'audit-checkpoint-missing' });
  assert.deepEqual(await checkpoints(), []);
  assert.deepEqual(await told(), [
    'checkpoint-missing: The home has no checkpoint of the log safekeep-test/default/N (era 1), and cannot tell what it has lost.',
  ]);
  // Somebody else holds what was signed before: the database does not contain it.
  await assert.rejects(acknowledged(signed), { code: 'checkpoint-foreign' });
  await assert.rejects(acknowledged(signed.replace(/\n2\n/, '\n1\n')), { code: 'signature-invalid' });
  assert.equal((await acknowledged()).adopted.length, 1);
  assert.deepEqual(await told(), []);
  const { rows } = await pool.query<{ details: { reason: string } }>(
    `select details from safekeep.audit_events where action = 'log-acknowledged'`,
  );
  assert.equal(rows[0]?.details.reason, 'restored');
});

test('a log that is found in another database than the one it was begun in goes on under a name of its own', async (t) => {
  const { sequence, told, pool, audit } = await bench(t);
  const name = (await readdir(audit)).find((each) => each.endsWith('.database')) ?? '';
  // As a clone of the database finds the home of the first.
  await writeFile(join(audit, name), '7/7\n');
  await pool.query(`insert into things values (2, 'b')`);
  const { logs } = await sequence();
  const { rows } = await pool.query<{ origin: string }>('select origin from safekeep.audit_trees order by era');
  const [before = '', since = ''] = rows.map(({ origin }) => origin);
  assert.match(since, /-2$/);
  assert.notEqual(since, `${before}-2`);
  assert.deepEqual([logs[0]?.era, logs[0]?.size], [2, 2]);
  assert.deepEqual(await told(), []);
  await sequence();
  assert.deepEqual((await pool.query('select from safekeep.audit_trees')).rowCount, 2, 'once');
});

test('months that are dropped by policy are told for every era, and rows whose events went with them are no fault; a later edit is', async (t) => {
  const { sequence, pool, database, sequencer, verify } = await bench(t);
  await pool.query(`insert into things values (2, 'b')`);
  await sequence();
  await pool.query('update safekeep.audit_sequencer set timeline = 77');
  await pool.query(`insert into things values (3, 'c')`);
  await sequence();
  const clock = { ...sequencer.clock, now: () => new Date('2098-06-01') };
  await dropOldPartitions(database, { tenant: 'default', keepMonths: 1, clock, markOf: sequencer.keys.markOf, sequence });
  await sequence();
  const { rows } = await pool.query('select era, minimum_index::int as minimum from safekeep.audit_trees order by era');
  assert.deepEqual(rows, [
    { era: 1, minimum: 2 },
    { era: 2, minimum: 2 },
  ]);
  assert.deepEqual((await verify()).faults, []);
  await pool.query(`begin; set local session_replication_role = replica; update things set v = 'x' where id = 1; commit`);
  assert.deepEqual(
    (await verify()).faults.map(({ code }) => code),
    ['row-unexplained'],
  );
});

test('who deletes events and has the log say that policy dropped them is not believed', async (t) => {
  const { sequence, told, pool, database } = await bench(t);
  await pool.query(`insert into things values (2, 'b')`);
  await sequence();
  const { rows } = await pool.query<{ origin: string }>('select origin from safekeep.audit_trees');
  const eras = [{ origin: rows[0]?.origin, minimumIndex: 1 }];
  // With the login of the application, which may record events.
  await recordEvent(database, 'default', {
    kind: 'retention',
    action: 'audit-months-dropped',
    details: { eras, through: '9999', mark: 'AAAA' },
  });
  await sequence();
  await pool.query(`delete from safekeep.audit_events where leaf_index = 0; update safekeep.audit_trees set minimum_index = 1`);
  assert.deepEqual(await told(), [
    'entry-missing: Events 0 to 0 are said to be dropped by policy, and no event of this home tells of it.',
  ]);
});
