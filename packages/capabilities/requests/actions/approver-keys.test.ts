import assert from 'node:assert/strict';
import { chmod, chown, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createSigningKey, signingKeyFromPem, verify, type Signer } from '@safekeep/crypto';
import { onRelease, releaseHold } from '../../holds/index.ts';
import type { ErasureDone } from '../model.ts';
import { readErasures } from '../store/records.ts';
import { workbench, type Workbench } from '../testing/workbench.ts';
import { makeApproverKey, openApproverKey, readApprovers } from './approver-keys.ts';
import { eraseDue, planDue } from './due-erasures.ts';
import { executeErasure } from './execute-erasure.ts';
import { parseSubject, type ErasureGround } from './ground.ts';
import { requeueErasures, runErasures } from './open-erasures.ts';
import { planErasure } from './plan-erasure.ts';
import { tagOf } from './record-tag.ts';
import { verifyFile } from './verify-file.ts';

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
    planBy: async (signer, on = ground) => (await planErasure(on, { ...order, mode: 'anonymise' }, 'whoever', { signer })).hash,
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

const cy = stranger;
const dan = signingKeyFromPem(createSigningKey(), 'dan');
const FOUR = [ann, ben, cy, dan].map(({ verifierKey }) => verifierKey);

/** Chunks are begun under the approval of these two, and it stops after the first. */
async function beginChunks(bench: Signed, few: ErasureGround, [planner, approver]: readonly [Signer, Signer]): Promise<string> {
  const hash = await bench.planBy(planner, few);
  const stop = new AbortController();
  const approval = { hash, by: 'whoever', signer: approver };
  const onProgress = (): void => stop.abort(new Error('stopped'));
  const order = parseSubject(few.map, 'person:1');
  await assert.rejects(executeErasure(few, order, approval, { signal: stop.signal, onProgress }), /stopped/);
  return hash;
}

test('two approvals of one erasure in chunks: the certificate names those who signed what was left, and those before them', async (t) => {
  const bench = await signed(t, FOUR);
  const few = { ...bench.signed, rowsAtOnce: 4 };
  const first = await beginChunks(bench, few, [ann, ben]);
  await bench.pool.query(`insert into orders values (100, 1, 'late')`);
  const second = await beginChunks(bench, few, [cy, dan]);
  assert.notEqual(first, second);
  assert.equal((await runErasures(few)).erasures[0]?.state, 'done');
  const { rows } = await bench.pool.query('select planned_by, approved_by, plan_hash from safekeep.erasures');
  assert.deepEqual(rows, [{ planned_by: 'cy', approved_by: 'dan', plan_hash: second }]);
  const { certificate } = await bench.approveBy(undefined, second, few);
  const path = certificate ?? '';
  const { document } = JSON.parse(await readFile(path, 'utf8'));
  const names = ({ plan, plannedBy, approvedBy }: Readonly<Record<string, string>>) => [plan, plannedBy, approvedBy];
  assert.deepEqual([document, ...document.approvedBefore].map(names), [
    [second, 'cy', 'dan'],
    [first, 'ann', 'ben'],
  ]);
  const key = few.signer.verifierKey;
  assert.deepEqual((await verifyFile(path, key, FOUR)).faults, []);
  assert.deepEqual((await verifyFile(path, key)).faults, []);
  const without = FOUR.filter((each) => each !== ben.verifierKey);
  assert.match((await verifyFile(path, key, without)).faults.join(), /the key ben is none of/);
});

test('names that are not those of the keys, a plan that nobody signed, and no signature at all are faults of a certificate', async (t) => {
  const bench = await signed(t);
  const hash = await bench.planBy(ann);
  const { certificate } = await bench.approveBy(ben, hash);
  const { document } = JSON.parse(await readFile(certificate ?? '', 'utf8'));
  const { signer } = bench.ground;
  const { proofs: _, ...bare } = document;
  const twice = { ...document.proofs, approved: document.proofs.planned };
  for (const [forged, fault] of [
    [{ ...document, approvedBy: 'zoe' }, /names of planner and approver are not those/],
    [{ ...document, plan: 'f'.repeat(64) }, /signature of ann is not for this plan/],
    [{ ...document, proofs: twice, approvedBy: 'ann' }, /signature of ann is not for this plan/],
    [bare, /no signatures of approvers/],
  ] as const) {
    // Signed all the same: what is wrong must be seen by whoever trusts the home.
    const path = join(bench.folder, 'forged.json');
    await writeFile(path, JSON.stringify({ document: forged, signature: signer.signDocument('erasure-certificate', forged) }));
    assert.match((await verifyFile(path, signer.verifierKey, bench.signed.approvers)).faults.join(), fault);
  }
});

/** As whoever has the key of the ledger too could do it. */
async function tagAnew({ pool }: Signed, ground: ErasureGround): Promise<void> {
  const [record] = await readErasures(pool, 'default', { open: true });
  await pool.query('update safekeep.erasures set tag = $1', [tagOf(ground, record ?? assert.fail())]);
}

