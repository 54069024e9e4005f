import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type pg from 'pg';
import { isSafekeepError } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { testDatabase, testServers } from '@safekeep/postgres/testing';
import { peekCheckpoint, signCheckpoint } from '@safekeep/tlog';
import { askWitness } from '../actions/ask-witness.ts';
import { newestCheckpoint } from '../actions/newest-checkpoint.ts';
import { exportTiles } from './export-tiles.ts';
import { keptCheckpoints } from './log-files.ts';
import { proveEvent } from './prove-event.ts';
import { continues, entriesOf, judgeLog, judgeProof, readHead } from './testing/independent-verifier.ts';
import { inFolder } from './testing/small-log.ts';
import { markOf, pseudonymOf, TENANT, writtenLog, type Told } from '../testing/written-log.ts';
import { EVENT_COLUMNS } from '../store/events.ts';
import type { EventRow } from '../model.ts';
import { dropMark, emptiedMark } from '../rules/marks.ts';
import { verifyDatabase, type VerifyOptions } from './verify-database.ts';
import { verifyDirectory, verifyProofText } from './verify-files.ts';

const EVENTS = 700;
/** No baseline was taken by this home. */
const NO_HEADS = { read: async () => new Map() };
const tell = (index: number): Told => ({
  record: String(index % 50),
  subject: `patient:${index % 50}`,
  columns: ['note'],
  actor: 'ann',
  attribution: 'signed',
  details: { old: { note: `v${index}` }, new: { note: `v${index + 1}`, long_name: 'x' } },
});

async function bench(t: TestContext, server = testServers()[0]) {
  const made = await testDatabase(t, { migrated: true, server });
  const log = await writtenLog(made.pool);
  const older = await log.write(300, tell);
  await log.write(EVENTS - 300, tell);
  const verify = async (options: Partial<VerifyOptions> = {}) => {
    const result = await verifyDatabase(made.database, {
      tenant: TENANT,
      verifierKey: log.signer.verifierKey,
      outside: [log.note()],
      owners: new Map(),
      heads: NO_HEADS,
      cosigned: [],
      wanted: [],
      full: false,
      valuesOf: async () => new Map(),
      markOf,
      pseudonymOf,
      signal: new AbortController().signal,
      progress: () => undefined,
      ...options,
    });
    return { ...result, told: result.faults.map(({ code, index }) => (index === undefined ? code : `${code} ${index}`)) };
  };
  const exported = async (name: string): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), 'safekeep-log-'));
    t.after(() => rm(folder, { recursive: true }));
    const directory = join(folder, name);
    await exportTiles(made.database, {
      tenant: TENANT,
      directory,
      signal: new AbortController().signal,
      progress: () => undefined,
    });
    return directory;
  };
  return { ...made, log, older, verify, exported };
}

test('a log of two checkpoints is whole, fast and in full, on every server', async (t) => {
  for (const server of testServers()) {
    const { verify, log } = await bench(t, server);
    for (const full of [false, true]) {
      const { ok, checked, size, origin, root, told } = await verify({ full, outside: [log.note()] });
      assert.deepEqual([ok, checked, size, origin, told], [true, EVENTS, EVENTS, log.origin, []]);
      assert.equal(root, Buffer.from(peekCheckpoint(log.note()).root).toString('base64'));
    }
  }
});

test('a database without a log has nothing to find fault with', async (t) => {
  const { database } = await testDatabase(t, { migrated: true });
  const signer = signingKeyFromPem(createSigningKey(), 'safekeep');
  const options = {
    tenant: TENANT,
    verifierKey: signer.verifierKey,
    outside: [],
    owners: new Map(),
    heads: NO_HEADS,
    cosigned: [],
    wanted: [],
    full: true,
  };
  const { ok, size, notes } = await verifyDatabase(database, {
    ...options,
    valuesOf: async () => new Map(),
    markOf,
    pseudonymOf,
    signal: new AbortController().signal,
    progress: () => undefined,
  });
  assert.deepEqual([ok, size, notes], [false, 0, ['There is nothing to verify: the log of default has no event yet.']]);
  const witness = { tenant: TENANT, home: '/nowhere', url: 'https://witness.example/', witnessKey: signer.verifierKey };
  for (const ask of [
    () => proveEvent(database, { tenant: TENANT, verifierKey: signer.verifierKey }, '0'),
    () => newestCheckpoint(database, TENANT),
    () => askWitness(database, { ...witness, signal: new AbortController().signal }),
  ])
    await assert.rejects(ask, (error) => isSafekeepError(error, 'log-empty'));
});

