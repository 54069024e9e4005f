import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { openCheckpoint, parseCheckpointText, peekCheckpoint, signCheckpoint } from './checkpoint.ts';
import { cosignatureTime, noteVerifier } from './keys.ts';
import { addSignatures, openNote, parseNote, signNote } from './note.ts';
import { signerNamed } from './testing/memory-log.ts';

const vectors: { verifierKey: string; text: string; note: string } = JSON.parse(
  readFileSync(new URL('./vectors/notes.json', import.meta.url), 'utf8'),
);
const checkpoint = { origin: 'example.com/log', size: 3, root: Buffer.alloc(32, 7) };

test('a note that another program has signed opens, and one changed letter closes it', () => {
  assert.equal(openNote(vectors.note, [vectors.verifierKey]).text, vectors.text);
  assert.throws(() => openNote(vectors.note.replace('answer', 'Answer'), [vectors.verifierKey]), { code: 'signature-wrong' });
});

test('lines of unknown keys are ignored, whatever stands in them', () => {
  const [own, stranger] = [signerNamed('log'), signerNamed('log')];
  const note = signCheckpoint(checkpoint, [stranger, own]);
  const withPostQuantum = addSignatures(note, [`— log ${Buffer.alloc(2424, 9).toString('base64')}`]);
  assert.equal(openCheckpoint(withPostQuantum, { trusted: [own.verifierKey] }).signatures.length, 1);
  assert.throws(() => openCheckpoint(note, { trusted: [signerNamed('log').verifierKey] }), { code: 'note-unsigned' });
  assert.throws(() => openCheckpoint(note, { trusted: [] }), { code: 'note-unsigned' });
});

test('one wrong line of a trusted key closes the note even where another one is right', () => {
  const [one, two] = [signerNamed('one'), signerNamed('two')];
  const note = signNote('text\n', [one, { ...two, signBytes: () => Buffer.alloc(64) }]);
  assert.throws(() => openNote(note, [one.verifierKey, two.verifierKey]), { code: 'signature-wrong' });
  assert.equal(openNote(note, [one.verifierKey]).text, 'text\n');
});

test('a cosignature is verified with its time, and does not pass for a signature of the log', () => {
  const [log, witness] = [signerNamed('log'), signerNamed('witness', 4)];
  const note = signCheckpoint(checkpoint, [log, witness]);
  const { signatures } = openCheckpoint(note, { trusted: [witness.verifierKey] });
  assert.equal(cosignatureTime(signatures[0]?.signature ?? assert.fail()), 1_679_315_147n);
  const late = signCheckpoint(checkpoint, [
    { ...witness, signBytes: (text) => Buffer.from(witness.signBytes(text)).fill(1, 0, 8) },
  ]);
  assert.throws(() => openCheckpoint(late, { trusted: [witness.verifierKey] }), { code: 'signature-wrong' });
});

test('a checkpoint of one log does not pass for the one of another that the same key signs', () => {
  const signer = signerNamed('log');
  const note = signCheckpoint(checkpoint, [signer]);
  assert.throws(() => openCheckpoint(note, { trusted: [signer.verifierKey], origin: 'example.com/other' }), {
    code: 'origin-foreign',
  });
});

test('every changed byte of a checkpoint closes it', () => {
  const signer = signerNamed('log');
  const note = signCheckpoint(checkpoint, [signer]);
  const bytes = Buffer.from(note);
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.throws(() => openCheckpoint(changed.toString(), { trusted: [signer.verifierKey] }), String(at));
  }
});

test('extension lines are kept and signed', () => {
  const signer = signerNamed('log');
  const note = signCheckpoint({ ...checkpoint, extensions: ['more'] }, [signer]);
  assert.deepEqual(openCheckpoint(note, { trusted: [signer.verifierKey] }).extensions, ['more']);
  assert.deepEqual(peekCheckpoint(note).extensions, ['more']);
});

test('texts that are no checkpoint are refused', () => {
  const root = checkpoint.root.toString('base64');
  for (const text of [
    '',
    'log\n3\n',
    `\n3\n${root}\n`,
    `log\n03\n${root}\n`,
    `log\n-1\n${root}\n`,
    `log\n9007199254740993\n${root}\n`,
    `log\n3\n${root.slice(4)}\n`,
    `log\n3\n${root.replace('=', '')}\n`,
    `log\n3\n${root}\n\nmore\n`,
  ]) {
    assert.throws(() => parseCheckpointText(text), { code: 'checkpoint-malformed' }, JSON.stringify(text));
  }
  assert.throws(() => signCheckpoint({ ...checkpoint, origin: 'a\nb' }, [signerNamed('log')]), { code: 'checkpoint-malformed' });
  assert.throws(() => signCheckpoint({ ...checkpoint, size: -1 }, [signerNamed('log')]), { code: 'checkpoint-malformed' });
});

test('texts that are no note are refused', () => {
  for (const note of [
    '',
    'text\n',
    'text\n\n',
    'text\n\n— log AAAA\n',
    'text\n\n- log AAAAAAA=\n',
    'te\txt\n\n— log AAAAAAA=\n',
    'text\n\n— log AAAAAAA=',
  ]) {
    assert.throws(() => parseNote(note), { code: 'note-malformed' }, JSON.stringify(note));
  }
  assert.throws(() => parseNote(`text\n\n${'— log AAAAAAA=\n'.repeat(65)}`), { code: 'note-malformed' });
  assert.throws(() => parseNote(`${'a'.repeat(600_000)}\n\n— log AAAAAAA=\n`), { code: 'note-malformed' });
  assert.throws(() => signNote('no newline', [signerNamed('log')]), { code: 'note-malformed' });
  assert.throws(() => signNote('text\n', []), { code: 'note-unsigned' });
});

test('the text ends at the last blank line, so it may have blank lines itself', () => {
  const signer = signerNamed('log');
  const texts = fc.array(
    fc.string().filter((line) => !/[\x00-\x1f]/.test(line) && line.isWellFormed()),
    { minLength: 1 },
  );
  fc.assert(
    fc.property(texts, (lines) => {
      const text = `${lines.join('\n')}\n`;
      assert.equal(openNote(signNote(text, [signer]), [signer.verifierKey]).text, text);
    }),
    { numRuns: 50 },
  );
});

test('keys that are none, or of a type not verified here, are refused', () => {
  const { verifierKey: good } = signerNamed('log');
  for (const key of ['', 'log', good.replace('log', 'lag'), good.slice(0, -4), `${good}AAAA`]) {
    assert.throws(() => noteVerifier(key), { code: 'key-malformed' }, key);
  }
  const { verifierKey: text } = vectors;
  assert.throws(() => noteVerifier(text.replace('ARpc', 'Bhpc')), { code: 'key-malformed' });
});
