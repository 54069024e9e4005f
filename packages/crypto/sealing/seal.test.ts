import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { isSafekeepError, type SafekeepError } from '@safekeep/core';
import {
  createSealingKey,
  isSealed,
  openBytes,
  openValue,
  OVERHEAD_BYTES,
  parseHeader,
  sealBytes,
  SealingKey,
  SEALS_AT_MOST,
  SEALS_TO_WARN_AT,
  sealValue,
  type Place,
  type TypedValue,
} from '../index.ts';
import { typedValues } from '../testing/typed-values.ts';

const FIELD = '01994b0e-7c4a-7000-8000-5f2f6d8b9c10';
const place: Place = { tenant: 'default', field: FIELD };
const newKey = (seals = 0): SealingKey => {
  const { id, bytes } = createSealingKey();
  return new SealingKey(id, bytes, seals);
};
const key = newKey();
const text = (value: string): TypedValue => ({ type: 'text', value });
const code = (wanted: SafekeepError['code']) => (error: unknown) => isSafekeepError(error, wanted);

test('every value opens as what it was, 41 bytes longer, at every kind of place', () => {
  const places = fc.record(
    { tenant: fc.string({ unit: 'binary' }), field: fc.uuid(), subject: fc.boolean(), row: fc.string({ unit: 'binary' }) },
    { requiredKeys: ['tenant', 'field'] },
  );
  fc.assert(
    fc.property(typedValues, places, ({ value, canonical, bytes }, at) => {
      const sealed = sealValue(key, at, value);
      assert.deepEqual(openValue(key, at, sealed), canonical);
      assert.equal(sealed.length, bytes + OVERHEAD_BYTES);
      assert.ok(isSealed(sealed));
      assert.equal(parseHeader(sealed).keyId, key.id);
    }),
  );
});

test('the same value never looks the same twice', () => {
  const seen = new Set(Array.from({ length: 5_000 }, () => sealValue(key, place, text('a')).toString('hex', 12, 24)));
  assert.equal(seen.size, 5_000);
});

test('any flipped bit, cut or added byte is refused and nothing is shown', () => {
  const sealed = sealValue(key, place, text('Ada Lovelace'));
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const changed = Buffer.from(sealed);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(
      () => openValue(key, place, changed),
      (error: unknown) => isSafekeepError(error) && !error.message.includes('Ada'),
    );
  }
  for (let length = 0; length < sealed.length; length += 1) assert.throws(() => openValue(key, place, sealed.subarray(0, length)));
  assert.throws(() => openValue(key, place, Buffer.concat([sealed, Buffer.of(0)])), code('sealed-tampered'));
});

test('what was moved to another column, tenant, row or person does not open, and a suspect tells that it was moved', () => {
  const from: Place = { tenant: 'a', field: FIELD, row: '7' };
  const sealed = sealValue(key, from, text('x'));
  const others: readonly Place[] = [
    { ...from, tenant: 'b' },
    { ...from, field: '01994b0e-7c4a-7000-8000-5f2f6d8b9c11' },
    { ...from, row: '8' },
    // What one part loses the next must not gain.
    { ...from, tenant: 'a\0', row: '' },
  ];
  for (const other of others) {
    assert.throws(() => openValue(key, other, sealed), code('sealed-tampered'));
    assert.throws(() => openValue(key, other, sealed, [from]), code('sealed-foreign-place'));
  }
  assert.throws(() => openValue(key, { tenant: 'a', field: FIELD }, sealed), code('sealed-foreign-place'));
  assert.throws(() => openValue(key, { ...from, subject: true }, sealed), code('sealed-foreign-place'));
  // Another person's key id in the header: the key that it names does not fit the tag.
  const moved = Buffer.from(sealed);
  const other = newKey();
  moved.set(other.idBytes, 4);
  assert.throws(() => openValue(other, from, moved), code('sealed-tampered'));
});

test('a wrong key, an unknown version, unknown flags and plain bytes are told apart', () => {
  const sealed = sealValue(key, place, text('x'));
  assert.throws(() => openValue(newKey(), place, sealed), code('sealed-wrong-key'));
  assert.throws(
    () => openValue(key, place, Buffer.concat([sealed.subarray(0, 2), Buffer.of(0x21), sealed.subarray(3)])),
    code('sealed-unknown-format'),
  );
  assert.throws(
    () => openValue(key, place, Buffer.concat([sealed.subarray(0, 3), Buffer.of(0x80), sealed.subarray(4)])),
    code('sealed-unknown-format'),
  );
  assert.throws(
    () => openValue(key, place, Buffer.from('plain text that nobody sealed, long enough to be')),
    code('sealed-malformed'),
  );
  assert.ok(!isSealed(Buffer.from('ú S', 'utf8')));
});

