import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Subject } from '@safekeep/core';
import { testServers } from '@safekeep/postgres/testing';
import { onRelease, placeHold, releaseHold } from '../../holds/index.ts';
import type { SealedPlace, SubjectKey } from '../model.ts';
import { CONTEXT, PERSON, workbench, type Workbench } from '../testing/workbench.ts';
import { backupKeys } from './backup-keys.ts';
import { shredHorizon } from './horizon.ts';
import { census } from './list-keys.ts';
import { rollEpoch } from './roll-epoch.ts';
import { replayShreds, shredsAfterRelease, shredSubject, workOffShreds } from './shred-subject.ts';

const SUBJECT: Subject = { name: 'patient', table: 'public.patients', key: ['id'], findBy: [], label: null };
const OWNERS = (['erasable', 'kept'] as const).map((fate) => ({ tenant: 'default', subject: 'patient:42', fate }));

/** As encrypted columns will be: values with their key id, and a blind index that would outlive the key. */
const notes: SealedPlace = {
  name: 'public.notes.text',
  census: async (db) => {
    const { rows } = await db.query(
      "select encode(substring(sealed from 5 for 8), 'hex') as id, count(*)::int as n from public.notes group by 1",
      [],
    );
    // The statement names these columns.
    return new Map((rows as readonly { id: string; n: number }[]).map(({ id, n }) => [id, n]));
  },
  forget: async (db, _tenant, { key }) => {
    const { rows } = await db.query(
      'update public.notes set blind = null where patient_id = $1::int and blind is not null returning 1',
      [key[0]],
    );
    return { 'public.notes': rows.length };
  },
};

async function ground(bench: Workbench) {
  await bench.pool.query(
    'create table public.patients (id int primary key); insert into public.patients values (42), (43); create table public.notes (patient_id int, sealed bytea, blind int8)',
  );
  const ring = bench.ring();
  const keys = await bench.inTenant((client) => ring.subjectKeys.forSealing(client, OWNERS));
  const ids = OWNERS.map(({ fate }) => {
    const key = keys.get(`default/patient:42/${fate}`);
    assert.ok(key !== undefined && key !== 'erased');
    return { id: key.keyId, bytes: key.seal(Buffer.from(fate), CONTEXT) };
  });
  for (const { bytes } of ids) await bench.pool.query('insert into public.notes values (42, $1, 7), (43, $1, 7)', [bytes]);
  const ledger = await bench.ledger();
  const state = async (id: string): Promise<SubjectKey | 'erased' | undefined> =>
    (await bench.inTenant((client) => bench.ring().subjectKeys.forOpening(client, [id]))).get(id);
  return { ring, ledger, ids, state, shred: { ring, ledger, tenant: 'default', places: [notes] } };
}

for (const server of testServers()) {
  test(`shredding a person is in the ledger before and after, takes blind indexes along and leaves what must be kept on PostgreSQL ${server.name}`, async (t) => {
    const bench = await workbench(t, { server });
    const { shred, ids, state, ring, ledger } = await ground(bench);
    const [erasable, kept] = ids;
    assert.ok(erasable && kept);
    assert.deepEqual((await census(ring, 'default', [notes])).values, 4);
    const outcome = await shredSubject(shred, { person: PERSON });
    assert.equal(outcome.state, 'shredded');
    assert.deepEqual(outcome.state === 'shredded' && [outcome.keyIds, outcome.counts], [
      [erasable.id],
      { 'safekeep.encryption_keys': 1, 'public.notes': 2 },
    ]);
    assert.equal(await state(erasable.id), 'erased');
    const open = await state(kept.id);
    assert.ok(open !== undefined && open !== 'erased');
    assert.equal(open.open(kept.bytes, CONTEXT).toString(), 'kept');
    const kinds: string[] = [];
    for await (const { entry } of ledger.read()) kinds.push(`${entry.kind} ${Object.values(entry.ids).join()}`);
    assert.deepEqual(kinds, [`intent ${erasable.id}`, `done ${erasable.id}`]);
    assert.equal((await bench.pool.query('select from public.notes where patient_id = 42 and blind is not null')).rowCount, 0);
    assert.equal((await bench.pool.query('select from public.notes where patient_id = 43 and blind is not null')).rowCount, 2);
    // A restored database has the key again; the ledger destroys it again, once.
    await bench.pool.query(
      "update safekeep.encryption_keys set state = 'active', wrapped = (select wrapped from safekeep.encryption_keys where key_purpose = 'index' limit 1), destroyed_at = null where state = 'shredded'",
    );
    assert.equal(await replayShreds(shred), 1);
    assert.equal(await state(erasable.id), 'erased');
    assert.equal(await replayShreds(shred), 0);
  });
}

