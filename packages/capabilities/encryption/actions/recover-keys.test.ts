import assert from 'node:assert/strict';
import { chmod, cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { isSafekeepError, Secret } from '@safekeep/core';
import { readBackups } from '../files/backups.ts';
import { CONTEXT, opening, PLAIN, refused, sealed, workbench } from '../testing/workbench.ts';
import { backupKeys, openBackup, type BackupWay } from './backup-keys.ts';
import { recoverStore, restoreTable, tryKeys } from './recover-keys.ts';
import { rollEpoch } from './roll-epoch.ts';

async function backedUp(t: Parameters<typeof workbench>[0], way: BackupWay, roll = false) {
  const bench = await workbench(t);
  const value = await sealed(bench, 1);
  if (roll) await rollEpoch(bench.ring(), 'default');
  for (const name of ['ledger', 'audit'])
    await writeFile(join(bench.directory, `${name}.key`), `a key of the ${name}`, { mode: 0o600 });
  const out = join(bench.home, 'out');
  const { directory, roots, clock } = bench.ring().ground;
  const backup = await backupKeys({ directory, roots, clock, home: bench.home }, { way, out, keepUntil: null });
  return { bench, value, backup, directory };
}

test('with everything but the database and enough shares lost, everything opens again', async (t) => {
  const { bench, value, backup, directory } = await backedUp(t, { kind: 'shares', shares: 5, threshold: 3 }, true);
  assert.deepEqual([backup.files.length, backup.epochs], [5, { default: [2] }]);
  const secret = await readFile(backup.files[0] ?? '', 'utf8');
  assert.ok(!secret.includes('a key of the ledger'));
  await rm(directory, { recursive: true });
  await assert.rejects(opening(bench, value.id), refused('key-store-missing'));
  const ring = bench.ring({ settings: { passphrase: new Secret('another root altogether') } });
  for (const few of [backup.files.slice(0, 2), [backup.files[0], backup.files[0], backup.files[0]]])
    await assert.rejects(
      openBackup(
        few.map((path) => path ?? ''),
        undefined,
      ),
      refused('key-backup-unfit'),
    );
  const put = await recoverStore(ring, bench.home, await openBackup(backup.files.slice(1, 4), undefined));
  assert.deepEqual([put.epochs, put.files.length], [{ default: [2] }, 3]);
  assert.deepEqual(await tryKeys(ring, 'default'), { keys: 2, closed: 0 });
  const key = await opening(bench, value.id, ring);
  assert.ok(key !== undefined && key !== 'erased');
  assert.deepEqual(key.open(value.bytes, CONTEXT), PLAIN);
  assert.equal(await readFile(join(directory, 'ledger.key'), 'utf8'), 'a key of the ledger');
  assert.equal(await readFile(join(directory, 'audit.key'), 'utf8'), 'a key of the audit');
  // What backups there are counts for the horizon here too.
  assert.deepEqual(
    (await readBackups(directory)).map(({ id, epochs }) => ({ id, epochs })),
    [{ id: backup.id, epochs: { default: [2] } }],
  );
});

test('a recovery that was cut off is ended by the same again; a home with keys of its own takes none', async (t) => {
  const { bench, value, backup, directory } = await backedUp(t, { kind: 'shares', shares: 2, threshold: 2 });
  await rm(directory, { recursive: true });
  const payload = await openBackup(backup.files, undefined);
  // Cut off after the keys of the epochs, before the files.
  await recoverStore(bench.ring(), bench.home, { ...payload, files: [], exports: [] });
  const again = await recoverStore(bench.ring(), bench.home, payload);
  assert.ok(again.files.includes('ledger.key'));
  const key = await opening(bench, value.id);
  assert.ok(key !== undefined && key !== 'erased');
  const { backup: other } = await backedUp(t, { kind: 'shares', shares: 2, threshold: 2 });
  const strange = await openBackup(other.files, undefined);
  await assert.rejects(recoverStore(bench.ring(), bench.home, strange), refused('key-store-occupied'));
});

test('a backup leaves the rights of a folder that was there as they are, and quotes no identity given for a recipient', async (t) => {
  const bench = await workbench(t);
  await sealed(bench, 1);
  const out = join(bench.home, 'stick');
  await mkdir(out);
  await chmod(out, 0o1777);
  const { directory, roots, clock } = bench.ring().ground;
  const ground = { directory, roots, clock, home: bench.home };
  await backupKeys(ground, { way: { kind: 'shares', shares: 2, threshold: 2 }, out, keepUntil: null });
  assert.equal((await stat(out)).mode & 0o7777, 0o1777);
  const identity = await generateIdentity();
  await assert.rejects(
    backupKeys(ground, { way: { kind: 'age', recipients: [identity] }, out, keepUntil: null }),
    (error) => isSafekeepError(error, 'key-backup-unfit') && !error.message.includes(identity.slice(15, 40)),
  );
});

test('a backup for recipients of age opens for each of them and for nobody else', async (t) => {
  const [one, two, stranger] = await Promise.all([generateIdentity(), generateIdentity(), generateIdentity()]);
  const { bench, value, backup, directory } = await backedUp(t, {
    kind: 'age',
    recipients: [await identityToRecipient(one), await identityToRecipient(two)],
  });
  await rm(directory, { recursive: true });
  await assert.rejects(openBackup(backup.files, undefined), refused('key-backup-unfit'));
  await assert.rejects(openBackup(backup.files, new Secret(stranger)), refused('key-backup-unfit'));
  await recoverStore(bench.ring(), bench.home, await openBackup(backup.files, new Secret(`# mine\n${two}\n`)));
  assert.notEqual(await opening(bench, value.id), 'erased');
  await assert.rejects(backedUp(t, { kind: 'age', recipients: ['age1nonsense'] }), refused('key-backup-unfit'));
});

test('a backup from before a roll brings no destroyed epoch back', async (t) => {
  const { bench, value, backup, directory } = await backedUp(t, { kind: 'shares', shares: 2, threshold: 2 });
  await rollEpoch(bench.ring(), 'default');
  const kept = join(bench.home, 'kept');
  await mkdir(kept);
  await cp(join(directory, 'kek'), kept, { recursive: true });
  // The folder is lost; only the database knows that epoch 1 was destroyed.
  await rm(directory, { recursive: true });
  const put = await recoverStore(bench.ring(), bench.home, await openBackup(backup.files, undefined));
  assert.deepEqual(put.epochs, {});
  await assert.rejects(bench.ring().epochs.open('default', 1), refused('key-epoch-destroyed'));
  // Its key file, put back by hand, is not used either.
  await rm(join(directory, 'kek'), { recursive: true });
  await assert.rejects(opening(bench, value.id), refused('key-store-missing'));
});

test('an export that is too large for a backup is named, lies beside, and brings the table back from there', async (t) => {
  const bench = await workbench(t);
  const value = await sealed(bench, 1);
  await rollEpoch(bench.ring(), 'default');
  const { directory, roots, clock } = bench.ring().ground;
  const out = join(bench.home, 'out');
  const way = { kind: 'shares', shares: 2, threshold: 2 } as const;
  const { files, beside } = await backupKeys(
    { directory, roots, clock, home: bench.home, exportBytesAtMost: 10 },
    { way, out, keepUntil: null },
  );
  const [kept = assert.fail('none is named')] = beside;
  await cp(kept, join(out, 'export.txt'));
  await rm(directory, { recursive: true });
  await recoverStore(bench.ring(), bench.home, await openBackup(files, undefined));
  await bench.pool.query('update safekeep.encryption_keys set wrapped = substring(wrapped || wrapped from 2 for 48)');
  assert.equal(await restoreTable(bench.ring(), 'default', join(out, 'export.txt')), 2);
  const key = await opening(bench, value.id);
  assert.ok(key !== undefined && key !== 'erased');
});

test('shares that were changed, mixed or cut are refused', async (t) => {
  const { backup } = await backedUp(t, { kind: 'shares', shares: 3, threshold: 2 });
  const { backup: other } = await backedUp(t, { kind: 'shares', shares: 3, threshold: 2 });
  const [a = '', b = '', c = ''] = backup.files;
  await assert.rejects(openBackup([a, other.files[1] ?? ''], undefined), refused('key-backup-unfit'));
  const share = JSON.parse(await readFile(b, 'utf8'));
  const bytes = Buffer.from(share.secret, 'base64');
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  await writeFile(b, JSON.stringify({ ...share, secret: bytes.toString('base64') }));
  await assert.rejects(openBackup([a, b], undefined), refused('key-backup-unfit'));
  await writeFile(c, (await readFile(c, 'utf8')).slice(0, 200));
  await assert.rejects(openBackup([a, c], undefined), refused('key-backup-unfit'));
  await assert.rejects(openBackup(['/nowhere'], undefined), refused('file-unreadable'));
});
