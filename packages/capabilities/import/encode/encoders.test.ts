import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { copyOut } from '../store/copy-out.ts';
import { TableSums, ValueHash } from '../prove/hash.ts';
import { hashDecimalText } from '../prove/decimal-form.ts';
import { fieldHasher } from '../prove/target-decoder.ts';
import { Row } from '../source/row.ts';
import { testDatabase } from '@safekeep/postgres/testing';
import { CopyBuffer } from './copy-buffer.ts';
import { encoderFor } from './encoders.ts';
import { TemporalText } from './temporal.ts';

function rowOf(value: bigint | number | string): Row {
  const row = new Row(1);
  if (typeof value === 'bigint') row.setInteger(0, Number(BigInt.asIntN(32, value >> 32n)), Number(BigInt.asIntN(32, value)));
  else if (typeof value === 'number') row.setReal(0, value);
  else row.appendText(0, 3, Buffer.from(value));
  return row;
}

function encode(type: Parameters<typeof encoderFor>[0], value: bigint | number | string): Buffer | undefined {
  const out = new CopyBuffer(4_096);
  return encoderFor(type, null)(rowOf(value), 0, out) ? Buffer.from(out.bytes.subarray(0, out.at)) : undefined;
}

const decimals = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
  fc
    .tuple(fc.integer({ min: -10_000_000, max: 10_000_000 }), fc.integer({ min: 0, max: 4 }))
    .map(([whole, scale]) => (whole === 0 ? 0 : whole / 10 ** scale)),
);

test('a number becomes exactly the numeric of its shortest decimal, as the server reads it', async (t) => {
  const { pool } = await testDatabase(t);
  const values = fc.sample(decimals, { numRuns: 2_000, seed: 7 });
  const { rows } = await pool.query<{ bytes: Buffer }>(
    `SELECT numeric_send(value::numeric) AS bytes FROM unnest($1::text[]) WITH ORDINALITY AS v(value, place) ORDER BY place`,
    [values.map(String)],
  );
  for (const [at, value] of values.entries()) {
    const ours = encode('numeric', value);
    // The server keeps the scale as it was written; digits, weight and sign are the value.
    assert.deepEqual(ours?.subarray(4, 10), rows[at]?.bytes.subarray(0, 6), String(value));
    assert.deepEqual(ours?.subarray(12), rows[at]?.bytes.subarray(8), String(value));
  }
});

test('the decoder of the proof reads every numeric as the canonical form of its decimal text', () => {
  const decode = fieldHasher({
    source: 'n',
    target: 'n',
    type: 'numeric',
    epoch: null,
    wide: false,
    numbersAsText: false,
    longestBytes: 0,
  });
  fc.assert(
    fc.property(decimals, (value) => {
      const field = encode('numeric', value) ?? Buffer.alloc(0);
      const [one, other] = [new ValueHash(), new ValueHash()];
      decode(new DataView(field.buffer, field.byteOffset, field.length), 4, field.length - 4, one);
      hashDecimalText(String(value), other);
      assert.deepEqual([one.first, one.second], [other.first, other.second]);
    }),
    { numRuns: 2_000 },
  );
});

test('numeric(p,s) takes what fits and nothing that would be rounded', () => {
  assert.ok(encode('numeric(4,2)', 12.34));
  assert.ok(encode('numeric(4,2)', 99n));
  assert.equal(encode('numeric(4,2)', 100n), undefined);
  assert.equal(encode('numeric(4,2)', 1.234), undefined);
  assert.equal(encode('numeric(4,2)', Number.POSITIVE_INFINITY), undefined);
});