test('bytes under a context open under that context and never as the value of a field', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (context, plaintext) => {
      const sealed = sealBytes(key, context, plaintext);
      assert.deepEqual(openBytes(key, context, sealed), Buffer.from(plaintext));
      assert.throws(() => openBytes(key, Buffer.concat([context, Buffer.of(1)]), sealed), code('sealed-tampered'));
      assert.throws(() => openValue(key, place, sealed), code('sealed-foreign-place'));
    }),
  );
});

test('a megabyte and nothing at all are values too', () => {
  for (const value of [text(''), text('é'.repeat(1_000_000)), { type: 'bytea', value: randomBytes(1_000_000) } as const])
    assert.deepEqual(openValue(key, place, sealValue(key, place, value)), value);
});

test('what PostgreSQL cannot hold is refused before anything is sealed, without naming it', () => {
  const unfit: readonly TypedValue[] = [
    text('a\uD800'),
    text('a\0b'),
    { type: 'json', value: '"\uDC00"' },
    { type: 'int', value: 2n ** 63n },
    { type: 'int', value: -(2n ** 63n) - 1n },
    { type: 'numeric', value: '1e5' },
    { type: 'numeric', value: '' },
    { type: 'numeric', value: '1.' },
    { type: 'date', value: '2026-02-29' },
    { type: 'date', value: '0000-01-01' },
    { type: 'date', value: '29.11.2026' },
    { type: 'date', value: '9999999-01-01' },
    { type: 'date', value: '5874898-01-01' },
    { type: 'date', value: '4714-11-23 BC' },
    { type: 'timestamptz', value: '294277-01-01 00:00:00+00' },
    { type: 'timestamptz', value: '4714-11-23 23:59:59+00 BC' },
    { type: 'timestamptz', value: '9999999-01-01 00:00:00+00' },
    { type: 'numeric', value: `1${'0'.repeat(131_072)}` },
    { type: 'numeric', value: `0.${'1'.repeat(16_384)}` },
    { type: 'timestamptz', value: '2026-11-29 14:00' },
    { type: 'timestamptz', value: '2026-11-29 25:00+00' },
  ];
  const before = key.seals;
  for (const value of unfit)
    assert.throws(
      () => sealValue(key, place, value),
      (error: unknown) =>
        isSafekeepError(error, 'value-unfit') && (value.value === '' || !error.message.includes(String(value.value))),
    );
  assert.equal(key.seals, before);
});

test('the first and last date and instant, and the longest number, come back', () => {
  const extremes: readonly TypedValue[] = [
    { type: 'date', value: '4714-11-24 BC' },
    { type: 'date', value: '5874897-12-31' },
    { type: 'timestamptz', value: '4714-11-24 00:00:00+00 BC' },
    { type: 'timestamptz', value: '294276-12-31 23:59:59.999999+00' },
    { type: 'numeric', value: `${'9'.repeat(131_072)}.${'1'.repeat(16_383)}` },
  ];
  for (const value of extremes) assert.deepEqual(openValue(key, place, sealValue(key, place, value)), value);
});

test('a number made to be slow to look at is refused at once', () => {
  const startedMs = performance.now();
  assert.throws(() => sealValue(key, place, { type: 'numeric', value: `${'0'.repeat(1_000_000)}x` }), code('value-unfit'));
  // With two parts of the pattern sharing the zeros this took minutes.
  assert.ok(performance.now() - startedMs < 2_000);
});

test('a key warns at 2^30 values and seals nothing more at 2^31', () => {
  const old = newKey(SEALS_TO_WARN_AT - 1);
  assert.equal(old.budget, 'plenty');
  sealValue(old, place, text('x'));
  assert.equal(old.budget, 'rotate-soon');
  const spent = newKey(SEALS_AT_MOST);
  assert.throws(() => sealValue(spent, place, text('x')), code('key-spent'));
});

test('no way of printing a key prints it', () => {
  const { id, bytes } = createSealingKey();
  const shown = new SealingKey(id, bytes);
  const printed = [
    String(shown),
    JSON.stringify({ shown }),
    inspect({ shown }, { showHidden: true, depth: 9 }),
    JSON.stringify(Object.entries(shown)),
  ].join();
  for (const form of [bytes.toString('hex'), bytes.toString('base64'), bytes.toString('latin1')])
    assert.ok(!printed.includes(form));
  assert.throws(() => new SealingKey(id, bytes.subarray(1)), TypeError);
  assert.throws(() => new SealingKey('short', bytes), TypeError);
});
