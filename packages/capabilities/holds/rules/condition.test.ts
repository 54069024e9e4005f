import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSafekeepError } from '@safekeep/core';
import type { Condition } from '../model.ts';
import { formatCondition, parseCondition } from './condition.ts';

const column = fc.oneof(
  fc.constantFrom('status', 'größe', 'and', 'Status', 'a b', 'x"y', "it's"),
  fc.string({ minLength: 1 }).filter((text) => !text.includes('\0')),
);
const leaf: fc.Arbitrary<Condition> = fc.oneof(
  fc.record(
    { column, is: fc.constantFrom('=', '<>', '<', '<=', '>', '>=', 'like', 'ilike'), value: fc.string() },
    { noNullPrototype: true },
  ),
  fc.record(
    { column, is: fc.constant('in' as const), values: fc.array(fc.string(), { minLength: 1, maxLength: 4 }) },
    { noNullPrototype: true },
  ),
  fc.record({ column, is: fc.constantFrom('null', 'not null') }, { noNullPrototype: true }),
);
const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({ all: fc.array(tie('condition'), { minLength: 2, maxLength: 3 }) }, { noNullPrototype: true }),
    fc.record({ any: fc.array(tie('condition'), { minLength: 2, maxLength: 3 }) }, { noNullPrototype: true }),
  ),
}));

test('a condition that was written down is read as the same condition', () => {
  fc.assert(
    fc.property(condition, (given) => {
      const text = formatCondition(given);
      fc.pre(text.length <= 4000);
      assert.deepEqual(parseCondition(text), given);
    }),
  );
});

test('and binds stronger than or, parentheses stronger than both', () => {
  const [a, b, c] = [1, 2, 3].map((value) => ({ column: 'x', is: '=', value: String(value) }));
  assert.deepEqual(parseCondition('x = 1 or x = 2 and x = 3'), { any: [a, { all: [b, c] }] });
  assert.deepEqual(parseCondition('(x = 1 OR x = 2) AND x = 3'), { all: [{ any: [a, b] }, c] });
});

test('values are text, numbers, true and false; a quote in a text is doubled', () => {
  assert.deepEqual(parseCondition(`"Odd ""name" in ('it''s', -1.50, TRUE)`), {
    column: 'Odd "name',
    is: 'in',
    values: ["it's", '-1.50', 'true'],
  });
  assert.deepEqual(parseCondition('größe != 3'), { column: 'größe', is: '<>', value: '3' });
  assert.deepEqual(parseCondition('a is not null'), { column: 'a', is: 'not null' });
});

const REFUSED = [
  '',
  'status',
  'status = ',
  'status = open',
  'status = current_user',
  "status = 'open'; drop table patients",
  "status = 'open' -- and so on",
  "status = 'open' /* x */",
  "status = 'open",
  "status = 'a' 'b'",
  "(status = 'open'",
  "status = 'open')",
  'true',
  '1 = 1',
  "status = (select 'open')",
  "lower(status) = 'open'",
  "status::text = 'open'",
  "public.status = 'open'",
  "Status = 'open'",
  'status in ()',
  'status is unknown',
  "not status = 'open'",
  "status = 'a' or",
  'amount = 12abc',
  'status = $1',
  "status = U&'\\0027'",
  "status = E'\\''",
  "status ~ 'x'",
];
for (const text of REFUSED) {
  test(`what is no condition is refused with its place: ${text}`, () => {
    assert.throws(
      () => parseCondition(text),
      (error) => isSafekeepError(error, 'hold-condition-invalid') && /at character \d+/.test(error.message),
    );
  });
}

test('whatever is typed, it is a condition or refused, and a refusal repeats none of it', () => {
  fc.assert(
    fc.property(
      fc.string({
        unit: fc.constantFrom('a', "'", '"', '(', ')', '=', ' ', 'and', 'or', 'in', ',', ';', '-', '$', 'secret-canary'),
      }),
      (text) => {
        try {
          parseCondition(text);
        } catch (error) {
          assert.ok(isSafekeepError(error, 'hold-condition-invalid') && !error.message.includes('canary'));
        }
      },
    ),
  );
});

test('length, depth and the number of values have limits', () => {
  const refused = (text: string, reason: RegExp): void => assert.throws(() => parseCondition(text), reason);
  refused(`a = '${'x'.repeat(4000)}'`, /longer than/);
  refused(`${'('.repeat(20)}a = 1${')'.repeat(20)}`, /nested more than/);
  refused(`a in (${'1,'.repeat(1001)}1)`, /more than 1000 values/);
});