/** What a superuser does at night, and what is said of it in the morning. */
const attacks: readonly {
  readonly name: string;
  readonly sql: string;
  readonly told: readonly string[];
  /** It changes the exported files, so the other verifier must see it too. */
  readonly inFiles?: boolean;
}[] = [
  {
    name: 'the action of an event is edited',
    sql: `update safekeep.audit_events set action = 'insert' where leaf_index = 300`,
    told: ['entry-changed 300'],
    inFiles: true,
  },
  {
    name: 'the time of an event is edited',
    sql: `update safekeep.audit_events set at = at - interval '1 microsecond' where leaf_index = 699`,
    told: ['entry-changed 699'],
    inFiles: true,
  },
  {
    name: 'what the salts follow from is edited',
    sql: `update safekeep.audit_events set commitments = set_byte(commitments, 15, get_byte(commitments, 15) # 1) where leaf_index = 256`,
    told: ['entry-changed 256'],
    inFiles: true,
  },
  {
    name: 'commitments are put in that are none',
    sql: `update safekeep.audit_events set commitments = set_byte(commitments, 0, 0) || '\\x00' where leaf_index = 256`,
    told: ['entry-unreadable 256', 'entry-changed 256'],
    inFiles: true,
  },
  {
    name: 'the table of every event is edited',
    sql: `update safekeep.audit_events set table_name = 'public.other'`,
    told: Array.from({ length: 100 }, (_, at) => `entry-changed ${at}`),
    inFiles: true,
  },
  {
    name: 'an event is deleted',
    sql: `delete from safekeep.audit_events where leaf_index = 300`,
    told: ['entry-missing 300'],
    inFiles: true,
  },
  {
    name: 'two events are swapped',
    sql: `update safekeep.audit_events set leaf_index = case leaf_index when 5 then -1 else 5 end + 1000000 where leaf_index in (5, 600);
          update safekeep.audit_events set leaf_index = case leaf_index when 999999 then 600 else 5 end where leaf_index > 10000`,
    told: ['entry-moved 5', 'entry-moved 600'],
    inFiles: true,
  },
  {
    name: 'the newest events are cut off',
    sql: `delete from safekeep.audit_events where leaf_index >= 650`,
    told: ['entry-missing 650'],
    inFiles: true,
  },
  {
    name: 'a partition is truncated',
    sql: `do $$ begin execute format('truncate safekeep.%I', 'audit_events_' || to_char(now() at time zone 'UTC', 'YYYY_MM')); end $$`,
    told: ['entry-missing 0'],
    inFiles: true,
  },
  { name: 'an event is put in beyond the end', sql: copyTo('leaf_index = 700'), told: ['entry-unsigned 700'] },
  {
    name: 'a second event takes an index',
    sql: copyTo(`sequenced_at = sequenced_at + interval '1 day'`),
    told: ['entry-unsigned 5'],
  },
  {
    name: 'a tile is replaced',
    sql: `update safekeep.audit_tiles set hashes = (select hashes from safekeep.audit_tiles where level = 0 and tile = 0) where level = 0 and tile = 1`,
    told: ['tile-changed 256'],
    inFiles: true,
  },
  { name: 'a tile is removed', sql: `delete from safekeep.audit_tiles where level = 0 and tile = 1`, told: ['tile-missing'] },
  { name: 'the checkpoints are removed', sql: `delete from safekeep.audit_checkpoints`, told: ['checkpoint-missing'] },
  {
    name: 'an event is given to another actor',
    sql: `update safekeep.audit_events set actor = 'ben' where leaf_index = 300`,
    told: ['column-changed 300'],
  },
  {
    name: 'readable values are edited',
    sql: `update safekeep.audit_events set details = '{"new": {"note": "nothing"}}' where leaf_index = 300`,
    told: ['entry-changed 300'],
    inFiles: true,
  },
  {
    name: 'the purpose is edited',
    sql: `update safekeep.audit_events set purpose = 'treatment' where leaf_index = 300`,
    told: ['entry-changed 300'],
    inFiles: true,
  },
  {
    name: 'an event is given to another person',
    sql: `update safekeep.audit_events set subject = 'patient:1' where leaf_index = 300`,
    told: ['entry-changed 300'],
    inFiles: true,
  },
  {
    name: 'readable values are removed',
    sql: `update safekeep.audit_events set details = null where leaf_index = 300`,
    told: ['entry-changed 300'],
    inFiles: true,
  },
  {
    name: 'readable values are removed as if an erasure took them',
    sql: `update safekeep.audit_events set details = null, commitments = 'l' || substr(sha512(commitments || '\\x00'), 1, 16)
            || 'R' || sha256(substr(sha512(commitments || '\\x00'), 17, 16) || convert_to('[null,null,' || to_json(details::text)::text || ']', 'UTF8'))
           where leaf_index = 300`,
    told: ['erasure-forged 300', 'blob-missing 300'],
  },
  {
    name: 'sealed bytes are put in',
    sql: `update safekeep.audit_events set sealed = '\\x05' where leaf_index = 300`,
    told: ['entry-unreadable 300', 'entry-changed 300'],
    inFiles: true,
  },
];

