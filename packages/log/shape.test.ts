import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { catalogue, newId } from '@safekeep/core';
import { isPlain, isState } from './shape.ts';

test('states, codes of ours, ids, instants and system codes are shown', () => {
  for (const code of Object.keys(catalogue)) assert.ok(isState(code), code);
  const texts = [
    'done',
    'not-evaluable',
    'rolled_back',
    'postgres-15',
    'sha256',
    'line-written',
    newId(),
    new Date().toISOString(),
  ];
  for (const text of [...texts, 'ECONNREFUSED', 'ENOSPC', 'ERR_SOCKET_CLOSED']) assert.ok(isPlain(text), text);
});

test('no text of a row passes for a state, an id, a time or a code', () => {
  const words = fc.array(fc.stringMatching(/^[A-Z][a-z]{2,9}$/), { minLength: 1, maxLength: 3 }).map((parts) => parts.join(' '));
  const mail = fc.emailAddress();
  const digits = fc.stringMatching(/^[+(]?\d[\d() -]{4,20}$/);
  const keys = fc.uint8Array({ minLength: 16, maxLength: 64 }).map((bytes) => Buffer.from(bytes));
  const hex = keys.map((bytes) => bytes.toString('hex'));
  const base64 = keys.map((bytes) => bytes.toString('base64'));
  const sentence = fc.array(fc.lorem(), { minLength: 2, maxLength: 5 }).map((parts) => parts.join(' '));
  fc.assert(
    fc.property(fc.oneof(words, mail, digits, hex, base64, sentence, fc.webUrl()), (value) => {
      assert.ok(!isPlain(value), value);
    }),
    { numRuns: 500 },
  );
});
