import assert from 'node:assert/strict';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createSigningKey, signingKeyFromPem, verify, type Signer } from '@safekeep/crypto';
import type { ErasureDone } from '../model.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { makeApproverKey, openApproverKey, readApprovers } from './approver-keys.ts';
import { eraseDue, planDue } from './due-erasures.ts';
import { executeErasure } from './execute-erasure.ts';
import { parseSubject, type ErasureGround } from './ground.ts';
import { runErasures } from './open-erasures.ts';
import { planErasure } from './plan-erasure.ts';

const SCHEMA = `create table people (id bigint primary key, name text not null);
  create table orders (id bigint primary key, person_id bigint not null references people, what text);
  insert into people values (1, 'Ada Byron'), (2, 'Ben Cole');
  insert into orders select n, 1 + n % 2, 'tea ' || n from generate_series(1, 20) as n`;
const none = { category: 'none' };
const MAP = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['name'], label: 'name' } },
  tables: {
    'public.people': { columns: { id: none, name: { category: 'user.name' } } },
    'public.orders': { of: { person: 'person_id' }, columns: { id: none, person_id: none, what: { category: 'user.payment' } } },
  },
};

const [annPem, benPem] = [createSigningKey(), createSigningKey()];
const ann = signingKeyFromPem(annPem, 'ann');
const ben = signingKeyFromPem(benPem, 'ben');
const stranger = signingKeyFromPem(createSigningKey(), 'cy');

type Signed = Workbench & {
  readonly signed: ErasureGround;
  readonly planBy: (signer: Signer | undefined, ground?: ErasureGround) => Promise<string>;
  readonly approveBy: (signer: Signer | undefined, hash: string, ground?: ErasureGround) => Promise<ErasureDone>;
};

async function signed(t: TestContext, approvers: readonly string[] = [ann.verifierKey, ben.verifierKey]): Promise<Signed> {
  const bench = await workbench(t, { schema: SCHEMA, map: MAP });
  const ground: ErasureGround = { ...bench.ground, approval: 'second-person', approvers };
  const order = parseSubject(ground.map, 'person:1');
  return {
    ...bench,
    signed: ground,
    planBy: async (signer, on = ground) => (await planErasure(on, { ...order, mode: 'anonymise' }, 'whoever', signer)).hash,
    approveBy: (signer, hash, on = ground) => executeErasure(on, order, { hash, by: 'somebody else', signer }),
  };
}

async function assertProven({ certificate }: ErasureDone, plan: string): Promise<void> {
  const { document } = JSON.parse(await readFile(certificate ?? '', 'utf8'));
  const { planned, approved } = document.proofs;
  for (const [act, proof, key] of [
    ['plan', planned, ann],
    ['approve', approved, ben],
  ] as const)
    verify('erasure-approval', { act, tenant: 'default', plan, at: proof.at }, proof.signature, key.verifierKey);
}

test('an erasure that one approver planned and another approved carries both signatures, which a stranger can check', async (t) => {
  const bench = await signed(t);
  const hash = await bench.planBy(ann);
  await assertProven(await bench.approveBy(ben, hash), hash);
});

test('one in chunks carries them too, also where it goes on later', async (t) => {
  const bench = await signed(t);
  const few = { ...bench.signed, rowsAtOnce: 4 };
  const hash = await bench.planBy(ann, few);
  const stop = new AbortController();
  const order = parseSubject(few.map, 'person:1');
  const onProgress = (): void => stop.abort();
  const approval = { hash, by: 'ben', signer: ben };
  await assert.rejects(executeErasure(few, order, approval, { signal: stop.signal, onProgress }));
  assert.equal((await runErasures(few)).erasures[0]?.state, 'done', 'it was approved, and nobody has to sign again');
  await assertProven(await bench.approveBy(undefined, hash, few), hash);
});