function copyTo(change: string): string {
  return `create temporary table copied as select * from safekeep.audit_events where leaf_index = 5; update copied set ${change};
    insert into safekeep.audit_events select * from copied; drop table copied`;
}

test('whatever a superuser edits is found and named, by us and where it reaches the files by the other verifier', async (t) => {
  const { pool, verify, log, exported } = await bench(t);
  for (const [place, { name, sql, told, inFiles = false }] of attacks.entries()) {
    const undo = await savedTables(pool);
    await pool.query(sql);
    const fast = await verify();
    const whole = await verify({ full: true });
    const named = (all: readonly string[]) => all.filter((each) => told.includes(each) || !each.startsWith('blob'));
    assert.deepEqual(named(fast.told), told, name);
    assert.deepEqual(named(whole.told), told, `${name}, in full`);
    assert.equal(whole.ok, false);
    assert.ok(whole.faults.every(({ remedy, detail }) => remedy !== '' && detail !== ''));
    if (inFiles) {
      const directory = await exported(`log-${place}`);
      assert.notDeepEqual(judgeLog(directory, log.signer.verifierKey).findings, [], `${name}, in files`);
      assert.equal((await verifyDirectory(directory, log.signer.verifierKey)).ok, false);
    }
    await undo();
  }
  assert.deepEqual((await verify({ full: true })).told, []);
});

/** The tables of the log as they are; returns how to put them back. */
async function savedTables(pool: pg.Pool): Promise<() => Promise<void>> {
  const tables = ['audit_events', 'audit_tiles', 'audit_checkpoints', 'audit_trees'];
  await pool.query(tables.map((table) => `create table public.saved_${table} as table safekeep.${table};`).join(' '));
  return async () => {
    await pool.query('truncate safekeep.audit_events, safekeep.audit_tiles, safekeep.audit_checkpoints, safekeep.audit_trees');
    const backwards = tables.toReversed();
    await pool.query(
      backwards
        .map((table) => `insert into safekeep.${table} table public.saved_${table}; drop table public.saved_${table};`)
        .join(' '),
    );
  };
}

test('a checkpoint signed with another key is found, and a log that was made anew from the start', async (t) => {
  const { pool, verify, log, exported } = await bench(t);
  const thief = signingKeyFromPem(createSigningKey(), 'safekeep');
  const { origin, size, root } = peekCheckpoint(log.note());
  const resign = async (note: string) =>
    await pool.query('update safekeep.audit_checkpoints set note = $1 where size = $2', [note, size]);
  await resign(signCheckpoint({ origin, size, root }, [thief]));
  assert.deepEqual((await verify()).told, ['checkpoint-unsigned']);
  assert.equal(readHead(await readFile(join(await exported('resigned'), 'checkpoint'), 'utf8'), log.signer.verifierKey), undefined);
  await resign(signCheckpoint({ origin, size, root: Buffer.alloc(32) }, [log.signer]));
  assert.ok((await verify()).told.includes('root-wrong'));
  await resign(signCheckpoint({ origin: 'safekeep/other/00000000', size, root }, [log.signer]));
  assert.deepEqual((await verify()).told, ['checkpoint-unsigned']);
});

