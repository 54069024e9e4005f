import assert from 'node:assert/strict';
import { createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { IndexKey, SealingKey, WrappingKey } from '../index.ts';
import { openMany, SHORT_BYTES } from './many.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '..', '..', 'shared', 'data', 'vectors');
const skip = existsSync(FOLDER) ? false : 'skipped: ../shared/data not present';

type Case = Readonly<Record<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag' | 'comment', string>> & {
  readonly tcId: number;
  readonly result: string;
};
type HkdfCase = Readonly<Record<'ikm' | 'salt' | 'info' | 'okm' | 'result', string>> & {
  readonly size: number;
  readonly tcId: number;
};
type Group = { readonly keySize: number; readonly ivSize: number; readonly tagSize: number; readonly tests: readonly Case[] };

function groups(file: string): readonly Group[] {
  // The published schema of these files.
  return (JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as { readonly testGroups: readonly Group[] }).testGroups;
}
/** How many of each kind: a file that lost some of them would prove less. */
function countOf(cases: readonly Case[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(cases, ({ result }) => result)].map(([result, found]) => [result, found.length]));
}
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

test('AES-256-GCM of the runtime: every valid vector opens, every invalid one does not', { skip }, () => {
  const cases = groups('aes_gcm.json')
    .filter(({ keySize, ivSize, tagSize }) => keySize === 256 && ivSize === 96 && tagSize === 128)
    .flatMap(({ tests }) => tests);
  assert.deepEqual(countOf(cases), { valid: 39, invalid: 27 });
  for (const { key, iv, aad, msg, ct, tag, result, tcId } of cases) {
    const open = (): Buffer => {
      const cipher = createDecipheriv('aes-256-gcm', bytes(key), bytes(iv));
      cipher.setAAD(bytes(aad));
      cipher.setAuthTag(bytes(tag));
      return Buffer.concat([cipher.update(bytes(ct)), cipher.final()]);
    };
    if (result === 'valid') assert.deepEqual(open(), bytes(msg), String(tcId));
    else assert.throws(open, String(tcId));
  }
});

test('AES-256-GCM of batches: every valid vector that is short opens, every invalid one does not', { skip }, () => {
  const cases = groups('aes_gcm.json')
    .filter(({ keySize, ivSize, tagSize }) => keySize === 256 && ivSize === 96 && tagSize === 128)
    .flatMap(({ tests }) => tests)
    .filter(({ ct }) => ct.length / 2 <= SHORT_BYTES);
  assert.ok(cases.length > 50);
  for (const { key, iv, aad, msg, ct, tag, result, tcId } of cases) {
    const bound = { key: new SealingKey('00'.repeat(8), bytes(key)), header: Buffer.alloc(12), data: bytes(aad) };
    const [opened] = openMany(bound, [Buffer.concat([bound.header, bytes(iv), bytes(ct), bytes(tag)])]);
    assert.deepEqual(opened, result === 'valid' ? bytes(msg) : undefined, String(tcId));
  }
});

test('AES-KWP: every valid vector unwraps and wraps to itself, every invalid one is refused', { skip }, () => {
  const cases = groups('aes_kwp.json')
    .filter(({ keySize }) => keySize === 256)
    .flatMap(({ tests }) => tests);
  assert.ok(cases.length > 50);
  for (const { key, msg, ct, result, tcId, comment } of cases) {
    const wrapping = new WrappingKey(bytes(key));
    const unwrap = (): Buffer => wrapping.unwrap(bytes(ct));
    if (result === 'invalid') {
      assert.throws(unwrap, (error: unknown) => isSafekeepError(error, 'key-unwrap-failed'), `${tcId} ${comment}`);
      continue;
    }
    // "acceptable" are keys of lengths that RFC 5649 allows and some libraries do not.
    assert.deepEqual(unwrap(), bytes(msg), `${tcId} ${comment}`);
    assert.deepEqual(wrapping.wrap(bytes(msg)), bytes(ct), `${tcId} ${comment}`);
  }
});

test('HMAC-SHA-256 of the runtime: every vector', { skip }, () => {
  let looked = 0;
  for (const { tagSize, tests } of groups('hmac_sha256.json'))
    for (const { key, msg, tag, result, tcId } of tests) {
      const made = createHmac('sha256', bytes(key))
        .update(bytes(msg))
        .digest()
        .subarray(0, tagSize / 8);
      assert.equal(made.equals(bytes(tag)), result === 'valid', String(tcId));
      looked += 1;
    }
  assert.ok(looked > 100);
});

