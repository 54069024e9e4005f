import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTEXT, opening, owner, PERSON, PLAIN, refused, sealed, workbench, type Workbench } from '../testing/workbench.ts';
import { rollEpoch } from './roll-epoch.ts';
import { rotateSubject } from './rotate-subject.ts';
import { shredSubject } from './shred-subject.ts';

const sealingKey = async ({ inTenant, ring }: Workbench) =>
  (await inTenant((client) => ring().subjectKeys.forSealing(client, [owner(42)]))).get('default/patient:42/erasable');

test('a person’s new key seals from now on, the one before opens what is under it, through rolls of the epoch', async (t) => {
  const bench = await workbench(t);
  const before = await sealed(bench, 42);
  const [rotated, ...others] = await rotateSubject(bench.ring(), 'default', PERSON);
  assert.deepEqual([others, rotated?.fate, rotated?.before], [[], 'erasable', before.id]);
  const after = await sealed(bench, 42);
  assert.equal(after.id, rotated?.now);
  await rollEpoch(bench.ring(), 'default');
  for (const { id, bytes } of [before, after]) {
    const key = await opening(bench, id);
    assert.ok(key !== undefined && key !== 'erased');
    assert.deepEqual(key.open(bytes, CONTEXT), PLAIN);
  }
  const old = await opening(bench, before.id);
  assert.ok(old !== undefined && old !== 'erased');
  assert.throws(() => old.seal(PLAIN, CONTEXT), refused('key-not-active'));
  assert.deepEqual(
    bench.events.filter(({ operation }) => operation === 'rotate-subject').map(({ keyId }) => keyId),
    [rotated?.now],
  );
});

test('an erasure destroys every version, and no rotation makes another', async (t) => {
  const bench = await workbench(t);
  const before = await sealed(bench, 42);
  const [rotated] = await rotateSubject(bench.ring(), 'default', PERSON);
  const ground = { ring: bench.ring(), ledger: await bench.ledger(), tenant: 'default', places: [] };
  const outcome = await shredSubject(ground, { person: PERSON });
  assert.ok(outcome.state === 'shredded');
  assert.deepEqual(new Set(outcome.keyIds), new Set([before.id, rotated?.now]));
  for (const id of outcome.keyIds) assert.equal(await opening(bench, id), 'erased');
  await assert.rejects(rotateSubject(bench.ring(), 'default', PERSON), refused('key-erased'));
  assert.equal(await sealingKey(bench), 'erased');
});

test('a rotation and an erasure at the same moment: whichever comes first, nothing is left alive', async (t) => {
  const bench = await workbench(t);
  const ledger = await bench.ledger();
  for (let number = 100; number < 110; number += 1) {
    const person = { type: 'patient', key: [String(number)] };
    const { id } = await sealed(bench, number);
    const ground = { ring: bench.ring(), ledger, tenant: 'default', places: [] };
    const [, rotated] = await Promise.allSettled([
      shredSubject(ground, { person }),
      rotateSubject(bench.ring(), 'default', person),
    ]);
    const ids = rotated.status === 'fulfilled' ? [id, ...rotated.value.map(({ now }) => now)] : [id];
    if (rotated.status === 'rejected') assert.ok(refused('key-erased')(rotated.reason));
    for (const each of ids) assert.equal(await opening(bench, each), 'erased');
  }
});

test('two rotations of one person come one after the other; who has no key gets none', async (t) => {
  const bench = await workbench(t);
  await sealed(bench, 42);
  const both = await Promise.all([rotateSubject(bench.ring(), 'default', PERSON), rotateSubject(bench.ring(), 'default', PERSON)]);
  const { rows } = await bench.pool.query(
    "select version, state from safekeep.encryption_keys where key_purpose = 'subject' order by version",
  );
  assert.deepEqual(
    rows.map(({ version, state }) => `${version} ${state}`),
    ['1 decrypt-only', '2 decrypt-only', '3 active'],
  );
  const current = await sealingKey(bench);
  assert.ok(current !== undefined && current !== 'erased');
  assert.ok(both.flat().some(({ now }) => now === current.keyId));
  await assert.rejects(rotateSubject(bench.ring(), 'default', { type: 'patient', key: ['1'] }), refused('key-unknown'));
});
