import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { DIFFICULT, DIFFICULT_MAP, workbench } from '../testing/workbench.ts';
import { runCanary } from './canary.ts';
import { findSubjects } from './find-subject.ts';
import { verifyFile } from './verify-file.ts';

test('people are found by any value, told apart where several match, and shown by initials only', async (t) => {
  const bench = await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP });
  const find = async (query: string, more = {}) => await findSubjects(bench.ground, query, { limit: 20, ...more });
  assert.deepEqual((await find('ADA@example.org')).matches, [
    { subject: 'patient:42', label: 'A. B.', matched: ['email'], exact: true, rows: null, erased: false },
  ]);
  assert.deepEqual(
    (await find('42')).matches.map(({ subject }) => subject),
    ['patient:42'],
  );
  assert.deepEqual((await find('patient:42')).matches, [
    { subject: 'patient:42', label: 'A. B.', matched: ['id'], exact: true, rows: null, erased: false },
  ]);
  assert.deepEqual((await find('patient:42', { type: 'staff' })).matches, [], 'of another kind than was asked for');
  assert.deepEqual((await find('patient:nobody')).matches, []);
  assert.deepEqual(
    (await find('Ada Byron', { reveal: true })).matches.map(({ label }) => label),
    ['Ada Byron'],
  );
  const part = await find('example');
  assert.match(part.searched.join('; '), /^patient by id, /);
  assert.deepEqual([part.matches.length, part.ambiguous, part.matches.every(({ exact }) => !exact)], [3, false, true]);
  assert.deepEqual((await find('ex')).matches, [], 'two letters are not enough');
  assert.deepEqual((await find(`' or true --`)).matches, []);
  await bench.pool.query(`update patients set phone = '555' where id in (42, 44)`);
  const two = await find('555');
  assert.deepEqual(
    [two.ambiguous, two.matches.map(({ subject, rows }) => [subject, (rows ?? 0) > 5])],
    [
      true,
      [
        ['patient:42', true],
        ['patient:44', true],
      ],
    ],
  );
  assert.deepEqual([(await find('555', { limit: 1 })).more, (await find('nobody at all')).matches], [true, []]);
  await assert.rejects(find('x', { type: 'ghost' }), { code: 'subject-type-unknown' });
  await bench.pool.query(`update patients set full_name = 'Zoë O''Neil "Q" 山田 太郎' where id = 44`);
  for (const query of ['山田', `o'neil "q"`, 'ZOË'])
    assert.deepEqual(
      (await find(query)).matches.map(({ subject }) => subject),
      ['patient:44'],
      query,
    );
  assert.deepEqual((await find('山')).matches, []);
  await bench.pool.query("update patients set full_name = 'Erased Tapes Ltd' where id = 44");
  await bench.erase('patient:42');
  const both = [...(await find('patient:42')).matches, ...(await find('Erased Tapes Ltd')).matches];
  assert.deepEqual(
    both.map(({ subject, erased }) => [subject, erased]),
    [
      ['patient:42', true],
      ['patient:44', false],
    ],
    'a name that begins so is a name',
  );
});

test('the canary passes where the map is right, leaves nothing, and fails where a trigger copies what nobody mapped', async (t) => {
  const bench = await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP });
  const before = await Promise.all(Object.keys(DIFFICULT_MAP.tables).map((table) => bench.rows(table)));
  const passed = await runCanary(bench.ground);
  assert.deepEqual([passed.state, passed.faults], ['pass', []]);
  assert.ok(passed.seeded >= 8 && passed.exported >= passed.seeded - 1, JSON.stringify(passed));
  assert.deepEqual(await Promise.all(Object.keys(DIFFICULT_MAP.tables).map((table) => bench.rows(table))), before);
  await bench.pool.query(`create table public.shadow (id serial primary key, what text);
    create function public.copy_it() returns trigger language plpgsql as $$ begin insert into public.shadow (what) values (new.reason); return new; end $$;
    create trigger copy_it after insert on visits for each row execute function public.copy_it()`);
  const failed = await runCanary(await bench.refresh());
  assert.equal(failed.state, 'fail');
  assert.deepEqual(failed.faults, [
    'patient: the export does not show what stands in public.shadow',
    'patient: erasure leaves something in public.shadow',
  ]);
  assert.deepEqual(await bench.rows('shadow'), []);
  const { rows } = await bench.pool.query<{ state: string }>('select state from safekeep.canary_runs order by at, run_id');
  assert.deepEqual(rows.map(({ state }) => state).toSorted(), ['fail', 'pass']);
});

test('a certificate verifies with nothing of ours, holds no value of the person, and no change of it does', async (t) => {
  const bench = await workbench(t, { schema: DIFFICULT, map: DIFFICULT_MAP });
  const done = await bench.erase('patient:42');
  const path = done.certificate ?? '';
  const text = await readFile(path, 'utf8');
  for (const value of ['Ada', 'ada@', '0123 456', '1970', 'reason 3', 'agent 3', 'payer 3'])
    assert.ok(!text.includes(value), value);
  const { document, signature } = JSON.parse(text);
  const vkey = bench.ground.signer.verifierKey;
  // docs/certificate.md, step by step.
  const canonical = (value: unknown): string =>
    Array.isArray(value)
      ? `[${value.map(canonical).join(',')}]`
      : value !== null && typeof value === 'object'
        ? `{${Object.entries(value)
            .toSorted(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, part]) => `${JSON.stringify(key)}:${canonical(part)}`)
            .join(',')}}`
        : JSON.stringify(value);
  const raw = Buffer.from(vkey.split('+').slice(2).join('+'), 'base64').subarray(1);
  assert.equal(
    createHash('sha256')
      .update(`${vkey.split('+')[0]}\n`)
      .update(Buffer.of(1))
      .update(raw)
      .digest('hex')
      .slice(0, 8),
    signature.keyId,
  );
  const key = createPublicKey({
    key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]),
    format: 'der',
    type: 'spki',
  });
  const signed = Buffer.from(`safekeep/1 erasure-certificate\n${canonical(document)}`);
  assert.ok(verify(null, signed, key, Buffer.from(signature.signature, 'base64')));
  assert.deepEqual((await verifyFile(path, vkey)).faults, []);
  for (const [name, twice] of [
    ['a member that stands there twice', `{"document":{"kind":"erasure","id":"FORGED"},${text.trimStart().slice(1)}`],
    ['what nobody signed beside it', JSON.stringify({ ...JSON.parse(text), note: 'FORGED' })],
  ] as const) {
    await writeFile(join(bench.folder, 'twice.json'), twice);
    assert.equal((await verifyFile(join(bench.folder, 'twice.json'), vkey)).ok, false, name);
  }
  await writeFile(join(bench.folder, 'written.json'), JSON.stringify(JSON.parse(text)));
  const { ok, about } = await verifyFile(join(bench.folder, 'written.json'), vkey);
  assert.deepEqual([ok, about], [true, { id: document.id, subject: `patient with mark ${document.subject.mark}` }]);
  for (const change of [{ tables: [] }, { noBackupAfter: '2026-12-01' }, { kept: [] }]) {
    const forged = join(bench.folder, 'forged.json');
    await writeFile(forged, JSON.stringify({ document: { ...document, ...change }, signature }));
    assert.equal((await verifyFile(forged, vkey)).ok, false);
  }
  await writeFile(join(bench.folder, 'other.json'), '{"document":{"kind":"erasure"}}');
  assert.equal((await verifyFile(join(bench.folder, 'other.json'), vkey)).ok, false);
});
