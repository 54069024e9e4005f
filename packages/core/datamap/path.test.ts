import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatTableName } from '../names.ts';
import { formatPath, parsePath, type SubjectPath } from './path.ts';

const name = fc.oneof(fc.stringMatching(/^[a-z_][a-z0-9_]{0,12}$/), fc.string({ minLength: 1, maxLength: 12, unit: 'binary' }));
const columns = fc.array(name, { minLength: 1, maxLength: 4 });
const step = fc.record(
  {
    arrow: fc.constantFrom('->' as const, '<-' as const),
    table: fc.option(
      fc.tuple(name, name).map(([schema, table]) => formatTableName({ schema, table })),
      { nil: null },
    ),
    columns,
  },
  { noNullPrototype: true },
);
const path: fc.Arbitrary<SubjectPath> = fc
  .tuple(columns, fc.array(step, { maxLength: 6 }))
  .map(([first, steps]) => ({ steps: [{ arrow: '->', table: null, columns: first }, ...steps] }));

function parsed(text: string): SubjectPath {
  const read = parsePath(text);
  assert.ok('path' in read, `${text} was refused`);
  return read.path;
}

test('a path that is written out is read back as it was, whatever its names hold', () => {
  fc.assert(fc.property(path, (made) => assert.deepEqual(parsed(formatPath(made)), made)));
});

test('any text is read as a path or refused with a place inside of it', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('a', 'B', '.', '[', ']', ',', '"', ' ', '-', '>', '<', '->') })),
      (text) => {
        const read = parsePath(text);
        if ('fault' in read) assert.ok(read.fault.offset >= 0 && read.fault.offset <= text.length && read.fault.message.length > 0);
        else assert.deepEqual(parsed(formatPath(read.path)), read.path);
      },
    ),
  );
});

test('the short forms mean what the long ones mean', () => {
  assert.deepEqual(parsed('booking_id -> bookings.patient_id'), parsed('booking_id->public.bookings.[patient_id]'));
  assert.deepEqual(parsed('[a, b] -> s.t.[c, d] <- "U v"."W"').steps, [
    { arrow: '->', table: null, columns: ['a', 'b'] },
    { arrow: '->', table: 's.t', columns: ['c', 'd'] },
    { arrow: '<-', table: 'public."U v"', columns: ['W'] },
  ]);
});

const refusals: readonly (readonly [text: string, offset: number, message: RegExp])[] = [
  ['', 0, /missing at the end/],
  ['booking_id ->', 13, /missing at the end/],
  ['bookings.patient_id', 0, /its own table/],
  ['a -> b.c.d.e', 9, /at most three parts/],
  ['a -> Bookings.id', 5, /double quotes: "Bookings"/],
  ['[a, b', 5, /ends with \]/],
  ['[a, ]', 4, /name of a column/],
  ['a b', 2, /an arrow/],
  ['a => b.c', 2, /an arrow/],
  [Array.from({ length: 17 }, () => 'a').join(' -> '), 79, /at most 16 steps/],
];

for (const [text, offset, message] of refusals) {
  test(`"${text.slice(0, 30)}" is refused at its fault`, () => {
    const read = parsePath(text);
    assert.ok('fault' in read);
    assert.equal(read.fault.offset, offset);
    assert.match(read.fault.message, message);
  });
}
