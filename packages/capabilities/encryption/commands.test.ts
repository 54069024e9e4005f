import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import type { Command, CommandContext } from '../capability.ts';
import { encryptionOver, keysHealth } from './index.ts';
import type { SealedPlace } from './model.ts';
import { owner, workbench } from './testing/workbench.ts';

const plain = (text: string): string => text;
const INK = { good: plain, bad: plain, warn: plain, dim: plain, strong: plain };

async function bench(t: TestContext) {
  const made = await workbench(t);
  const { home, database, clock } = made;
  const said: string[] = [];
  const counted = new Map<string, number>();
  const place: SealedPlace = { name: 'public.notes.text', census: async () => counted };
  const signer = signingKeyFromPem(createSigningKey(), 'home-1');
  // What the commands of keys use of their context.
  const context = {
    home,
    tenant: 'default',
    clock,
    configuration: { rootKind: 'file', rootTimeoutMs: 1_000 },
    database: async () => database,
    signer: async () => signer,
    confirm: async () => undefined,
    progress: () => ({ update: () => undefined, end: () => undefined }),
    say: (line: string) => void said.push(line),
  } as unknown as CommandContext;
  const capability = encryptionOver({ places: [place], follows: [] });
  const run = async (name: string, input: object = {}) => {
    const command: Command = capability.commands.find((each) => each.name === name) ?? assert.fail(name);
    const { result, ok } = await command.run(context, { limit: 100, purpose: 'data', ...input } as never);
    return { result: JSON.parse(JSON.stringify(result)), ok, text: command.render(result as never, INK, {} as never) };
  };
  return { ...made, context, run, said, counted };
}

test('keys are made, listed, rotated and counted from the command line', async (t) => {
  const { run, said, counted, context, database, pool } = await bench(t);
  assert.match((await run('keys list')).text, /There are no keys yet/);
  assert.equal((await keysHealth(context, database)).state, 'ok');
  const { result: created } = await run('keys create', { scope: 'user.contact.email', expiresDays: 10 });
  const [{ id, ...key }] = created.keys;
  assert.deepEqual(
    [key.scope, key.columns, key.purpose, key.state, key.version, key.algorithm, key.uses, key.values, key.alerts],
    ['user.contact.email', [], 'data', 'active', 1, 'AES-256-GCM', 0, null, ['expires-soon']],
  );
  assert.equal(said.length, 1, 'where the secret of the home lies is told once');
  await assert.rejects(run('keys create', { scope: 'user.contact.email' }), (error) => isSafekeepError(error, 'key-exists'));
  const { result: rotated } = await run('keys rotate', { scope: 'user.contact.email' });
  assert.equal(rotated.before, id);
  counted.set(id, 12).set(rotated.now, 3);
  const listed = await run('keys list', { census: true });
  assert.deepEqual(
    new Map(
      listed.result.keys.map((each: { id: string; state: string; values: number }) => [each.id, `${each.state} ${each.values}`]),
    ),
    new Map([
      [id, 'decrypt-only 12'],
      [rotated.now, 'active 3'],
    ]),
  );
  assert.deepEqual(listed.result.alerts, ['no-key-backup-of-this-epoch']);
  assert.match(listed.text, /no-key-backup-of-this-epoch: .*safekeep keys backup/);
  assert.equal((await keysHealth(context, database)).state, 'warn');
  await pool.query(
    `insert into safekeep.fields (tenant_id, field_id, table_schema, table_name, column_name, encrypted_column, value_type, column_type,
       mode, phase, key_scope, created_at, changed_at)
     values ('default', gen_random_uuid(), 'public', 'Patients', 'email', 'email_encrypted', 'text', 'text', 'client', 'finished',
       'user.contact.email', now(), now())`,
  );
  assert.match((await run('keys list')).text, /user\.contact\.email of public\."Patients"\.email data v2/);
  assert.match((await run('keys census')).text, /user\.contact\.email of public\."Patients"\.email/);
  const page = await run('keys list', { limit: 1 });
  assert.equal((await run('keys list', { limit: 9, cursor: page.result.next })).result.keys.length, 1);
  assert.deepEqual((await run('keys census')).result.values, 15);
  counted.set('00'.repeat(8), 1);
  const census = await run('keys census');
  assert.deepEqual([census.ok, census.result.unknown], [false, ['00'.repeat(8)]]);
  await assert.rejects(run('keys list', { cursor: 'x' }), (error) => isSafekeepError(error, 'usage'));
  await assert.rejects(run('keys rotate', { scope: 'field.1', purpose: 'index' }), /encrypt reindex/);
  await assert.rejects(run('keys destroy', { key: id, dryRun: true }), (error) => isSafekeepError(error, 'key-in-use'));
  counted.delete(id);
  assert.match((await run('keys destroy', { key: id, dryRun: true })).text, /may be destroyed\. Nothing was changed/);
  const destroyed = await run('keys destroy', { key: id, wait: false });
  assert.equal(destroyed.result.state, 'shredded');
  assert.match(destroyed.text, /^destroyed .*keys rotate epoch/);
  await assert.rejects(run('keys destroy', { key: rotated.now }), (error) => isSafekeepError(error, 'key-not-retired'));
  await assert.rejects(run('keys destroy', { key: 'x' }), (error) => isSafekeepError(error, 'usage'));
  await rm(join(context.home, 'keys', 'root.json'));
  assert.match((await run('keys list')).text, /^Root: file, not in this home, which can open none of these keys\./);
});

