import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signCheckpoint } from './checkpoint.ts';
import { formatProof, parseProof, verifyProof } from './proof-file.ts';
import { inclusionProof } from './proofs.ts';
import { memoryLog, numbered, signerNamed } from './testing/memory-log.ts';

async function proofOf(index: number, size: number, extra?: Buffer) {
  const log = memoryLog();
  const { root } = log.grow(numbered(size));
  const signer = signerNamed('log');
  const checkpoint = signCheckpoint({ origin: 'log', size, root }, [signer]);
  const proof = await inclusionProof(log.reader, { index, size });
  const text = formatProof({ index, proof, checkpoint, ...(extra === undefined ? {} : { extra }) });
  return { text, entry: log.entries[index] ?? assert.fail(), trusted: [signer.verifierKey], checkpoint };
}

test('a file proves its entry to whoever has the key, and no other entry', async () => {
  for (const [index, size] of [
    [0, 1],
    [4, 7],
    [299, 300],
  ] as const) {
    const { text, entry, trusted } = await proofOf(index, size);
    assert.equal(verifyProof(text, { entry, trusted, origin: 'log' }).size, size);
    assert.throws(() => verifyProof(text, { entry: Buffer.from('forged'), trusted }), { code: 'proof-wrong' });
    assert.throws(() => verifyProof(text, { entry, trusted: [signerNamed('log').verifierKey] }), { code: 'note-unsigned' });
    assert.throws(() => verifyProof(text, { entry, trusted, origin: 'other' }), { code: 'origin-foreign' });
  }
});

test('the file reads as the specification says', async () => {
  const { text, checkpoint } = await proofOf(2, 3, Buffer.from('salt'));
  const lines = text.split('\n');
  assert.deepEqual(lines.slice(0, 3), ['c2sp.org/tlog-proof@v1', 'extra c2FsdA==', 'index 2']);
  assert.equal(lines[4], '');
  assert.ok(text.endsWith(`\n\n${checkpoint}`));
  assert.equal(Buffer.from(parseProof(text).extra ?? []).toString(), 'salt');
});

test('whatever single byte of it is changed, the file proves nothing any more', async () => {
  const { text, entry, trusted } = await proofOf(5, 11);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 2;
    assert.throws(() => verifyProof(changed.toString(), { entry, trusted }), String(at));
  }
});

test('texts that are no proof are refused', async () => {
  const { text } = await proofOf(2, 3);
  for (const wrong of [
    '',
    text.replace('@v1', '@v2'),
    text.replace('index 2', 'index 02'),
    text.replace('index 2', 'index -2'),
    text.replace('index 2', 'extra ?\nindex 2'),
    text.replace('index 2\n', 'index 2\nAAAA\n'),
    text.replace('index 2\n', `index 2\n${`${Buffer.alloc(32).toString('base64')}\n`.repeat(64)}`),
  ]) {
    assert.throws(() => parseProof(wrong), { code: 'proof-malformed' }, wrong.slice(0, 60));
  }
});
