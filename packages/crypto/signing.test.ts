import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createPrivateKey, createPublicKey, verify as verifyBytes } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSafekeepError } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem, verifierKey, verify } from './signing.ts';

const signer = signingKeyFromPem(createSigningKey(), 'home-1');
const refused = (error: unknown): boolean => isSafekeepError(error, 'signature-invalid');

test('a signed document verifies with the verifier key and with no other', () => {
  const document = { b: 1, a: ['x', null, 2.5] };
  const signature = signer.signDocument('report', document);
  verify('report', document, signature, signer.verifierKey);
  const other = signingKeyFromPem(createSigningKey(), 'home-1');
  assert.throws(() => verify('report', document, signature, other.verifierKey), refused);
});

test('the order of keys does not matter, anything else does', () => {
  const signature = signer.signDocument('report', { a: 1, b: { c: 2, d: 3 } });
  verify('report', { b: { d: 3, c: 2 }, a: 1 }, signature, signer.verifierKey);
  assert.throws(() => verify('report', { a: 1, b: { c: 2, d: 4 } }, signature, signer.verifierKey), refused);
});

test('one kind of document does not pass for another', () => {
  const signature = signer.signDocument('report', { a: 1 });
  assert.throws(() => verify('certificate', { a: 1 }, signature, signer.verifierKey), refused);
});

test('any changed byte of document or signature is found', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), fc.nat(63), fc.integer({ min: 1, max: 255 }), (value, at, flip) => {
      const document = { value };
      const signature = signer.signDocument('report', document);
      verify('report', document, signature, signer.verifierKey);
      const bytes = Buffer.from(signature.signature, 'base64');
      bytes[at] = (bytes[at] ?? 0) ^ flip;
      assert.throws(
        () => verify('report', document, { ...signature, signature: bytes.toString('base64') }, signer.verifierKey),
        refused,
      );
      assert.throws(() => verify('report', { value, more: 1 }, signature, signer.verifierKey), refused);
    }),
    { numRuns: 50 },
  );
});

test('a malformed verifier key, or one whose id is not its own, is refused', () => {
  const key = signer.verifierKey;
  for (const text of ['', 'x', key.slice(0, -4), key.replace('home-1', 'home-2'), key.replace('+', ' '), `${key}${key}`]) {
    assert.throws(() => verifierKey(text), refused, text);
  }
});

test('a key name with a space or a plus sign, and a key of another kind, are bugs of the caller', () => {
  assert.throws(() => signingKeyFromPem(createSigningKey(), 'a b'), TypeError);
  assert.throws(() => signingKeyFromPem(createSigningKey(), 'a+b'), TypeError);
  const ec = createPrivateKey({
    key: Buffer.from('302e020100300506032b656e04220420' + '77'.repeat(32), 'hex'),
    format: 'der',
    type: 'pkcs8',
  });
  assert.throws(() => signingKeyFromPem(ec.export({ type: 'pkcs8', format: 'pem' }).toString(), 'a'), TypeError);
});

test('the key id is that of C2SP signed-note', () => {
  // The verifier key of the example in Go's golang.org/x/mod/sumdb/note, which the specification grew out of.
  const { keyId } = verifierKey('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
  assert.equal(keyId, 'c74f20a3');
});

const vectors = join(import.meta.dirname, '..', '..', '..', 'shared', 'data', 'vectors', 'ed25519.json');

test(
  'all Ed25519 vectors of Wycheproof are judged as they should be',
  { skip: !existsSync(vectors) && '../shared/data not present' },
  () => {
    const { testGroups } = JSON.parse(readFileSync(vectors, 'utf8'));
    let judged = 0;
    for (const group of testGroups) {
      const raw = Buffer.from(group.publicKey.pk, 'hex');
      const publicKey = createPublicKey({
        key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]),
        format: 'der',
        type: 'spki',
      });
      for (const { msg, sig, result, tcId } of group.tests) {
        const accepted = verifyBytes(null, Buffer.from(msg, 'hex'), publicKey, Buffer.from(sig, 'hex'));
        assert.equal(accepted, result === 'valid', `vector ${tcId}`);
        judged += 1;
      }
    }
    assert.ok(judged > 100);
  },
);
