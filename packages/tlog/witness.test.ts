import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCheckpoint, signCheckpoint } from './checkpoint.ts';
import { addSignatures, parseNote } from './note.ts';
import { consistencyProof, verifyConsistency } from './proofs.ts';
import { memoryLog, numbered, signerNamed } from './testing/memory-log.ts';
import { cosign, type WitnessTransport } from './witness.ts';

const witnessKey = signerNamed('witness.example/w1', 4);
const logKey = signerNamed('log');

/** A witness by the text of C2SP tlog-witness, in memory. */
function witness(known: { size: number; root: Uint8Array } = { size: 0, root: Buffer.alloc(32) }) {
  const state = { ...known };
  const asked: string[] = [];
  const send: WitnessTransport = async (body) => {
    asked.push(body.split('\n')[0] ?? '');
    const gap = body.indexOf('\n\n');
    const [old = '', ...hashes] = body.slice(0, gap).split('\n');
    const note = body.slice(gap + 2);
    const newer = openCheckpoint(note, { trusted: [logKey.verifierKey] });
    if (old !== `old ${state.size}`) return { status: 409, body: `${state.size}\n` };
    try {
      if (state.size > 0)
        verifyConsistency(
          state,
          newer,
          hashes.map((hash) => Buffer.from(hash, 'base64')),
        );
      else assert.equal(hashes.length, 0);
    } catch {
      return { status: 422, body: '' };
    }
    [state.size, state.root] = [newer.size, newer.root];
    const { text } = parseNote(note);
    const signed = signCheckpoint(newer, [witnessKey]);
    assert.equal(parseNote(signed).text, text);
    return { status: 200, body: signed.slice(signed.lastIndexOf('\n\n') + 2) };
  };
  return { send, asked };
}

function log(size: number) {
  const { grow, reader } = memoryLog();
  const tree = grow(numbered(size));
  const checkpoint = signCheckpoint({ origin: 'log', ...tree }, [logKey]);
  return {
    checkpoint,
    ...tree,
    proofFrom: (from: number) => consistencyProof(reader, { from, to: size }),
    witnessKeys: [witnessKey.verifierKey],
  };
}

test('a witness countersigns what follows from what it has seen, and its line joins the note', async () => {
  const { send } = witness();
  const first = log(5);
  const { lines } = await cosign({ ...first, oldSize: 0, send });
  const note = addSignatures(first.checkpoint, lines);
  const both = [witnessKey.verifierKey, logKey.verifierKey];
  assert.equal(openCheckpoint(note, { trusted: both }).signatures.length, 2);
  assert.equal(addSignatures(note, lines), note);
  assert.equal((await cosign({ ...log(9), oldSize: 5, send })).oldSize, 5);
});

test('a witness that has seen another size tells it and is asked once more', async () => {
  const { send, asked } = witness();
  await cosign({ ...log(4), oldSize: 0, send });
  assert.equal((await cosign({ ...log(9), oldSize: 2, send })).oldSize, 4);
  assert.deepEqual(asked, ['old 0', 'old 2', 'old 4']);
});

test('a log that was rolled back or forked is told so', async () => {
  const { send } = witness();
  await cosign({ ...log(9), oldSize: 0, send });
  await assert.rejects(cosign({ ...log(5), oldSize: 4, send }), { code: 'witness-conflict' });
  await assert.rejects(cosign({ ...log(5), oldSize: 4, send: async () => ({ status: 409, body: 'nonsense' }) }), {
    code: 'witness-conflict',
  });
  await assert.rejects(cosign({ ...log(5), oldSize: 4, send: async () => ({ status: 409, body: '3\n' }) }), {
    code: 'witness-conflict',
  });
  const fork = witness({ size: 4, root: Buffer.alloc(32, 1) });
  await assert.rejects(cosign({ ...log(9), oldSize: 4, send: fork.send }), { code: 'witness-refused', message: /422/ });
});

test('an answer without a signature of the witness is none', async () => {
  const stranger = signerNamed('witness.example/w1', 4);
  const foreign = signCheckpoint({ origin: 'log', size: 5, root: log(5).root }, [stranger]);
  const line = foreign.slice(foreign.lastIndexOf('\n\n') + 2);
  for (const body of ['', line, '— witness.example/w1 AAAAAAA=\n'.repeat(65), 'x'.repeat(600_000)]) {
    await assert.rejects(cosign({ ...log(5), oldSize: 0, send: async () => ({ status: 200, body }) }), { code: 'witness-refused' });
  }
  await assert.rejects(cosign({ ...log(5), oldSize: 0, send: async () => ({ status: 200, body: 'no line\n' }) }), {
    code: 'note-malformed',
  });
});
