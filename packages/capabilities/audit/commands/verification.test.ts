import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isSafekeepError, Secret } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { migrateUp, openDatabase } from '@safekeep/postgres';
import { openNote } from '@safekeep/tlog';
import type { Command, CommandContext } from '../../capability.ts';
import { beginErasure, drainBeforeErasure, forget } from '../actions/erase-subject.ts';
import { baselineHeads } from '../files/baseline-heads.ts';
import { lastCheckpoint, ownersOfLogs } from '../files/last-checkpoint.ts';
import { audit as capability, keptCheckpoints, logPutAside, verifyDatabase } from '../index.ts';
import { workbench } from '../testing/workbench.ts';
import { witnessServer } from '../testing/witness-server.ts';
import { continues, judgeLog, judgeProof, readHead } from '../verification/testing/independent-verifier.ts';

const plain = (text: string): string => text;
const INK = { good: plain, bad: plain, warn: plain, dim: plain, strong: plain };
const CLINIC = `
  create table patients (id integer primary key, name text, email text, room integer);
  create table visits (id integer primary key, patient_id integer not null references patients on delete cascade, report text, minutes integer);`;
const personal = { category: 'user.contact.email' };
const other = { category: 'none', note: 'looked at' };
const TABLES = {
  'public.patients': { columns: { id: other, name: personal, email: personal, room: other } },
  'public.visits': {
    of: { patient: 'patient_id' },
    columns: { id: other, patient_id: other, report: { category: 'user.health_and_medical' }, minutes: other },
  },
};

async function bench(t: TestContext) {
  const made = await workbench(t, { setUp: CLINIC });
  await made.capture(TABLES, { subjects: { patient: { table: 'public.patients', key: 'id' } } });
  const said: string[] = [];
  const streamed: unknown[] = [];
  // What the commands of audit use of their context.
  const context = {
    home: made.home,
    tenant: 'default',
    mapFile: join(made.home, 'datamap.yaml'),
    configuration: { rootKind: 'file', rootTimeoutMs: 10_000 },
    clock: made.sequencer.clock,
    log: made.sequencer.log,
    signal: new AbortController().signal,
    json: false,
    database: async () => made.database,
    signer: async () => made.sequencer.signer,
    verifierKey: async () => made.sequencer.signer.verifierKey,
    confirm: async () => undefined,
    progress: () => ({ update: () => undefined, end: () => undefined }),
    stream: async (item: unknown) => void streamed.push(item),
    say: (line: string) => void said.push(line),
  } as unknown as CommandContext;
  const run = async (name: string, input: object = {}, changes: Partial<CommandContext> = {}) => {
    const command: Command = capability.commands.find((each) => each.name === name) ?? assert.fail(name);
    const { result, ok } = await command.run({ ...context, ...changes }, input as never);
    return {
      result: JSON.parse(JSON.stringify(result)),
      ok: ok !== false,
      text: command.render(result as never, INK, {} as never),
    };
  };
  const verify = async (full = true) => {
    const { result, ok } = await run('audit verify', { full });
    assert.equal(ok, result.ok);
    return result.faults.map(({ code, index }: { code: string; index?: number }) =>
      index === undefined ? code : `${code} ${index}`,
    );
  };
  await made.pool.query(`insert into patients values (1, 'Ann', 'a@b.c', 3), (2, 'Bob', null, 4);
    insert into visits values (1, 1, 'fine', 20), (2, 2, 'ill', 30); update patients set email = 'x@y.z', room = 5 where id = 1`);
  return { ...made, context, run, verify, said, streamed, vkey: made.sequencer.signer.verifierKey };
}

