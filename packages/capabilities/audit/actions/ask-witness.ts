import { join } from 'node:path';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import { codeOf, SafekeepError } from '@safekeep/core';
import { type Database } from '@safekeep/postgres';
import {
  addSignatures,
  consistencyProof,
  cosign,
  cosignatureTime,
  openCheckpoint,
  openNote,
  parseVerifierKey,
  peekCheckpoint,
  TlogError,
  type WitnessTransport,
} from '@safekeep/tlog';
import { readOnly } from '../store/read-only.ts';
import { cosignedFiles, readOptional, writeLogFile } from '../verification/log-files.ts';
import { readTrees } from '../verification/store/log.ts';
import { databaseReader } from '../verification/tiles-of-database.ts';

export const Witnessed = Type.Object({
  origin: Type.String(),
  size: Type.Integer(),
  witness: Type.String({ description: 'name of its key' }),
  at: Type.String({ description: 'when the witness signed, by its own clock; ISO 8601, UTC' }),
  file: Type.String({ description: 'where the countersigned checkpoint lies' }),
});
export type Witnessed = Static<typeof Witnessed>;

/** A witness answers with some lines; whoever sends more is none. */
const ANSWER_BYTES_AT_MOST = 64 * 1024;
const ANSWER_WITHIN_MS = 30_000;

export type WitnessOrder = {
  readonly tenant: string;
  readonly home: string;
  /** Submission prefix: what `/add-checkpoint` is put behind. */
  readonly url: string;
  /** Verifier key of the witness, which came from somewhere else than its answer. */
  readonly witnessKey: string;
  readonly signal: AbortSignal;
};

/**
 * Lets a witness (C2SP tlog-witness) countersign the newest checkpoint, and keeps what it signed in the home, where every verification
 * holds the tree against it. Nothing but the checkpoint and hashes of the tree leaves this machine.
 *
 * @throws `log-empty`, `witness-unreachable`, `witness-refused`, and `witness-conflict`: it has seen a log that this one does not continue.
 */
export async function askWitness(database: Database, order: WitnessOrder): Promise<Witnessed> {
  const { tenant, home, witnessKey } = order;
  const send = transportTo(order);
  try {
    const { keyName, keyId } = parseVerifierKey(witnessKey);
    return await readOnly(database, tenant, async (client) => {
      const tree = (await readTrees(client, tenant)).findLast(({ note }) => note !== null);
      if (tree === undefined || tree.note === null) throw new SafekeepError('log-empty', { tenant });
      const { origin, size } = peekCheckpoint(tree.note);
      const { checkpoint: name, key } = cosignedFiles({ tenant, origin }, keyId);
      const kept = await readOptional(join(home, 'audit', name));
      const before = kept === undefined ? undefined : openCheckpoint(kept, { trusted: [witnessKey] });
      const oldSize = before === undefined || before.origin !== origin || before.size > size ? 0 : before.size;
      const reader = databaseReader(client, tenant, tree.era);
      const { lines } = await cosign({
        checkpoint: tree.note,
        size,
        oldSize,
        witnessKeys: [witnessKey],
        proofFrom: async (from) => (from === 0 || from === size ? [] : await consistencyProof(reader, { from, to: size })),
        send,
      });
      const note = addSignatures(tree.note, lines);
      const [line] = openNote(note, [witnessKey]).signatures;
      const at = line === undefined ? 0 : Number(cosignatureTime(line.signature));
      await writeLogFile(join(home, 'audit'), name, note);
      // What is kept is held against it by every verification.
      await writeLogFile(join(home, 'audit'), key, `${witnessKey.trim()}\n`);
      return { origin, size, witness: keyName, at: new Date(at * 1000).toISOString(), file: join(home, 'audit', name) };
    });
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    if (error.code.startsWith('key-')) throw new SafekeepError('usage', { problem: `--vkey: ${error.message}` }, { cause: error });
    const code = error.code === 'witness-conflict' ? 'witness-conflict' : 'witness-refused';
    throw new SafekeepError(code, { reason: error.message }, { cause: error });
  }
}

function transportTo({ url, signal }: WitnessOrder): WitnessTransport {
  const target = addressOf(url);
  return async (body) => {
    try {
      const response = await fetch(target, {
        method: 'POST',
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        body,
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
      });
      return { status: response.status, body: await limited(response) };
    } catch (error) {
      if (error instanceof TlogError) throw error;
      signal.throwIfAborted();
      const reason = codeOf(error instanceof Error ? error.cause : error) ?? (error instanceof Error ? error.name : 'unknown');
      throw new SafekeepError('witness-unreachable', { host: target.host, reason }, { cause: error });
    }
  };
}

/** A checkpoint is no secret, but an answer that somebody on the way made up would be refused for a reason that is none. */
function addressOf(url: string): URL {
  const prefix = URL.parse(url);
  const isLocal = prefix !== null && ['127.0.0.1', 'localhost', '[::1]'].includes(prefix.hostname);
  if (prefix === null || !(prefix.protocol === 'https:' || (prefix.protocol === 'http:' && isLocal)) || prefix.username !== '')
    throw new SafekeepError('usage', { problem: 'URL is the https address that the witness gives, without a name or password.' });
  return new URL(`${prefix.href.replace(/\/+$/, '')}/add-checkpoint`);
}

async function limited(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const sent of response.body ?? []) {
    const piece: unknown = sent;
    if (!(piece instanceof Uint8Array)) throw new TypeError('The body of an answer is made of bytes');
    bytes += piece.length;
    if (bytes > ANSWER_BYTES_AT_MOST) throw new TlogError('witness-refused', 'The answer of the witness is too long.');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