test('names alone, one key for both, a key of nobody and a signature for something else prove nothing, and nothing is erased', async (t) => {
  const twice = signingKeyFromPem(annPem, 'ann.again');
  const bench = await signed(t, [ann.verifierKey, ben.verifierKey, twice.verifierKey]);
  const before = [await bench.rows('people'), await bench.rows('orders')];
  const unsigned = await bench.planBy(undefined);
  await assert.rejects(bench.approveBy(ben, unsigned), { code: 'approval-unproven', message: /the plan was not signed/ });
  assert.deepEqual(await bench.rows('safekeep.erasure_plans'), [], 'a look without a key leaves nothing behind');
  const hash = await bench.planBy(ann);
  await assert.rejects(bench.approveBy(undefined, hash), { code: 'approval-unproven', message: /the approval was not signed/ });
  await assert.rejects(bench.approveBy(ann, hash), { code: 'second-person-needed' });
  await assert.rejects(bench.approveBy(twice, hash), { code: 'second-person-needed' });
  await assert.rejects(bench.approveBy(stranger, hash), { code: 'approval-unproven', message: /cy is none of/ });
  const impostor = signingKeyFromPem(createSigningKey(), 'ben');
  await assert.rejects(bench.approveBy(impostor, hash), { code: 'approval-unproven', message: /ben is none of/ });
  await bench.pool.query(
    `update safekeep.erasure_plans set planned_proof = jsonb_set(planned_proof, '{at}', '"2026-11-21T09:00:00.000Z"')`,
  );
  await assert.rejects(bench.approveBy(ben, hash), { code: 'approval-unproven', message: /ann is not for this plan/ });
  assert.deepEqual([await bench.rows('people'), await bench.rows('orders')], before);
});

test('who looked without a key, or with one of nobody, is not in the way of those who may plan', async (t) => {
  const bench = await signed(t);
  const order = { ...parseSubject(bench.signed.map, 'person:1'), mode: 'anonymise' } as const;
  const looked = await planErasure(bench.signed, order, 'clerk');
  assert.equal(looked.signature, 'missing');
  assert.ok(looked.notes.some((note) => /can be looked at and not approved.*was not signed/.test(note)));
  assert.equal((await planErasure(bench.signed, order, 'cy', stranger)).signature, 'missing');
  // A plan that was stored before the approvers had keys, or by one who is none of them any more.
  await planErasure(bench.ground, order, 'clerk');
  const hash = await bench.planBy(ann);
  assert.equal(hash, looked.hash);
  bench.clock.advanceMs(6 * 86_400_000);
  assert.equal((await planErasure(bench.signed, order, 'ben', ben)).signature, 'given', 'hers stands, and his changes nothing');
  await assertProven(await bench.approveBy(ben, hash), hash);
});

test('a plan that was signed too long ago, or by a key that was taken from the list, is replaced by the next one', async (t) => {
  const bench = await signed(t);
  const cys: ErasureGround = { ...bench.signed, approvers: [stranger.verifierKey] };
  assert.equal(await bench.planBy(stranger, cys), await bench.planBy(ann));
  await bench.pool.query(`update safekeep.erasure_plans set planned_at = planned_at + interval '8 days'`);
  bench.clock.advanceMs(8 * 86_400_000);
  const hash = await bench.planBy(ann);
  await assertProven(await bench.approveBy(ben, hash), hash);
});

test('a plan of tomorrow, or of no time at all, is not approved: it would be good for longer than a week', async (t) => {
  const bench = await signed(t);
  const hash = await bench.planBy(ann);
  for (const at of ['2027-01-01T00:00:00.000Z', 'whenever']) {
    const signature = ann.signDocument('erasure-approval', { act: 'plan', tenant: 'default', plan: hash, at });
    await bench.pool.query('update safekeep.erasure_plans set planned_proof = $1', [JSON.stringify({ at, signature })]);
    await assert.rejects(bench.approveBy(ben, hash), { code: 'approval-unproven', message: /a time that has not come/ }, at);
  }
  assert.equal(await bench.planBy(ann), hash);
  await assertProven(await bench.approveBy(ben, hash), hash);
});