test('a workload is captured, sequenced by the verification itself, whole in full, and proven to others by files', async (t) => {
  const { run, verify, home, vkey, pool } = await bench(t);
  const { result, text } = await run('audit verify', { full: true });
  assert.deepEqual([result.ok, result.size, result.checked, result.faults], [true, 7, 7, []]);
  assert.match(text, /^whole: safekeep-test\/default\/[0-9a-f]{8}, 7 event\(s\), 7 checked/);
  const older = readHead((await run('audit checkpoint')).result.text, vkey);
  await pool.query(`update visits set report = 'better' where id = 2`);
  const directory = join(home, 'exported');
  const { result: exported } = await run('audit export', { tiles: directory });
  assert.deepEqual([exported.kind, exported.size, exported.events], ['tiles', 8, 8]);
  const { head, findings } = judgeLog(directory, vkey);
  assert.deepEqual(findings, []);
  assert.ok(older !== undefined && head !== undefined && continues(directory, older, head));
  const files = await run('audit verify', { dir: directory, vkey });
  assert.deepEqual([files.ok, files.result.root], [true, exported.root]);
  const file = join(home, 'event.tlog-proof');
  await run('audit proof', { event: '5', out: file });
  assert.equal((await run('audit verify', { proof: file, vkey })).ok, true);
  const proof = await readFile(file, 'utf8');
  const { entry } = JSON.parse(Buffer.from(/^extra (.*)$/m.exec(proof)?.[1] ?? '', 'base64').toString());
  assert.ok(judgeProof(proof, Buffer.from(entry, 'base64'), vkey));
  assert.deepEqual(await verify(), []);
});

test('without --vkey, with it in the wrong place, or with two things at once nothing is verified', async (t) => {
  const { run, vkey } = await bench(t);
  for (const input of [
    { dir: 'x' },
    { proof: 'x' },
    { vkey, full: true },
    { minimumIndex: 1 },
    { proof: 'x', vkey, minimumIndex: 1 },
    { dir: 'x', proof: 'y', vkey },
  ]) {
    await assert.rejects(run('audit verify', input), (error) => isSafekeepError(error, 'usage'), JSON.stringify(input));
  }
  for (const input of [{}, { tiles: 'x', format: 'csv' }]) {
    await assert.rejects(run('audit export', input), (error) => isSafekeepError(error, 'usage'));
  }
});

test('an auditor verifies with a login that only reads and the key alone; a machine without keys makes none and accuses nobody', async (t) => {
  const { run, verify, pool, url, home, vkey, said } = await bench(t);
  await verify();
  const before = said.length;
  const login = `test_auditor_${randomUUID().slice(0, 8)}`;
  await pool.query(`create role ${login} login password 'x' in role safekeep_auditor`);
  const bound = new URL(url.reveal());
  [bound.username, bound.password] = [login, 'x'];
  const weak = await openDatabase(new Secret(bound.href));
  const theirs = { home: join(home, 'of-the-auditor'), database: async () => weak, verifierKey: async () => undefined };
  const audit = async (key: string, changes = {}) => await run('audit verify', { vkey: key, ...changes }, theirs);
  try {
    const { ok, result } = await audit(vkey);
    assert.deepEqual([ok, result.checked, result.scope.includes('rows')], [true, result.size, false]);
    assert.ok(result.size >= 5);
    assert.match(result.notes.join(), /hold this size and root against a checkpoint of then/);
    const other = signingKeyFromPem(createSigningKey(), 'safekeep').verifierKey;
    assert.equal((await audit(other)).result.faults[0].code, 'checkpoint-unsigned');
    for (const name of ['audit verify', 'audit vkey', 'audit proof'])
      await assert.rejects(run(name, { event: '1' }, theirs), (error) => isSafekeepError(error, 'verifier-key-missing'), name);
    assert.equal(existsSync(theirs.home), false, 'nothing was made');
    assert.equal(said.length, before);
    await pool.query(`delete from safekeep.audit_events where leaf_index < 2; update safekeep.audit_trees set minimum_index = 2`);
    assert.equal((await audit(vkey)).result.faults[0].code, 'entry-missing', 'what the database says of itself is not believed');
    assert.equal((await audit(vkey, { minimumIndex: 2 })).ok, true);
  } finally {
    await weak.close();
    // A role belongs to the whole server and would stay.
    await pool.query(`drop role ${login}`);
  }
});