test('dates and times are those the server reads from the same text', async (t) => {
  const { pool } = await testDatabase(t);
  const instant = fc
    .date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true })
    .map((date) => date.toISOString());
  const texts = fc.sample(instant, { numRuns: 1_000, seed: 11 });
  const { rows } = await pool.query<{ day: Buffer; local: Buffer; moment: Buffer }>(
    `SELECT date_send(left(value, 10)::date) AS day, timestamp_send(left(value, 23)::timestamp) AS local, timestamptz_send((left(value, 23) || '+05:30')::timestamptz) AS moment
       FROM unnest($1::text[]) WITH ORDINALITY AS v(value, place) ORDER BY place`,
    [texts],
  );
  for (const [at, text] of texts.entries()) {
    assert.deepEqual(encode('date', text.slice(0, 10))?.subarray(4), rows[at]?.day, text);
    assert.deepEqual(encode('timestamp', text.slice(0, 23))?.subarray(4), rows[at]?.local, text);
    assert.deepEqual(encode('timestamptz', `${text.slice(0, 23)}+05:30`)?.subarray(4), rows[at]?.moment, text);
  }
});

test('what the calendar or the clock has not is no date', () => {
  const temporal = new TemporalText();
  for (const text of [
    '2021-02-29',
    '1900-02-29',
    '2020-13-01',
    '2020-00-10',
    '2020-1-1',
    '0000-01-01',
    '2020-01-01 24:00',
    '2020-01-01 10:60',
    '2020-01-01 10:00:60',
    '2020-01-01 10:00:00.',
    '2020-01-01 10:00:00+2',
    '2020-01-01x10:00',
    '20200101',
    '1x:00',
  ]) {
    const bytes = Buffer.from(text);
    assert.equal(temporal.read(bytes, 0, bytes.length), false, text);
  }
});

test('each type refuses what it cannot hold without loss', () => {
  assert.equal(encode('bigint', 1.5), undefined);
  assert.equal(encode('bigint', '01'), undefined);
  assert.equal(encode('bigint', '9223372036854775808'), undefined);
  assert.equal(encode('double precision', 2n ** 53n + 1n), undefined);
  assert.equal(encode('boolean', 2n), undefined);
  assert.equal(encode('boolean', 'yes'), undefined);
  assert.equal(encode('date', '2020-01-01 10:00'), undefined);
  assert.equal(encode('timestamp', '2020-01-01T10:00Z'), undefined);
});

test('sums of hashes stay the same in any order, and differ when equal pairs are lost or gained', () => {
  const sumOf = (values: readonly number[]): string => {
    const sums = new TableSums(1);
    const hash = new ValueHash();
    for (const value of values) {
      hash.begin(1);
      hash.word(value);
      hash.end();
      sums.add({ first: value, second: value, set: () => undefined }, Int32Array.of(hash.first), Int32Array.of(hash.second));
    }
    return sums.hex(0);
  };
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1, maxLength: 50 }), (values) => {
      assert.equal(sumOf(values), sumOf(values.toReversed()));
      assert.notEqual(sumOf(values), sumOf([...values, 5, 5]));
    }),
  );
});

test('the hash of a value does not depend on the pieces it comes in', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.array(fc.nat(60), { maxLength: 4 }), (bytes, cuts) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const [whole, pieces] = [new ValueHash(), new ValueHash()];
      whole.begin(6);
      whole.bytes(view, 0, bytes.length);
      whole.end();
      pieces.begin(6);
      const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length];
      for (let at = 1; at < places.length; at += 1)
        pieces.bytes(view, places[at - 1] ?? 0, (places[at] ?? 0) - (places[at - 1] ?? 0));
      pieces.end();
      assert.deepEqual([whole.first, whole.second], [pieces.first, pieces.second]);
    }),
  );
});

test('a COPY that the server refuses leaves the connection in step', async (t) => {
  const { database } = await testDatabase(t);
  await database.withClient(async (client) => {
    const sink = { begin: () => undefined, part: () => undefined };
    await assert.rejects(copyOut(client, 'COPY (SELECT 1/0) TO STDOUT (FORMAT binary)', sink), { code: '22012' });
    const failing = {
      begin: () => undefined,
      part: () => {
        throw new Error('the sink fails');
      },
    };
    await assert.rejects(
      copyOut(client, 'COPY (SELECT generate_series(1, 5000)) TO STDOUT (FORMAT binary)', failing),
      /the sink fails/,
    );
    assert.deepEqual((await client.query('SELECT 1 AS one')).rows, [{ one: 1 }]);
  });
});