test('a signature of a plan is good for seven days, whatever the database says of its age', async (t) => {
  const bench = await signed(t);
  const hash = await bench.planBy(ann);
  bench.clock.advanceMs(8 * 86_400_000);
  await bench.pool.query(`update safekeep.erasure_plans set planned_at = planned_at + interval '8 days'`);
  await assert.rejects(bench.approveBy(ben, hash), { code: 'erasure-plan-expired' });
});

test('what a duty kept is planned and approved by two keys as well', async (t) => {
  const bench = await signed(t);
  const { ground } = bench;
  const kept = { keep: 'legal_obligation', cite: 'tax code', until: 'issued_on + 1y' };
  await bench.pool.query(`alter table orders add issued_on date default '2026-06-01'`);
  const tables = {
    ...MAP.tables,
    'public.orders': {
      ...MAP.tables['public.orders'],
      on_erasure: kept,
      columns: { ...MAP.tables['public.orders'].columns, issued_on: none },
    },
  };
  const dated: ErasureGround = {
    ...(await bench.refresh({ ...MAP, tables })),
    approval: 'second-person',
    approvers: bench.signed.approvers ?? null,
  };
  const hash = await bench.planBy(ann, dated);
  assert.equal((await bench.approveBy(ben, hash, dated)).state, 'kept');
  bench.clock.set('2027-06-01T00:00:00Z');
  const looked = await planDue(dated, { by: 'clerk' });
  assert.equal(looked.persons[0]?.plan?.signature, 'missing');
  const early = await eraseDue(dated, { hash: looked.hash ?? '', by: 'ben', signer: ben });
  assert.equal(early.persons[0]?.error, 'approval-unproven');
  const due = await planDue(dated, { by: 'ann', signer: ann });
  const alone = await eraseDue(dated, { hash: due.hash ?? '', by: 'ann', signer: ann });
  assert.equal(alone.persons[0]?.error, 'second-person-needed');
  const both = await eraseDue(dated, { hash: due.hash ?? '', by: 'ben', signer: ben });
  assert.deepEqual([both.persons[0]?.state, both.persons[0]?.error], ['done', null]);
  assert.equal(ground.approval, 'any');
});

test('the key of an approver is theirs alone, made once, and tells whose it is', async (t) => {
  const { folder } = await signed(t);
  const path = join(folder, 'ann.key');
  const made = await makeApproverKey('ann.lee', path);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await assert.rejects(makeApproverKey('ann.lee', path), { code: 'file-exists' });
  const opened = await openApproverKey(path);
  assert.deepEqual([opened.verifierKey, opened.keyName], [made.verifierKey, 'ann.lee']);
  const list = join(folder, 'approvers');
  await writeFile(list, `# who may\n${made.verifierKey}\n\n${ben.verifierKey}\n`);
  assert.deepEqual(await readApprovers(list), [made.verifierKey, ben.verifierKey]);
  assert.equal(await readApprovers(undefined), null);
  await writeFile(list, `${made.verifierKey.slice(0, -4)}\n`);
  await assert.rejects(readApprovers(list), { code: 'signature-invalid' });
  await assert.rejects(readApprovers(join(folder, 'none')), { code: 'file-unreadable' });
  await assert.rejects(openApproverKey(join(folder, 'none')), { code: 'file-unreadable' });
  await chmod(path, 0o644);
  await assert.rejects(openApproverKey(path), { code: 'key-file-unsafe' });
  await writeFile(path, annPem);
  await chmod(path, 0o600);
  await assert.rejects(openApproverKey(path), { code: 'key-file-broken' });
  await writeFile(path, 'approver ann\n-----BEGIN PRIVATE KEY-----\nAA\n');
  await assert.rejects(openApproverKey(path), { code: 'key-file-broken' });
});
