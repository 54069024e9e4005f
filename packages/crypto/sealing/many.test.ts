import assert from 'node:assert/strict';
import { createCipheriv, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSafekeepError } from '@safekeep/core';
import {
  createSealingKey,
  openValue,
  SealingKey,
  SEALS_AT_MOST,
  sealerFor,
  sealValue,
  type Place,
  type TypedValue,
} from '../index.ts';
import { typedValues } from '../testing/typed-values.ts';
import { openMany, sealMany, SHORT_BYTES } from './many.ts';

const place: Place = { tenant: 'default', field: '01994b0e-7c4a-7000-8000-5f2f6d8b9c10' };
const newKey = (seals = 0): SealingKey => {
  const { id, bytes } = createSealingKey();
  return new SealingKey(id, bytes, seals);
};
const text = (value: string): TypedValue => ({ type: 'text', value });

/** The parts of a sealed value (SPEC.md). */
const parts = (sealed: Uint8Array) => ({ iv: sealed.subarray(12, 24), body: sealed.subarray(24, -16), tag: sealed.subarray(-16) });

test('a batch is AES-256-GCM to the byte, as the runtime makes it one by one', () => {
  const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
  fc.assert(
    fc.property(bytes(70), fc.array(bytes(SHORT_BYTES), { maxLength: 9 }), (data, plaintexts) => {
      const bound = { key: newKey(), header: Buffer.alloc(12, 7), data: Buffer.from(data) };
      const sealed = sealMany(bound, plaintexts);
      const runtime = sealed.map((each, at) => {
        const { iv } = parts(each);
        const cipher = createCipheriv('aes-256-gcm', bound.key.keyObject, iv);
        cipher.setAAD(data);
        return Buffer.concat([bound.header, iv, cipher.update(plaintexts[at] ?? iv), cipher.final(), cipher.getAuthTag()]);
      });
      assert.deepEqual(sealed, runtime);
      assert.equal(sealed.length, plaintexts.length);
      assert.deepEqual(
        openMany(bound, sealed),
        plaintexts.map((each) => Buffer.from(each)),
      );
    }),
  );
});

test('in a batch any flipped bit of IV, content, tag or bound text is seen, and the others open', () => {
  const bound = { key: newKey(), header: Buffer.alloc(12, 7), data: randomBytes(45) };
  const sealed = sealMany(bound, [randomBytes(0), randomBytes(16), randomBytes(33)]);
  const opens = (batch: readonly Uint8Array[], data = bound.data): readonly boolean[] =>
    openMany({ ...bound, data }, batch).map((plaintext) => plaintext !== undefined);
  const flipped = (bytes: Uint8Array, bit: number): Buffer<ArrayBuffer> => {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return changed;
  };
  const [first, second, third] = sealed;
  assert.ok(first && second && third);
  assert.deepEqual(opens(sealed), [true, true, true]);
  for (let bit = 12 * 8; bit < third.length * 8; bit += 1)
    assert.deepEqual(opens([first, second, flipped(third, bit)]), [true, true, false], String(bit));
  for (let bit = 0; bit < bound.data.length * 8; bit += 1)
    assert.deepEqual(opens(sealed, flipped(bound.data, bit)), [false, false, false]);
});

test('many values are sealed as each by itself, whatever their type, length and order', () => {
  const key = newKey();
  const sealer = sealerFor(place);
  fc.assert(
    fc.property(fc.array(typedValues, { maxLength: 12 }), (values) => {
      const sealed = sealer.sealAll(
        key,
        values.map(({ value }) => value),
      );
      const canonical = values.map((each) => each.canonical);
      assert.deepEqual(
        sealed.map((bytes) => openValue(key, place, bytes)),
        canonical,
      );
      assert.deepEqual(
        sealer.openAll(
          key,
          values.map(({ value }) => sealValue(key, place, value)),
        ),
        canonical,
      );
    }),
  );
  const mixed = [1, 5_000, 2, 127, 128, 129, 0].map((length) => text('é'.repeat(length)));
  assert.deepEqual(sealer.openAll(key, sealer.sealAll(key, mixed)), mixed);
  const many = Array.from({ length: 2_500 }, (_, n) => text(`person${n}@example.org`));
  const sealed = sealer.sealAll(key, many);
  assert.deepEqual(sealer.openAll(key, sealed), many);
  assert.equal(new Set(sealed.map((bytes) => bytes.toString('hex', 12, 24))).size, many.length, 'no IV twice');
});

test('one changed, foreign or cut value in many refuses them all', () => {
  const key = newKey();
  const sealer = sealerFor(place);
  const sealed = sealer.sealAll(
    key,
    Array.from({ length: 20 }, (_, n) => text(`value ${n}`)),
  );
  const refused = (bytes: Uint8Array, code: Parameters<typeof isSafekeepError>[1]): void => {
    const batch = sealed.map((each, at) => (at === 11 ? bytes : each));
    assert.throws(
      () => sealer.openAll(key, batch),
      (error: unknown) => isSafekeepError(error, code),
    );
  };
  const changed = Buffer.from(sealed[11] ?? '');
  changed[30] = (changed[30] ?? 0) ^ 1;
  refused(changed, 'sealed-tampered');
  refused(sealValue(key, { ...place, tenant: 'other' }, text('x')), 'sealed-tampered');
  refused(sealValue(newKey(), place, text('x')), 'sealed-wrong-key');
  refused((sealed[11] ?? Buffer.alloc(0)).subarray(0, 39), 'sealed-malformed');
});

test('a key that is spent seals no batch', () => {
  const key = newKey(SEALS_AT_MOST - 10);
  const values = Array.from({ length: 11 }, () => text('x'));
  assert.throws(
    () => sealerFor(place).sealAll(key, values),
    (error: unknown) => isSafekeepError(error, 'key-spent'),
  );
});