test('epoch and root are rotated, keys backed up, lost and recovered from the command line', async (t) => {
  const { run, ring, inTenant, directory, home, context, database } = await bench(t);
  await inTenant((client) => ring().subjectKeys.forSealing(client, [owner(1)]));
  const epoch = await run('keys rotate', { scope: 'epoch' });
  assert.deepEqual([epoch.result.before, epoch.result.now, epoch.result.rewrapped], ['1', '2', 2]);
  assert.match(epoch.text, /exported and read back/);
  assert.match((await run('keys rotate', { scope: 'root' })).text, /^root: file /);
  const out = join(home, 'out');
  const backup = await run('keys backup', { out, shares: 3, threshold: 2, keepUntil: '2027-01-31' });
  assert.equal(backup.result.keepUntil, '2027-01-31T00:00:00.000Z');
  const { state, detail } = await keysHealth(context, database);
  assert.equal(state, 'warn', 'as long as the secret lies beside the keys');
  assert.match(detail, /^epoch 2 opens; the secret that opens the keys lies beside them, [^;]*keys rotate root$/);
  for (const wrong of [
    {},
    { shares: 3 },
    { shares: 2, threshold: 2, recipient: ['age1x'] },
    { shares: 2, threshold: 2, keepUntil: 'soon' },
    { shares: 2, threshold: 2, keepUntil: '2027-02-30' },
  ])
    await assert.rejects(run('keys backup', { out, ...wrong }), (error) => isSafekeepError(error, 'usage'));
  await rm(directory, { recursive: true });
  assert.equal((await keysHealth(context, database)).state, 'fail');
  const files = (await readdir(out)).slice(1).map((name) => join(out, name));
  const recovered = await run('keys recover', { from: files });
  assert.deepEqual([recovered.result.epochs, recovered.result.closed, recovered.result.ok], [{ default: [2] }, 0, true]);
  assert.equal((await run('keys recover')).result.keys, 2);
  assert.match((await run('keys shred')).text, /0 shredded, 0 still held/);
});

test('keys are not recovered where no export lies, nor those of a person whose key is none; nothing is changed', async (t) => {
  const { run, ring, inTenant, events } = await bench(t);
  await inTenant((client) => ring().subjectKeys.forSealing(client, [owner(1)]));
  const before = (await run('keys list')).result;
  const told = events.length;
  await assert.rejects(run('keys recover'), (error) => isSafekeepError(error, 'key-export-missing'));
  for (const scope of ['patient:', 'patient:a\\b'])
    await assert.rejects(run('keys rotate', { scope }), (error) => isSafekeepError(error, 'subject-invalid'), scope);
  assert.deepEqual((await run('keys list')).result, before);
  assert.equal(events.length, told);
});
