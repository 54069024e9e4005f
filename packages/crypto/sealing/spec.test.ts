import assert from 'node:assert/strict';
import { createDecipheriv, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSealingKey, IndexKey, openValue, SealingKey, sealValue, type Place } from '../index.ts';
import { typedValues } from '../testing/typed-values.ts';
import type { TypedValue, ValueType } from './typed-value.ts';

// A decoder written from SPEC.md alone: it calls nothing of this package.
type Spec = { readonly key: Buffer; readonly tenant: string; readonly field: string; readonly row?: string };

function decode(sealed: Buffer, { key, tenant, field, row }: Spec): { readonly type: number; readonly value: Buffer } {
  const sized = (text: string): Buffer => {
    const bytes = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  assert.equal(sealed.readUInt16BE(0), 0xfa53);
  assert.equal(sealed[2], 0x11);
  const bound = [Buffer.from('safekeep/1'), sealed.subarray(0, 12), sized(tenant), Buffer.from(field.replaceAll('-', ''), 'hex')];
  if (((sealed[3] ?? 0) & 2) === 2) bound.push(sized(row ?? ''));
  const cipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(12, 24));
  cipher.setAAD(Buffer.concat(bound));
  cipher.setAuthTag(sealed.subarray(-16));
  const content = Buffer.concat([cipher.update(sealed.subarray(24, -16)), cipher.final()]);
  return { type: content[0] ?? 0, value: content.subarray(1) };
}

function inWords({ type, value }: { readonly type: number; readonly value: Buffer }): string {
  if (type === 1 || type === 3 || type === 7) return value.toString('utf8');
  if (type === 2) return String(value.readBigInt64BE());
  if (type === 6) return String(value[0] === 1);
  if (type === 8) return value.toString('hex');
  const isDate = type === 4;
  const limit = isDate ? 2n ** 31n : 2n ** 63n;
  const count = isDate ? BigInt(value.readInt32BE()) : value.readBigInt64BE();
  if (count === limit - 1n) return 'infinity';
  if (count === -limit) return '-infinity';
  const perMs = isDate ? undefined : 1_000n;
  const epochMs = BigInt(Date.UTC(2000, 0, 1));
  const ms = perMs === undefined ? count * 86_400_000n : count / perMs - (count % perMs < 0n ? 1n : 0n);
  const micros = perMs === undefined ? 0n : ((count % perMs) + perMs) % perMs;
  return `${new Date(Number(ms + epochMs)).toISOString()} ${micros}`;
}

/** The same words from the value itself, through JavaScript's own calendar. */
function wordsOf(typed: TypedValue): string {
  if (typed.type === 'bytea') return Buffer.from(typed.value).toString('hex');
  if (typed.type !== 'date' && typed.type !== 'timestamptz') return String(typed.value);
  if (typed.value.endsWith('infinity')) return typed.value;
  const [, year = '', rest = '', clock = '00:00:00', fraction = ''] =
    /^(\d+)(-\d\d-\d\d)(?: (\d\d:\d\d:\d\d)(?:\.(\d+))?\+00)?/.exec(typed.value) ?? [];
  const astronomical = typed.value.endsWith('BC') ? 1 - Number(year) : Number(year);
  const sign = astronomical < 0 ? '-' : '+';
  const padded = fraction.padEnd(6, '0');
  const iso = `${sign}${String(Math.abs(astronomical)).padStart(6, '0')}${rest}T${clock}.${padded.slice(0, 3)}Z`;
  return `${new Date(iso.replace('-000000', '+000000')).toISOString()} ${Number(padded.slice(3))}`;
}

const TYPES: Readonly<Record<ValueType, number>> = {
  text: 1,
  int: 2,
  numeric: 3,
  date: 4,
  timestamptz: 5,
  bool: 6,
  json: 7,
  bytea: 8,
};

test('a decoder written from SPEC.md opens what we seal', () => {
  const { id, bytes } = createSealingKey();
  const key = new SealingKey(id, bytes);
  const places = fc.record(
    { tenant: fc.string({ unit: 'binary' }), field: fc.uuid(), row: fc.string({ unit: 'binary' }) },
    { requiredKeys: ['tenant', 'field'] },
  );
  fc.assert(
    fc.property(typedValues, places, ({ value, canonical }, place) => {
      const opened = decode(sealValue(key, place, value), { key: bytes, ...place });
      assert.equal(opened.type, TYPES[value.type]);
      assert.equal(inWords(opened), wordsOf(canonical));
    }),
  );
});

type Vector = {
  readonly keyId: string;
  readonly key: string;
  readonly place: Place;
  readonly type: ValueType;
  readonly value: string;
  readonly sealed: string;
};

test('the published vectors open, here and by the decoder', () => {
  const file = readFileSync(join(import.meta.dirname, '..', 'vectors', 'sk1.json'), 'utf8');
  // Our own file, of the shape above.
  const { sealed: vectors, indexes } = JSON.parse(file) as {
    readonly sealed: readonly Vector[];
    readonly indexes: readonly {
      readonly key: string;
      readonly label: string;
      readonly form: string;
      readonly bits: number;
      readonly index: string;
    }[];
  };
  assert.ok(vectors.length >= 16);
  for (const { keyId, key, place, type, value, sealed } of vectors) {
    const opened = openValue(new SealingKey(keyId, Buffer.from(key, 'hex')), place, Buffer.from(sealed, 'hex'));
    assert.equal(opened.type, type);
    assert.equal(opened.type === 'bytea' ? Buffer.from(opened.value).toString('hex') : String(opened.value), value);
    assert.equal(decode(Buffer.from(sealed, 'hex'), { key: Buffer.from(key, 'hex'), ...place }).type, TYPES[type]);
  }
  for (const { key, label, form, bits, index } of indexes) {
    assert.equal(String(new IndexKey(Buffer.from(key, 'hex')).index(label, form, bits)), index);
    const digest = createHmac('sha256', Buffer.from(key, 'hex')).update(`${label}\0${form}`).digest();
    assert.equal(String(BigInt(`0x${digest.toString('hex', 0, 8)}`) >> BigInt(64 - bits)), index);
  }
});