test('a log into which nothing is written any more is whole, and says so', async (t) => {
  const { run, unapply } = await bench(t);
  assert.deepEqual((await run('audit verify')).result.notes, []);
  await unapply();
  const { ok, result } = await run('audit verify');
  assert.equal(ok, true);
  assert.match(result.notes.join(), /No table is captured: what is changed now is in no log/);
});

test('each log that unapply puts aside has a folder of its own, one begun after the schema was dropped too', async (t) => {
  const { context, run, unapply, capture, verify, pool, database, home, vkey } = await bench(t);
  await unapply();
  const [first] = await logPutAside.run(context, { wait: false });
  await pool.query('drop schema if exists safekeep, safekeep_jobs cascade');
  await migrateUp(database);
  await capture(TABLES, { subjects: { patient: { table: 'public.patients', key: 'id' } } });
  assert.deepEqual(await verify(), ['log-rolled-back'], 'the home knows of the log that is gone');
  await run('audit acknowledge', { reason: 'dropped on purpose' });
  assert.deepEqual(await verify(), []);
  const [second] = await logPutAside.run(context, { wait: false });
  const folders = [first, second].map((line) => /lies in (.*)\.$/.exec(line ?? '')?.[1] ?? assert.fail(line));
  assert.equal(new Set(folders).size, 2);
  for (const dir of folders) {
    assert.ok(dir.startsWith(join(home, 'audit', 'log-default-')));
    assert.equal((await run('audit verify', { dir, vkey })).ok, true);
  }
});

test('rows edited with triggers off are found in full, personal values too', async (t) => {
  const { verify, pool } = await bench(t);
  assert.deepEqual(await verify(), []);
  await pool.query(`begin; set local session_replication_role = replica; update patients set email = 'thief@x.y' where id = 1;
    delete from visits where id = 2; insert into visits values (9, 1, 'made up', 1); commit`);
  assert.deepEqual(await verify(false), []);
  assert.deepEqual(await verify(), ['row-unexplained 3', 'row-unexplained 4', 'row-unexplained']);
});

test('triggers that were off and functions that were changed are told by the fast verification', async (t) => {
  const { verify, pool } = await bench(t);
  await pool.query('alter table patients disable trigger all');
  const disabled = await verify(false);
  assert.deepEqual([...new Set(disabled)], ['trigger-disabled']);
  await pool.query('alter table patients enable trigger all');
  const { rows } = await pool.query(`select proname as name from pg_proc where proname like 'capture\\_update\\_%' limit 1`);
  await pool.query(
    `create or replace function safekeep.${rows[0].name}() returns trigger language plpgsql security definer set search_path = '' as 'begin return null; end'`,
  );
  assert.deepEqual(await verify(false), ['function-changed']);
});

test('a function that every capture rests on cannot be exchanged unseen', async (t) => {
  const { verify, run, pool } = await bench(t);
  const { digest } = (await run('audit attest')).result;
  assert.match(digest, /^[0-9a-f]{64}$/);
  assert.equal((await run('audit attest')).result.digest, digest);
  await pool.query(
    `create or replace function safekeep.note_truncate() returns trigger language plpgsql security definer set search_path = '' as 'begin return null; end'`,
  );
  assert.deepEqual(await verify(false), ['function-changed']);
  assert.deepEqual(
    (await run('audit attest')).result.faults.map(({ code }: { code: string }) => code),
    ['function-changed'],
  );
});