test('RFC 5649, section 6, with a key of 256 bits (NIST KWP): what is wrapped comes back, changed it does not', () => {
  const wrapping = new WrappingKey(Buffer.alloc(32, 7));
  for (const length of [1, 8, 31, 32, 33, 64]) {
    const key = Buffer.alloc(length, length);
    const wrapped = wrapping.wrap(key);
    assert.equal(wrapped.length, Math.ceil(length / 8) * 8 + 8);
    assert.deepEqual(wrapping.unwrap(wrapped), key);
    for (let at = 0; at < wrapped.length; at += 1) {
      const changed = Buffer.from(wrapped);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.throws(
        () => wrapping.unwrap(changed),
        (error: unknown) => isSafekeepError(error, 'key-unwrap-failed'),
      );
    }
  }
  assert.throws(() => wrapping.wrap(Buffer.alloc(0)), TypeError);
  assert.throws(() => new WrappingKey(Buffer.alloc(16)), TypeError);
});

test('many keys wrapped together are each what OpenSSL makes of one by itself, and one that is changed refuses all', () => {
  const wrapping = new WrappingKey(randomBytes(32));
  for (const [count, bytesEach] of [
    [0, 40],
    [1, 16],
    [3, 24],
    [7, 32],
    [5000, 40],
    [2, 128],
  ] as const) {
    const keys = randomBytes(count * bytesEach);
    const wrapped = wrapping.wrapMany(keys, bytesEach);
    for (let key = 0; key < count; key += 1)
      assert.ok(
        wrapping
          .wrap(keys.subarray(key * bytesEach, (key + 1) * bytesEach))
          .equals(wrapped.subarray(key * (bytesEach + 8), (key + 1) * (bytesEach + 8))),
      );
    assert.ok(wrapping.unwrapMany(wrapped, bytesEach).equals(keys));
  }
  const wrapped = wrapping.wrapMany(randomBytes(3 * 40), 40);
  for (let at = 0; at < wrapped.length; at += 1) {
    const changed = Buffer.from(wrapped);
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
    assert.throws(
      () => wrapping.unwrapMany(changed, 40),
      (error: unknown) => isSafekeepError(error, 'key-unwrap-failed'),
    );
  }
  for (const [keys, bytesEach] of [
    [41, 40],
    [12, 12],
    [8, 8],
    [136, 136],
  ] as const)
    assert.throws(() => wrapping.wrapMany(Buffer.alloc(keys), bytesEach), TypeError);
  assert.throws(() => wrapping.unwrapMany(Buffer.alloc(40), 40), TypeError);
});

// Pseudonyms of actors and the keys of exports are made with it.
test('HKDF-SHA-256 of the runtime: the cases of RFC 5869, appendix A', () => {
  const ikm = '0b'.repeat(22);
  const counting = (from: number, count: number): string =>
    Buffer.from(Array.from({ length: count }, (_, n) => from + n)).toString('hex');
  const rfc = [
    [
      ikm,
      counting(0, 13),
      counting(0xf0, 10),
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    ],
    [
      counting(0, 80),
      counting(0x60, 80),
      counting(0xb0, 80),
      'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
    ],
    [ikm, '', '', '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8'],
  ] as const;
  for (const [key, salt, info, expected] of rfc)
    assert.equal(
      Buffer.from(hkdfSync('sha256', bytes(key), bytes(salt), bytes(info), expected.length / 2)).toString('hex'),
      expected,
    );
});

test('HKDF-SHA-256 of the runtime: every vector of Wycheproof', { skip }, () => {
  let looked = 0;
  for (const { tests } of groups('hkdf_sha256.json'))
    // The published schema of this file.
    for (const { ikm, salt, info, size, okm, result, tcId } of tests as readonly unknown[] as readonly HkdfCase[]) {
      const derive = (): string => Buffer.from(hkdfSync('sha256', bytes(ikm), bytes(salt), bytes(info), size)).toString('hex');
      if (result === 'invalid') assert.throws(derive, RangeError, String(tcId));
      else assert.equal(derive(), okm, String(tcId));
      looked += 1;
    }
  assert.ok(looked > 80);
});

// RFC 4231, test case 1, with the key padded to 32 bytes: HMAC pads keys with zeros, so the result is the same.
test('RFC 4231: a blind index is the front of the HMAC', () => {
  const key = Buffer.concat([Buffer.alloc(20, 0x0b), Buffer.alloc(12)]);
  const digest = createHmac('sha256', key).update('Hi There').digest('hex');
  assert.equal(digest, 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7');
  const index = new IndexKey(key);
  assert.equal(index.digest('Hi', 'There').toString('hex'), createHmac('sha256', key).update('Hi\0There').digest('hex'));
  assert.ok(index.index('a', 'b', 63) >= 0n && index.index('a', 'b', 1) <= 1n);
  assert.throws(() => index.index('a', 'b', 64), RangeError);
});