test('whoever writes to our tables, be it with the key of the ledger, gets no signature for a name or a proof that is not so', async (t) => {
  const bench = await signed(t, FOUR);
  const few = { ...bench.signed, rowsAtOnce: 4 };
  const hash = await beginChunks(bench, few, [ann, ben]);
  const proof = { at: '2026-11-21T10:00:00.000Z' };
  const of = { act: 'approve', tenant: 'default', plan: 'e'.repeat(64), ...proof };
  const forged = JSON.stringify({ ...proof, signature: dan.signDocument('erasure-approval', of) });
  const { rows } = await bench.pool.query('select progress from safekeep.erasures');
  const put = `update safekeep.erasures set progress = jsonb_set(progress, '{proofs,approved}', $1)`;
  const orders = await bench.rows('orders');
  await bench.pool.query(put, [forged]);
  assert.equal((await runErasures(few)).erasures[0]?.error, 'erasure-unproven');
  await tagAnew(bench, few);
  assert.equal((await runErasures(few)).erasures[0]?.error, 'erasure-stopped');
  await bench.pool.query(`update safekeep.erasures set progress = progress - 'proofs'`);
  await tagAnew(bench, few);
  assert.equal((await runErasures(few)).erasures[0]?.error, 'erasure-stopped', 'nor goes on what nobody has signed');
  assert.deepEqual(await bench.rows('orders'), orders);
  await bench.pool.query('update safekeep.erasures set progress = $1', [rows[0]?.progress]);
  await tagAnew(bench, few);
  const order = parseSubject(few.map, 'person:1');
  const onCommitted = (): void => {
    throw new Error('no certificate yet');
  };
  await assert.rejects(executeErasure(few, order, { hash, by: 'zoe' }, { onCommitted }), /no certificate yet/);
  const name = `update safekeep.erasures set certificate = jsonb_set(certificate, '{document,approvedBy}', $1)`;
  await bench.pool.query(name, ['"zoe"']);
  await tagAnew(bench, few);
  assert.equal((await runErasures(few)).erasures[0]?.error, 'certificate-unsigned');
  await bench.pool.query(name, ['"ben"']);
  await tagAnew(bench, few);
  assert.equal((await runErasures({ ...few, approvers: null })).erasures[0]?.error, 'certificate-unsigned');
  assert.equal((await runErasures(few)).erasures[0]?.state, 'done');
});

test('when a hold has ended what it kept is planned and approved by two keys anew, and then nothing is left open', async (t) => {
  const bench = await signed(t);
  t.after(onRelease(requeueErasures));
  const id = await bench.hold('public.orders:2');
  const first = await bench.planBy(ann);
  const { state } = await bench.approveBy(ben, first);
  assert.equal(state, 'held');
  await releaseHold(bench.database, { tenant: 'default', clock: bench.clock }, { id, by: 'ann', reason: 'over' });
  const before = await bench.rows('orders');
  const { erasures } = await runErasures(bench.signed);
  assert.deepEqual([erasures[0]?.state, erasures[0]?.error], ['due', 'approval-unproven']);
  assert.deepEqual(await bench.rows('orders'), before);
  const hash = await bench.planBy(ann);
  await assertProven(await bench.approveBy(ben, hash), hash);
  assert.deepEqual((await runErasures(bench.signed)).erasures, []);
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
  assert.equal((await planErasure(bench.signed, order, 'cy', { signer: stranger })).signature, 'missing');
  // A plan that was stored before the approvers had keys, or by one who is none of them any more.
  await planErasure(bench.ground, order, 'clerk');
  const hash = await bench.planBy(ann);
  assert.equal(hash, looked.hash);
  bench.clock.advanceMs(6 * 86_400_000);
  assert.equal(
    (await planErasure(bench.signed, order, 'ben', { signer: ben })).signature,
    'given',
    'hers stands, and his changes nothing',
  );
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
  const approval = { hash: due.hash ?? '', by: 'ben', signer: ben };
  const asked: string[] = [];
  const refuse = async (subjects: readonly string[]): Promise<void> => {
    asked.push(...subjects);
    throw new Error('rather not');
  };
  await assert.rejects(eraseDue(dated, approval, { confirm: refuse }), /rather not/);
  assert.deepEqual(asked, ['person:1']);
  const both = await eraseDue(dated, approval);
  assert.deepEqual([both.persons[0]?.state, both.persons[0]?.error, both.state], ['done', null, 'done 1']);
  assert.match(both.persons[0]?.certificate ?? '', new RegExp(`erasure-${both.erasure}\\.json$`));
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
  for (const mode of [0o620, 0o602, 0o666]) {
    await chmod(list, mode);
    await assert.rejects(readApprovers(list), { code: 'approvers-unsafe' }, mode.toString(8));
  }
  await chmod(list, 0o644);
  await writeFile(list, `#${'-'.repeat(1024 * 1024)}\n`);
  await assert.rejects(readApprovers(list), { code: 'file-unreadable', message: /far too large/ });
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

test(
  'a list of approvers that belongs to another user is not used',
  { skip: process.getuid?.() === 0 ? false : 'only root can give a file to another user' },
  async (t) => {
    const { folder } = await signed(t);
    const list = join(folder, 'approvers');
    await writeFile(list, `${ben.verifierKey}\n`);
    await chown(list, 65_534, 65_534);
    await assert.rejects(readApprovers(list), { code: 'approvers-unsafe', message: /belongs to the user 65534/ });
  },
);