test('a log that was rolled back, forked or dropped is told by the checkpoint outside', async (t) => {
  const { pool, verify, log, older } = await bench(t);
  const outside = [log.note()];
  await pool.query(`delete from safekeep.audit_events where leaf_index >= 300; delete from safekeep.audit_checkpoints where size > 300;
    update safekeep.audit_trees set size = 300, root = (select root from safekeep.audit_checkpoints)`);
  assert.deepEqual((await verify({ outside: [older] })).told, []);
  assert.deepEqual((await verify({ outside })).told, ['log-rolled-back']);
  const { origin, size } = peekCheckpoint(older);
  const fork = signCheckpoint({ origin, size, root: Buffer.alloc(32, 3) }, [log.signer]);
  assert.deepEqual((await verify({ outside: [fork] })).told, ['log-rolled-back']);
  await pool.query('truncate safekeep.audit_events, safekeep.audit_tiles, safekeep.audit_checkpoints, safekeep.audit_trees');
  assert.deepEqual((await verify({ outside: [older] })).told, ['log-rolled-back']);
});

test('a checkpoint of an era that is gone is missed, one of another database is not', async (t) => {
  const { verify, log } = await bench(t);
  const signed = (origin: string) => signCheckpoint({ origin, size: 3, root: Buffer.alloc(32) }, [log.signer]);
  assert.deepEqual((await verify({ outside: [log.note(), signed(`${log.origin}-2`)] })).told, ['log-rolled-back']);
  assert.deepEqual((await verify({ outside: [log.note(), signed('safekeep/default/ffffffff')] })).told, []);
});

test('checkpoints in the home are found by their tenant', async (t) => {
  const { log } = await bench(t);
  const files = new Map([
    ['audit/default-0a1b2c3d.checkpoint', Buffer.from(log.note())],
    ['audit/other.checkpoint', Buffer.from(log.note().replace('/default/', '/other/'))],
    ['audit/none.checkpoint', Buffer.from('none')],
    ['audit/default-0a1b2c3d.checkpoint.new', Buffer.from(log.note())],
  ]);
  assert.deepEqual(await keptCheckpoints(await inFolder(t, files), TENANT), [log.note()]);
  assert.deepEqual(await keptCheckpoints(join(tmpdir(), 'safekeep-no-such-home'), TENANT), []);
});

test('an older era is verified too, and the newest one is what is told', async (t) => {
  const { pool, verify, log } = await bench(t);
  const second = await writtenLog(pool, { era: 2, signer: log.signer });
  await second.write(10, tell);
  const outside = [log.note(), second.note()];
  const { ok, size, checked } = await verify({ full: true, outside });
  assert.deepEqual([ok, size, checked], [true, 10, EVENTS + 10]);
  await pool.query(`update safekeep.audit_events set action = 'insert' where era = 1 and leaf_index = 3`);
  assert.deepEqual((await verify({ outside })).told, ['entry-changed 3']);
});

test('what an erasure of this home emptied is no fault; what is put back in its place is, and what somebody empties by hand', async (t) => {
  const { pool, verify } = await bench(t);
  const closed = `commitments = safekeep.close_commitments(commitments, record, subject, other_subjects, true, sealed, '{}')`;
  const { rows } = await pool.query<EventRow>(
    `update safekeep.audit_events as e set record = null, subject = null, ${closed} where subject = 'patient:7' returning ${EVENT_COLUMNS}`,
  );
  const forged = (await verify({ full: true })).told;
  assert.deepEqual(
    forged,
    rows.map(({ index }) => `erasure-forged ${index}`),
    'nobody with the key of the home did it',
  );
  for (const event of rows)
    await pool.query('update safekeep.audit_events set emptied = $1 where leaf_index = $2', [
      emptiedMark(markOf, event),
      event.index,
    ]);
  assert.deepEqual((await verify({ full: true })).told, []);
  await pool.query(`update safekeep.audit_events set actor = null where leaf_index in (7, 8)`);
  assert.deepEqual((await verify({ full: true })).told, ['erasure-forged 7', 'erasure-forged 8'], 'who acted is hidden');
  await pool.query(`update safekeep.audit_events set actor = 'ann' where leaf_index in (7, 8)`);
  await pool.query(`update safekeep.audit_events set record = '7' where leaf_index = 7`);
  assert.deepEqual((await verify({ full: true })).told, ['erasure-forged 7', 'blob-changed 7']);
});