test('edited events are named by their index with what to do, and the sequencer that refuses does not hide it', async (t) => {
  const { run, verify, pool, said } = await bench(t);
  await verify(false);
  await pool.query(`update safekeep.audit_events set action = 'insert' where leaf_index = 4`);
  const { ok, text } = await run('audit verify');
  assert.equal(ok, false);
  assert.match(text, /^NOT whole/);
  assert.match(text, /The first bad index is 4\.\n {2}entry-changed at 4: .*\n {4}Change nothing, keep a copy/);
  await pool.query(`update safekeep.audit_events set action = 'update' where leaf_index = 4`);
  await pool.query(
    `delete from safekeep.audit_events; delete from safekeep.audit_tiles; delete from safekeep.audit_checkpoints; delete from safekeep.audit_trees`,
  );
  const told = await verify(false);
  assert.ok(told.includes('log-rolled-back'), `${told.join()} ${said.join()}`);
});

test('what is sealed, or its salt, is not to be exchanged unseen', async (t) => {
  const { verify, pool } = await bench(t);
  await verify(false);
  const attacks = [
    'sealed = set_byte(sealed, octet_length(sealed) - 1, get_byte(sealed, octet_length(sealed) - 1) # 1)',
    'commitments = set_byte(commitments, 4, get_byte(commitments, 4) # 1)',
    'sealed = null',
  ];
  for (const change of attacks) {
    await pool.query(
      `create table public.saved as table safekeep.audit_events; update safekeep.audit_events set ${change} where leaf_index = 4`,
    );
    assert.deepEqual(await verify(false), ['entry-changed 4'], change);
    await pool.query(
      'truncate safekeep.audit_events; insert into safekeep.audit_events table public.saved; drop table public.saved',
    );
  }
  assert.deepEqual(await verify(), []);
});

