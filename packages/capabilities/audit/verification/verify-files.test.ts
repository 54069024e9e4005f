import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { formatProof, inclusionProof, signCheckpoint } from '@safekeep/tlog';
import { formatProofExtra } from './proof-extra.ts';
import { continues, entriesOf, judgeLog, judgeProof, readHead } from './testing/independent-verifier.ts';
import { inFolder, ORIGIN, smallLog } from './testing/small-log.ts';
import { verifyDirectory, verifyProofFile, verifyProofText } from './verify-files.ts';

const told = (faults: readonly { readonly code: string; readonly index?: number }[]): string[] =>
  faults.map(({ code, index }) => (index === undefined ? code : `${code} ${index}`));

test('an exported log is whole to us and to a verifier that shares nothing with us', async (t) => {
  for (const size of [0, 1, 256, 700]) {
    const log = smallLog(size);
    const folder = await inFolder(t, log.files);
    const { ok, checked, origin, root, faults } = await verifyDirectory(folder, log.signer.verifierKey);
    assert.deepEqual([ok, checked, origin, root, faults], [true, size, ORIGIN, Buffer.from(log.root).toString('base64'), []]);
    assert.deepEqual(judgeLog(folder, log.signer.verifierKey).findings, []);
  }
});

/** What somebody who can write the files does, and what we say of it. The other verifier must not be content either. */
const attacks: readonly {
  readonly name: string;
  readonly change: (log: ReturnType<typeof smallLog>) => void;
  readonly told: readonly string[];
}[] = [
  {
    name: 'an entry is rewritten',
    change: ({ files }) => {
      const bundle = Buffer.from(files.get('tile/entries/001') ?? assert.fail());
      bundle.write('X', bundle.indexOf('event-300'));
      files.set('tile/entries/001', bundle);
    },
    told: ['entry-changed 300'],
  },
  {
    name: 'a bundle is removed',
    change: ({ files }) => void files.delete('tile/entries/001'),
    told: ['entry-missing 256'],
  },
  {
    name: 'a bundle is cut within an entry',
    change: ({ files }) => void files.set('tile/entries/001', files.get('tile/entries/001')?.subarray(0, 100) ?? assert.fail()),
    told: ['entry-missing 256'],
  },
  {
    name: 'a tile is replaced by that of another log',
    change: ({ files }) => void files.set('tile/0/001', files.get('tile/0/000') ?? assert.fail()),
    told: ['tile-changed 256'],
  },
  {
    name: 'a tile is removed',
    change: ({ files }) => void files.delete('tile/0/001'),
    told: ['tile-missing'],
  },
  {
    name: 'the checkpoint is signed anew with another key',
    change: ({ files, root, size }) => {
      const thief = signingKeyFromPem(createSigningKey(), 'safekeep');
      files.set('checkpoint', Buffer.from(signCheckpoint({ origin: ORIGIN, size, root }, [thief])));
    },
    told: ['checkpoint-unsigned'],
  },
  {
    name: 'the size in the checkpoint is made smaller',
    change: ({ files, checkpoint }) => void files.set('checkpoint', Buffer.from(checkpoint.replace('\n700\n', '\n512\n'))),
    told: ['tile-changed 256', 'tile-missing', 'checkpoint-unsigned'],
  },
  {
    name: 'the log is replaced as a whole by another one',
    change: (log) => {
      const other = smallLog(700);
      for (const [path, bytes] of other.files) log.files.set(path, bytes);
    },
    told: ['checkpoint-unsigned'],
  },
];

for (const { name, change, told: expected } of attacks) {
  test(`it is found when ${name}`, async (t) => {
    const log = smallLog(700);
    change(log);
    const folder = await inFolder(t, log.files);
    const { ok, faults } = await verifyDirectory(folder, log.signer.verifierKey);
    assert.equal(ok, false);
    if (!name.includes('smaller')) assert.deepEqual(told(faults), expected);
    assert.ok(faults.every(({ remedy }) => remedy.length > 0));
    assert.notDeepEqual(judgeLog(folder, log.signer.verifierKey).findings, []);
  });
}

test('whoever gives the files away cannot hold back their beginning', async (t) => {
  const log = smallLog(700);
  log.files.set('minimum-index', Buffer.from('512\n'));
  for (const path of log.files.keys()) if (/^tile\/entries\/00[01]$/.test(path)) log.files.delete(path);
  const { ok, faults } = await verifyDirectory(await inFolder(t, log.files), log.signer.verifierKey);
  assert.deepEqual([ok, told(faults)], [false, ['entry-missing 0']]);
});