test('a held person keeps their keys, works on, and is shredded once the hold is released', async (t) => {
  const bench = await workbench(t);
  const { shred, ids, state, ring } = await ground(bench);
  const stop = onRelease(shredsAfterRelease);
  t.after(stop);
  const holdGround = { tenant: 'default', clock: bench.clock, subjects: new Map([['patient', SUBJECT]]) };
  const hold = await placeHold(bench.database, holdGround, {
    target: { kind: 'subject', person: PERSON },
    reason: 'claim',
    owner: 'legal',
    reviewBy: '2027-06-30',
    by: 'ann',
  });
  const outcome = await shredSubject(shred, { person: PERSON, fates: ['erasable', 'kept'] });
  assert.deepEqual(outcome, { state: 'held', holds: [hold.id] });
  assert.notEqual(await state(ids[0]?.id ?? ''), 'erased');
  const keys = await bench.inTenant((client) => ring.subjectKeys.forSealing(client, OWNERS));
  for (const key of keys.values()) assert.ok(key !== 'erased' && key.seal(Buffer.from('new'), CONTEXT).length > 0);
  const states = async () =>
    (await bench.pool.query("select distinct state from safekeep.encryption_keys where key_purpose = 'subject'")).rows.map(
      ({ state: each }) => each,
    );
  assert.deepEqual(await states(), ['held']);
  assert.deepEqual(await workOffShreds(shred), { shredded: 0, held: 1, recovered: { done: [], abandoned: [] } });
  await releaseHold(bench.database, holdGround, { id: hold.id, by: 'ann', reason: 'settled' });
  assert.deepEqual((await bench.pool.query('select due from safekeep.encryption_shred_queue')).rows, [{ due: true }]);
  assert.equal((await workOffShreds(shred)).shredded, 1);
  for (const { id } of ids) assert.equal(await state(id), 'erased');
  assert.equal((await bench.pool.query('select from safekeep.encryption_shred_queue')).rowCount, 0, 'nobody is named any more');
});

test('the horizon is known only when every copy is, and passes with the last of them', async (t) => {
  const bench = await workbench(t);
  const { shred, ring } = await ground(bench);
  const outcome = await shredSubject(shred, { person: PERSON });
  assert.ok(outcome.state === 'shredded');
  const horizon = (plaintextCopies: Parameters<typeof shredHorizon>[2]['plaintextCopies']) =>
    shredHorizon(ring, 'default', { epochs: outcome.epochs, plaintextCopies });
  assert.equal((await horizon('unknown')).state, 'unknown');
  assert.equal((await horizon([{ name: 'a dump', until: null }])).state, 'unknown');
  const due = new Date(bench.clock.now().getTime() + 7 * 86_400_000);
  assert.deepEqual(await horizon([]), { state: 'scheduled', at: due, reasons: [] });
  bench.clock.advanceMs(8 * 86_400_000);
  assert.match((await horizon([])).reasons.join(), /overdue/);
  const { destroyedAt } = await rollEpoch(ring, 'default');
  assert.deepEqual(await horizon([]), { state: 'passed', at: destroyedAt, reasons: [] });
  const until = new Date('2027-03-01T00:00:00Z');
  assert.deepEqual(await horizon([{ name: 'nightly', until }]), { state: 'scheduled', at: until, reasons: [] });
  // A backup of the keys of that epoch would open every copy from before.
  const other = await workbench(t);
  const second = await ground(other);
  const { directory, roots, clock } = second.ring.ground;
  await backupKeys(
    { directory, roots, clock, home: other.home },
    { way: { kind: 'shares', shares: 2, threshold: 2 }, out: `${other.home}/out`, keepUntil: null },
  );
  const shredded = await shredSubject(second.shred, { person: PERSON });
  assert.ok(shredded.state === 'shredded');
  const unknown = await shredHorizon(second.ring, 'default', { epochs: shredded.epochs, plaintextCopies: [] });
  assert.match(unknown.reasons.join(), /key backup .* has no end/);
});

test('what fails while it is shredded destroys nothing', async (t) => {
  const bench = await workbench(t);
  const { shred, ids, state } = await ground(bench);
  const broken: SealedPlace = { ...notes, forget: async () => Promise.reject(new Error('no')) };
  await assert.rejects(shredSubject({ ...shred, places: [broken] }, { person: PERSON }), /no/);
  assert.notEqual(await state(ids[0]?.id ?? ''), 'erased');
});
