import { createHash, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

// A witness written from the texts of C2SP tlog-witness, tlog-cosignature and signed-note and RFC 6962 alone: it shares no code with the log.

type Known = { readonly size: number; readonly root: Buffer };
type Answer = { readonly status: number; readonly body: string; readonly type?: string };

export type WitnessServer = {
  readonly url: string;
  readonly vkey: string;
  readonly seen: () => Known;
  readonly close: () => Promise<void>;
};

/** Countersigns logs of one verifier key. */
export async function witnessServer(logKey: string): Promise<WitnessServer> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const name = 'witness.example/w1';
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const typed = Buffer.concat([Buffer.of(4), raw]);
  const id = sha256(Buffer.from(`${name}\n`), typed).subarray(0, 4);
  let known: Known = { size: 0, root: Buffer.alloc(32) };
  const answer = (body: string): Answer => {
    const asked = readRequest(body, logKey);
    if (typeof asked === 'number') return { status: asked, body: '' };
    const { old, proof, text, size, root } = asked;
    if (old > size) return { status: 400, body: '' };
    if (old !== known.size) return { status: 409, body: `${known.size}\n`, type: 'text/x.tlog.size' };
    if (old === size && !root.equals(known.root)) return { status: 409, body: `${known.size}\n`, type: 'text/x.tlog.size' };
    if (old > 0 && old < size && !follows({ old, oldRoot: known.root, size, root }, proof)) return { status: 422, body: '' };
    known = { size, root };
    const time = Math.floor(Date.now() / 1000);
    const signature = sign(null, Buffer.from(`cosignature/v1\ntime ${time}\n${text}`), privateKey);
    const stamp = Buffer.alloc(8);
    stamp.writeBigUInt64BE(BigInt(time));
    return { status: 200, body: `\u2014 ${name} ${Buffer.concat([id, stamp, signature]).toString('base64')}\n` };
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const isRight = request.method === 'POST' && request.url === '/prefix/add-checkpoint';
    const { status, body: lines, type = 'text/plain' } = isRight ? answer(body) : { status: 404, body: '' };
    response.writeHead(status, { 'content-type': type }).end(lines);
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  // An address of TCP, since it listens on one.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/prefix/`,
    vkey: `${name}+${id.toString('hex')}+${typed.toString('base64')}`,
    seen: () => known,
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** The parts of a request, or the status that refuses it: 400 malformed, 403 not signed by the log. */
function readRequest(body: string, logKey: string) {
  const gap = body.indexOf('\n\n');
  const [first = '', ...hashes] = body.slice(0, gap).split('\n');
  const old = /^old (0|[1-9]\d*)$/.exec(first)?.[1];
  const note = body.slice(gap + 2);
  const end = note.lastIndexOf('\n\n');
  if (gap < 0 || old === undefined || end < 0 || hashes.length > 63) return 400;
  const text = note.slice(0, end + 1);
  const [, size, root] = text.split('\n');
  // Base64 has a plus of its own.
  const [name, , ...encoded] = logKey.split('+');
  const key = keyOf(Buffer.from(encoded.join('+'), 'base64').subarray(1));
  const isSigned = note
    .slice(end + 2)
    .split('\n')
    .some((line) => {
      const [, signer, signature = ''] = line.split(' ');
      return signer === name && verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64').subarray(4));
    });
  if (!isSigned) return 403;
  return {
    old: Number(old),
    proof: hashes.map((hash) => Buffer.from(hash, 'base64')),
    text,
    size: Number(size),
    root: Buffer.from(root ?? '', 'base64'),
  };
}

function keyOf(raw: Buffer): KeyObject {
  return createPublicKey({
    key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]),
    format: 'der',
    type: 'spki',
  });
}

function sha256(...parts: readonly Buffer[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

type Trees = { readonly old: number; readonly oldRoot: Buffer; readonly size: number; readonly root: Buffer };

/** RFC 6962, 2.1.2, read backwards: SUBPROOF(m, D[n], b) as the two roots that it makes. */
function follows({ old, oldRoot, size, root }: Trees, proof: readonly Buffer[]): boolean {
  const rest = [...proof];
  const node = (left: Buffer, right: Buffer): Buffer => sha256(Buffer.of(1), left, right);
  const roots = (m: number, n: number, isWhole: boolean): readonly [Buffer, Buffer] => {
    if (m === n) {
      const own = isWhole ? oldRoot : (rest.shift() ?? Buffer.alloc(0));
      return [own, own];
    }
    const k = 2 ** Math.floor(Math.log2(n - 1));
    if (m <= k) {
      const [before, after] = roots(m, k, isWhole);
      return [before, node(after, rest.shift() ?? Buffer.alloc(0))];
    }
    const [before, after] = roots(m - k, n - k, false);
    const left = rest.shift() ?? Buffer.alloc(0);
    return [node(left, before), node(left, after)];
  };
  const [before, after] = roots(old, size, true);
  return rest.length === 0 && before.equals(oldRoot) && after.equals(root);
}