test('a person is erased: checkpoints, proofs and consistency stay valid, what was about them is gone', async (t) => {
  const { run, verify, home, vkey, sequencer, database } = await bench(t);
  await verify();
  const older = readHead((await run('audit checkpoint')).result.text, vkey);
  const file = join(home, 'before.tlog-proof');
  await run('audit proof', { event: '4', out: file });
  const { result: before } = await run('audit history', { record: 'patients:1', limit: 10 });
  assert.deepEqual(before.events[0].changes, [
    { column: 'room', before: '3', after: '5' },
    { column: 'email', before: 'a@b.c', after: 'x@y.z' },
  ]);
  await drainBeforeErasure(sequencer);
  const erased = { tenant: 'default', subject: 'patient:1' };
  await database.withClient(async (client) => {
    await client.query('begin');
    await client.query(`select set_config('safekeep.tenant', 'default', true)`);
    await beginErasure(client, sequencer, erased);
    await client.query(`delete from public.patients where id = 1`);
    await forget(client, sequencer, erased);
    await client.query('commit');
  });
  assert.deepEqual(await verify(), []);
  const directory = join(home, 'exported');
  await run('audit export', { tiles: directory });
  const { head, findings } = judgeLog(directory, vkey);
  assert.deepEqual(findings, []);
  assert.ok(older !== undefined && head !== undefined && continues(directory, older, head));
  assert.equal((await run('audit verify', { proof: file, vkey })).ok, true);
  const proof = await run('audit proof', { event: '4' });
  assert.doesNotMatch(Buffer.from(/^extra (.*)$/m.exec(proof.result.text)?.[1] ?? '', 'base64').toString(), /patient:1/);
  assert.deepEqual((await run('audit search', { subject: 'patient:1', limit: 10 })).result.events, []);
  const { result: all } = await run('audit search', { limit: 100 });
  assert.doesNotMatch(JSON.stringify(all), /Ann|a@b\.c|x@y\.z|patient:1"/);
  assert.ok(all.events.some(({ erased: isErased }: { erased: boolean }) => isErased));
  const told = await run('audit search', { subject: 'patient:2', limit: 10 });
  assert.ok(told.result.events.length >= 2);
});

test('questions are asked from the command line, and that somebody opened a history is in the log itself', async (t) => {
  const { run, streamed, said, home } = await bench(t);
  // Nobody has sequenced yet: what waits is moved before it is looked at.
  const { result } = await run('audit history', { record: 'public.patients:1', limit: 1 });
  assert.deepEqual([result.events[0].action, result.events[0].columns], ['update', ['email', 'room']]);
  assert.match((await run('audit history', { record: 'public.patients:77', limit: 1 })).text, /no such events/);
  const { result: opened, text } = await run('audit search', { kind: 'access', limit: 5 });
  assert.equal(opened.events.length, 1, 'where there is nothing, nobody looked at anything');
  assert.deepEqual([opened.events[0].action, opened.events[0].record], ['history-opened', '1']);
  assert.match(text, /history-opened public\.patients:1/);
  await run('audit search', { table: 'patients', limit: 2 }, { json: true });
  assert.equal(streamed.length, 2);
  assert.match(said.at(-1) ?? '', /^more with --cursor /);
  const { result: log, text: sentences } = await run('subject access-log', { subject: 'patient:1', limit: 10 });
  assert.ok(log.events.length >= 3);
  assert.match(sentences, /UTC, somebody whose name was not given changed your entry in patients: email and room\./);
  const { result: report, text: page } = await run('audit report', { from: '2026-01-01', to: '2099-01-01' });
  assert.equal(report.events, 8);
  assert.match(page, /^# Audit log from 2026-01-01T00:00:00.000Z/);
  const out = join(home, 'events.csv');
  assert.equal((await run('audit export', { format: 'csv', out })).result.events, 8);
  assert.equal((await readFile(out, 'utf8')).split('\r\n').length, 10);
  await assert.rejects(run('audit export', { format: 'csv', out }), (error) => isSafekeepError(error, 'file-exists'));
  for (const input of [{ from: 'yesterday' }, { to: '2026-02-30' }, { to: '2026-02-30T10:00:00Z' }, { cursor: 'x' }]) {
    await assert.rejects(
      run('audit search', { limit: 1, ...input }),
      (error) => isSafekeepError(error, 'usage'),
      JSON.stringify(input),
    );
  }
  await assert.rejects(run('audit history', { record: 'patients', limit: 1 }), (error) => isSafekeepError(error, 'usage'));
  await assert.rejects(run('audit report', { from: '2026-02-01', to: '2026-01-01' }), (error) => isSafekeepError(error, 'usage'));
  await mkdir(join(home, 'full'));
  await writeFile(join(home, 'full', 'x'), '');
  await assert.rejects(run('audit export', { tiles: join(home, 'full') }), (error) => isSafekeepError(error, 'log-files-unfit'));
});

test('a log that was thrown away whole, with another begun in its place, is missed; the log of another database of this home is not', async (t) => {
  const { verify, pool, home, sequence } = await bench(t);
  assert.deepEqual(await verify(false), []);
  const other = await workbench(t, { setUp: CLINIC });
  await other.capture(TABLES, { subjects: { patient: { table: 'public.patients', key: 'id' } } });
  await other.pool.query(`insert into patients values (1, 'Cy', 'c@d.e', 1)`);
  // The other database is served by this home too, and signed first by it.
  await other.sequence({ last: lastCheckpoint(home) });
  assert.deepEqual(await verify(false), []);
  await pool.query(
    `delete from safekeep.audit_checkpoints; delete from safekeep.audit_tiles; delete from safekeep.audit_trees; truncate safekeep.audit_events`,
  );
  assert.deepEqual(await verify(false), ['log-rolled-back']);
  await pool.query(`insert into patients values (77, 'New', 'n@e.w', 1)`);
  await sequence();
  assert.deepEqual(await verify(false), ['log-rolled-back'], 'also with a new log in its place');
});

test('a database without a log has no fault, also where its home has signed that of another', async (t) => {
  const { verify, home } = await bench(t);
  assert.deepEqual(await verify(false), []);
  const second = await workbench(t, {});
  const { faults } = await verifyDatabase(second.database, {
    tenant: 'default',
    verifierKey: second.sequencer.signer.verifierKey,
    outside: await keptCheckpoints(home, 'default'),
    cosigned: [],
    owners: await ownersOfLogs(home),
    heads: baselineHeads(home),
    wanted: [],
    full: false,
    pseudonymOf: second.sequencer.keys.pseudonymOf,
    markOf: second.sequencer.keys.markOf,
    valuesOf: async () => new Map(),
    signal: new AbortController().signal,
    progress: () => undefined,
  });
  assert.deepEqual(faults, []);
});

test('a witness countersigns what follows from what it has seen, is kept in the home, and every verification holds the log against it', async (t) => {
  const { run, verify, pool, vkey } = await bench(t);
  const server = await witnessServer(vkey);
  t.after(server.close);
  const ask = (input: object = {}) => run('audit witness', { url: server.url, vkey: server.vkey, ...input });
  const { result, text } = await ask();
  assert.deepEqual([result.size, result.witness], [7, 'witness.example/w1']);
  assert.match(text, /^Countersigned by witness\.example\/w1 at 20/);
  const kept = await readFile(result.file, 'utf8');
  assert.deepEqual(
    openNote(kept, [server.vkey, vkey]).signatures.map(({ keyName }) => keyName),
    ['safekeep-test', 'witness.example/w1'],
  );
  await pool.query(`update patients set room = room + 1`);
  assert.equal((await ask()).result.size, 9);
  assert.equal((await ask()).result.size, 9, 'the same again');
  assert.equal(server.seen().size, 9);
  assert.deepEqual(await verify(), []);
  // A signature of the witness that is not its own, a checkpoint that only the log has signed, and one that is gone.
  const countersigned = await readFile(result.file, 'utf8');
  const [body = '', lines = ''] = countersigned.split('\n\n');
  const [own = '', theirs = ''] = lines.split('\n');
  const bytes = Buffer.from(theirs.split(' ')[2] ?? '', 'base64');
  bytes[40] = (bytes[40] ?? 0) ^ 1;
  const forged = `${theirs.split(' ').slice(0, 2).join(' ')} ${bytes.toString('base64')}`;
  for (const [attack, told] of [
    [`${body}\n\n${own}\n${forged}\n`, /does not carry a signature of the witness: .* does not fit the text/],
    [`${body}\n\n${own}\n`, /does not carry a signature of the witness: No trusted key has signed it/],
    [`${body}\n\n${theirs}\n`, /does not carry a signature of the log: No trusted key has signed it/],
    ['nonsense\n', /does not carry a signature of the witness: This is no signed note/],
  ] as const) {
    await writeFile(result.file, attack);
    const { result: found } = await run('audit verify', {});
    assert.equal(found.faults[0].code, 'cosignature-wrong', attack);
    assert.match(found.faults[0].detail, told);
  }
  await rm(result.file);
  assert.deepEqual(await verify(false), ['cosignature-wrong']);
  await writeFile(result.file, countersigned);
  assert.deepEqual(await verify(), []);
  const stranger = await witnessServer(vkey);
  t.after(stranger.close);
  await assert.rejects(ask({ url: stranger.url }), (error) => isSafekeepError(error, 'witness-refused'));
  const unknown = await witnessServer(server.vkey);
  t.after(unknown.close);
  await assert.rejects(ask({ url: unknown.url, vkey: unknown.vkey }), (error) => isSafekeepError(error, 'witness-refused'));
  await assert.rejects(ask({ url: 'http://127.0.0.1:1/' }), (error) => isSafekeepError(error, 'witness-unreachable'));
  for (const input of [
    { url: 'http://witness.example' },
    { url: 'ftp://x' },
    { url: 'https://a:b@witness.example' },
    { vkey: 'none' },
  ])
    await assert.rejects(ask(input), (error) => isSafekeepError(error, 'usage'), JSON.stringify(input));
  // The log is thrown away and written anew, with the home's own checkpoint put away too: the witness remembers.
  await pool.query(
    `delete from safekeep.audit_checkpoints; delete from safekeep.audit_tiles; delete from safekeep.audit_trees; truncate safekeep.audit_events`,
  );
  assert.deepEqual(await verify(false), ['log-rolled-back']);
});