test('a folder that is no export is refused, and a key that is none', async (t) => {
  const folder = await inFolder(t, new Map([['note.txt', Buffer.from('x')]]));
  const log = smallLog(3);
  await assert.rejects(verifyDirectory(folder, log.signer.verifierKey), (error) => isSafekeepError(error, 'log-files-unfit'));
  const whole = await inFolder(t, log.files);
  await writeFile(join(whole, 'minimum-index'), 'x');
  await assert.rejects(verifyDirectory(whole, log.signer.verifierKey), (error) => isSafekeepError(error, 'log-files-unfit'));
  await rm(join(whole, 'minimum-index'));
  await assert.rejects(verifyDirectory(whole, 'no key'), (error) => isSafekeepError(error, 'signature-invalid'));
});

test('a checkpoint that is no note is a fault and says nothing', async (t) => {
  const log = smallLog(3);
  log.files.set('checkpoint', Buffer.from('nothing'));
  const { ok, size, faults } = await verifyDirectory(await inFolder(t, log.files), log.signer.verifierKey);
  assert.deepEqual([ok, size, told(faults)], [false, 0, ['checkpoint-unsigned']]);
});

async function proofOf(log: ReturnType<typeof smallLog>, index: number) {
  const entry = log.entries[index] ?? assert.fail();
  const proof = await inclusionProof(log.reader, { index, size: log.size });
  return { entry, text: formatProof({ index, proof, checkpoint: log.checkpoint, extra: formatProofExtra(entry, []) }) };
}

test('one event is proven by its file and a key, to us and to the other verifier', async (t) => {
  const log = smallLog(700);
  const { text, entry } = await proofOf(log, 300);
  const folder = await inFolder(t, new Map([['event.tlog-proof', Buffer.from(text)]]));
  const { ok, size, checked } = await verifyProofFile(join(folder, 'event.tlog-proof'), log.signer.verifierKey);
  assert.deepEqual([ok, size, checked], [true, 700, 1]);
  assert.ok(judgeProof(text, entry, log.signer.verifierKey));
  assert.ok(!judgeProof(text, Buffer.from('forged'), log.signer.verifierKey));
  await assert.rejects(verifyProofFile(join(folder, 'none'), log.signer.verifierKey), (error) =>
    isSafekeepError(error, 'file-unreadable'),
  );
});

test('a proof with another entry, index, tree or key proves nothing', async () => {
  const log = smallLog(700);
  const { text } = await proofOf(log, 300);
  const other = smallLog(700);
  const key = log.signer.verifierKey;
  assert.deepEqual(told(verifyProofText(text.replace('index 300', 'index 301'), key).faults), ['proof-wrong 301']);
  assert.deepEqual(
    told(
      verifyProofText(
        text.replace(/^extra .*$/m, `extra ${Buffer.from(formatProofExtra(Buffer.from('{}'), [])).toString('base64')}`),
        key,
      ).faults,
    ),
    ['proof-wrong 300'],
  );
  assert.deepEqual(told(verifyProofText(text.replace(/^extra .*\n/m, ''), key).faults), ['proof-wrong 300']);
  assert.deepEqual(told(verifyProofText(text.replace(/^extra .*$/m, 'extra AAAA'), key).faults), ['proof-wrong 300']);
  assert.deepEqual(told(verifyProofText(text, other.signer.verifierKey).faults), ['checkpoint-unsigned']);
  assert.deepEqual(told(verifyProofText('nothing', key).faults), ['proof-wrong']);
});

test('an older checkpoint is continued by the log, and by no other one', async (t) => {
  const older = smallLog(300);
  const newer = smallLog(700);
  const folder = await inFolder(t, newer.files);
  const [head, past] = [readHead(newer.checkpoint, newer.signer.verifierKey), readHead(older.checkpoint, older.signer.verifierKey)];
  assert.ok(head !== undefined && past !== undefined);
  assert.ok(continues(folder, past, head));
  assert.ok(!continues(folder, { ...past, root: Buffer.alloc(32) }, head));
  assert.ok(!continues(folder, head, past));
  assert.equal(entriesOf(Buffer.of(0, 5, 1)).length, 0);
});