test('a dropped month is no fault where the log tells of it; its events are gone, and the rest is proven', async (t) => {
  const { pool, verify, log, exported, database } = await bench(t);
  await pool.query(`delete from safekeep.audit_events where leaf_index < 300; update safekeep.audit_trees set minimum_index = 300`);
  assert.deepEqual((await verify()).told, ['entry-missing 0']);
  const tell = async (minimumIndex: number, mark: string | null = null) => {
    const told = { eras: [{ origin: log.origin, minimumIndex }], through: '3' };
    const details = { ...told, mark: mark ?? dropMark(markOf, { tenant: TENANT, ...told }) };
    await log.write(1, () => ({ kind: 'retention', action: 'audit-months-dropped', table: null, details }));
  };
  await tell(200);
  assert.deepEqual((await verify()).told, ['entry-missing 200']);
  await tell(300, markOf(['audit-months-dropped']));
  assert.deepEqual((await verify()).told, ['entry-missing 200'], 'what anybody can write is not believed');
  await tell(300);
  const { told, checked, minimumIndex } = await verify({ full: true });
  assert.deepEqual([told, checked, minimumIndex], [[], 403, 300]);
  const directory = await exported('pruned');
  const ofFolder = async (toldMinimum: number) => {
    const found = await verifyDirectory(directory, log.signer.verifierKey, { toldMinimum });
    return { ...found, told: found.faults.map(({ code, index: at }) => `${code} ${at}`) };
  };
  assert.deepEqual((await ofFolder(0)).told, ['entry-missing 0'], 'what the folder says of itself is not signed');
  const files = await ofFolder(300);
  assert.deepEqual([files.ok, files.minimumIndex, files.checked], [true, 300, 403], 'also those whose bundle was cut');
  await writeFile(join(directory, 'first-entries'), 'x');
  assert.deepEqual((await ofFolder(300)).told, ['entry-missing 300']);
  // Whoever hands the files out withholds everything.
  await writeFile(join(directory, 'minimum-index'), `${files.size}\n`);
  await rm(join(directory, 'tile/entries'), { recursive: true });
  assert.deepEqual((await ofFolder(300)).told, ['entry-missing 300']);
  assert.deepEqual((await ofFolder(files.size)).told, ['entry-missing 0'], 'nothing is not whole');
  const ground = { tenant: TENANT, verifierKey: log.signer.verifierKey };
  await assert.rejects(proveEvent(database, ground, '299'), (error) => isSafekeepError(error, 'event-pruned'));
  assert.equal(verifyProofText(await proveEvent(database, ground, '300'), log.signer.verifierKey).ok, true);
});

