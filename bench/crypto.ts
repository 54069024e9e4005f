import { execFile } from 'node:child_process';
import { createCipheriv, createDecipheriv, randomBytes, webcrypto } from 'node:crypto';
import { promisify } from 'node:util';
import { gcm } from '@noble/ciphers/aes.js';
import { createSealingKey, SealingKey, sealerFor } from '@safekeep/crypto';
import { defineBench, type Contender, type Prepared } from './measure/bench.ts';

// All seal the same: 64 bytes of text with its type, a fresh IV each, and 64 bytes of authenticated data, more or less what a place
// has. The figure to look at is values per second of CPU: a machine that does something else beside it slows all, but not that.
const VALUE = 'x'.repeat(64);
const CONTENT = Buffer.concat([Buffer.of(1), Buffer.from(VALUE)]);
const BOUND = Buffer.alloc(64, 1);
const IV_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';
const PLACE = { tenant: 'default', field: '01994b0e-7c4a-7000-8000-5f2f6d8b9c10' };
const SOURCE = 'issue 8';

/** Runs the work `size` times and adds the values per second of CPU of this process. */
function perCpu(size: number, once: () => unknown): Prepared {
  return {
    run: async () => {
      const before = process.cpuUsage();
      for (let count = 0; count < size; count += 1) await once();
      return { units: size, extra: { perCpuSecond: rate(size, before) } };
    },
  };
}

/** As {@link perCpu}, without a promise at each value: for what works at once. */
function perCpuAtOnce(size: number, once: () => unknown): Prepared {
  return {
    run: async () => {
      const before = process.cpuUsage();
      for (let count = 0; count < size; count += 1) once();
      return { units: size, extra: { perCpuSecond: rate(size, before) } };
    },
  };
}

function rate(size: number, before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return size / ((user + system) / 1e6);
}

function ourKey(): SealingKey {
  const { id, bytes } = createSealingKey();
  return new SealingKey(id, bytes);
}

/** With the key as a Buffer and an IV from the system each time: what the manual of Node shows. */
function sealWithBuffers(key: Buffer): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv);
  cipher.setAAD(BOUND);
  return Buffer.concat([iv, cipher.update(CONTENT), cipher.final(), cipher.getAuthTag()]);
}

function openWithBuffers(key: Buffer, sealed: Buffer): Buffer {
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, IV_BYTES));
  decipher.setAAD(BOUND);
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
}

const contenders: readonly Contender[] = [
  {
    name: 'seal',
    kind: 'ours',
    isolate: true,
    prepare: async ({ size }) => {
      const [key, sealer] = [ourKey(), sealerFor(PLACE)];
      return perCpuAtOnce(size, () => sealer.seal(key, { type: 'text', value: VALUE }));
    },
  },
  {
    name: 'open',
    kind: 'ours',
    isolate: true,
    prepare: async ({ size }) => {
      const [key, sealer] = [ourKey(), sealerFor(PLACE)];
      const sealed = sealer.seal(key, { type: 'text', value: VALUE });
      return perCpuAtOnce(size, () => sealer.open(key, sealed));
    },
  },
  {
    name: 'seal, Buffer keys',
    kind: 'rival',
    isolate: true,
    prepare: async ({ size }) => {
      const key = randomBytes(32);
      return perCpuAtOnce(size, () => sealWithBuffers(key));
    },
  },
  {
    name: 'open, Buffer keys',
    kind: 'rival',
    isolate: true,
    prepare: async ({ size }) => {
      const key = randomBytes(32);
      const sealed = sealWithBuffers(key);
      return perCpuAtOnce(size, () => openWithBuffers(key, sealed));
    },
  },
  {
    name: 'seal, webcrypto',
    kind: 'rival',
    isolate: true,
    prepare: async ({ size }) => {
      const key = await webcrypto.subtle.importKey('raw', randomBytes(32), 'AES-GCM', false, ['encrypt']);
      return perCpu(size, () =>
        webcrypto.subtle.encrypt({ name: 'AES-GCM', iv: randomBytes(IV_BYTES), additionalData: BOUND }, key, CONTENT),
      );
    },
  },
  {
    name: 'seal, @noble/ciphers',
    kind: 'rival',
    isolate: true,
    prepare: async ({ size }) => {
      const key = randomBytes(32);
      return perCpuAtOnce(size, () => gcm(key, randomBytes(IV_BYTES), BOUND).encrypt(CONTENT));
    },
  },
  {
    name: 'openssl speed',
    kind: 'limit',
    isolate: true,
    available: async () => ((await openssl(['version'])) === undefined ? 'no openssl program here: apt-get install openssl' : true),
    version: async () => (await openssl(['version']))?.trim() ?? 'unknown',
    // It counts what it does in a second by itself; that is its figure here, and the units are those of the others.
    prepare: async ({ size }) => ({ run: async () => ({ units: size, extra: { perCpuSecond: await opensslRate() } }) }),
  },
];

async function openssl(words: readonly string[]): Promise<string | undefined> {
  try {
    return (await promisify(execFile)('openssl', [...words])).stdout;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw cause;
  }
}

/** Blocks of 64 bytes per second of its CPU, with one key set once: no program in another language gets nearer. */
async function opensslRate(): Promise<number> {
  const printed = (await openssl(['speed', '-seconds', '1', '-bytes', '64', '-mr', '-evp', CIPHER])) ?? '';
  const bytesPerSecond = Number(/^\+F:.*:([\d.]+)$/m.exec(printed)?.[1]);
  if (!(bytesPerSecond > 0)) throw new Error('openssl speed printed no rate');
  return bytesPerSecond / 64;
}

export const bench = defineBench({
  question: 'How many values of 64 bytes are sealed and opened in a second of CPU, beside other ways from JavaScript?',
  unit: 'values',
  sizes: { small: 100_000, medium: 250_000, large: 500_000 },
  warmups: 2,
  runs: 7,
  contenders,
  limits: [
    { contender: 'seal', measure: 'extra.perCpuSecond', relation: 'at-least', bound: 250_000, source: SOURCE },
    { contender: 'open', measure: 'extra.perCpuSecond', relation: 'at-least', bound: 280_000, source: SOURCE },
    {
      contender: 'seal',
      measure: 'extra.perCpuSecond',
      relation: 'at-least',
      bound: 3,
      against: 'seal, Buffer keys',
      source: 'our own aim',
    },
  ],
});