test('the exported log is accepted by a verifier that shares nothing with us, and an older checkpoint is its beginning', async (t) => {
  const { log, older, exported, pool } = await bench(t);
  const directory = await exported('log');
  const { head, findings } = judgeLog(directory, log.signer.verifierKey);
  assert.deepEqual(findings, []);
  assert.equal(head?.size, EVENTS);
  const past = readHead(older, log.signer.verifierKey);
  assert.ok(head !== undefined && past !== undefined && continues(directory, past, head));
  const [first] = entriesOf(await readFile(join(directory, 'tile/entries/000')));
  const leaf = JSON.parse(first?.toString() ?? '');
  const { rows } = await pool.query('select id from safekeep.audit_events where leaf_index = 0');
  assert.deepEqual([leaf.id, leaf.kind, leaf.v], [rows[0].id, 'change', 1]);
  // Nothing of a person stands in what is handed out.
  for (const entry of entriesOf(await readFile(join(directory, 'tile/entries/001'))))
    assert.doesNotMatch(entry.toString(), /patient:|"ann"|"v\d/);
});

test('one event is proven by its id or its index, and the file opens what is readable', async (t) => {
  const { database, log, pool } = await bench(t);
  const { rows } = await pool.query('select id from safekeep.audit_events where leaf_index = 300');
  const ground = { tenant: TENANT, verifierKey: log.signer.verifierKey };
  for (const event of ['300', rows[0].id]) {
    const text = await proveEvent(database, ground, event);
    assert.deepEqual(verifyProofText(text, log.signer.verifierKey).faults, []);
    const extra = JSON.parse(Buffer.from(/^extra (.*)$/m.exec(text)?.[1] ?? '', 'base64').toString());
    assert.ok(judgeProof(text, Buffer.from(extra.entry, 'base64'), log.signer.verifierKey));
    assert.deepEqual(
      extra.openings.map(({ blob }: { blob: string }) => JSON.parse(Buffer.from(blob, 'base64').toString())[0]),
      ['0', null],
    );
    const lying = text.replace(
      /^extra .*$/m,
      `extra ${Buffer.from(JSON.stringify({ ...extra, openings: [{ ...extra.openings[0], blob: 'AAAA' }] })).toString('base64')}`,
    );
    assert.deepEqual(
      verifyProofText(lying, log.signer.verifierKey).faults.map(({ code, index }) => [code, index]),
      [['blob-changed', 300]],
    );
  }
  for (const event of ['700', 'x', '01994b0e-7c4a-7000-8000-5f2f6d8b9c10']) {
    await assert.rejects(proveEvent(database, ground, event), (error) => isSafekeepError(error, 'event-unknown'));
  }
  for (const event of ['9999999999999999', '9007199254740993', '18446744073709551616', '-1', '1e3', ''])
    await assert.rejects(proveEvent(database, ground, event), (error) => isSafekeepError(error, 'event-unknown'), event);
  const thief = signingKeyFromPem(createSigningKey(), 'safekeep');
  const foreign = proveEvent(database, { ...ground, verifierKey: thief.verifierKey }, '1');
  await assert.rejects(foreign, (error) => isSafekeepError(error, 'signature-invalid'));
});

test('an earlier era is exported by its number, into a folder of its own', async (t) => {
  const { database, pool, log, exported } = await bench(t);
  const newer = await writtenLog(pool, { era: 2, signer: log.signer });
  await newer.write(3, tell);
  const order = { tenant: TENANT, signal: new AbortController().signal, progress: () => undefined };
  const directory = await exported('newest');
  const older = `${directory}-1`;
  const first = await exportTiles(database, { ...order, era: 1, directory: older });
  assert.deepEqual([first.origin, first.size], [log.origin, EVENTS]);
  const { ok, checked, origin } = await verifyDirectory(older, log.signer.verifierKey);
  assert.deepEqual([ok, checked, origin], [true, EVENTS, log.origin]);
  assert.equal((await verifyDirectory(directory, log.signer.verifierKey)).origin, newer.origin);
  await assert.rejects(exportTiles(database, { ...order, era: 2, directory: older }), { code: 'log-files-unfit' });
  await assert.rejects(exportTiles(database, { ...order, era: 3, directory: older }), { code: 'era-unknown' });
});

test('of what was changed by hand there is no proof, and it is said so', async (t) => {
  const { database, log, pool } = await bench(t);
  const ground = { tenant: TENANT, verifierKey: log.signer.verifierKey };
  const changes = [
    `update safekeep.audit_events set action = 'insert' where leaf_index = 20`,
    `update safekeep.audit_events set commitments = decode(repeat('00', 17), 'hex') where leaf_index = 20`,
    `update safekeep.audit_events set commitments = decode(repeat('6c', 40), 'hex') where leaf_index = 20`,
    `update safekeep.audit_tiles set hashes = set_byte(hashes, 0, 255 - get_byte(hashes, 0)) where level = 0 and tile = 0`,
    'delete from safekeep.audit_tiles where level = 0 and tile = 0',
  ];
  for (const sql of changes) {
    await pool.query(sql);
    await assert.rejects(proveEvent(database, ground, '20'), (error) => isSafekeepError(error, 'event-unprovable'), sql);
  }
});

test('an export is brought up to date, and no folder with other files is taken', async (t) => {
  const { database, log, exported } = await bench(t);
  const directory = await exported('log');
  await log.write(100, tell);
  const again = { tenant: TENANT, directory, signal: new AbortController().signal, progress: () => undefined };
  assert.equal((await exportTiles(database, again)).size, EVENTS + 100);
  assert.equal((await verifyDirectory(directory, log.signer.verifierKey)).checked, EVENTS + 100);
  const folder = join(directory, 'tile');
  await assert.rejects(exportTiles(database, { ...again, directory: folder }), (error) =>
    isSafekeepError(error, 'log-files-unfit'),
  );
});
