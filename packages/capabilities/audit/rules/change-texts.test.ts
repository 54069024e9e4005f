import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changesOf } from './change-texts.ts';

test('changes are read back with their parts and with what is said of each place', () => {
  const insert = { parts: [0, 0, 1], width: 3 };
  assert.deepEqual(changesOf(`1,7;-22,NULL;00000000-0000-4000-8000-000000000000,'NULL'`, insert), [
    ['1', '1', '7'],
    ['-22', '-22', null],
    ['00000000-0000-4000-8000-000000000000', '00000000-0000-4000-8000-000000000000', 'NULL'],
  ]);
  const update = { parts: [0, 1], width: 7 };
  const odd = [`it''s; 'a,b:3`, `\\ and ' and ;:,`, ''];
  const texts = [`'it''''s; ''a,b:3'`, `E'\\\\ and '' and ;:,'`, `''`];
  assert.deepEqual(changesOf(`${texts[0]},${texts[1]}:2NULL:5${texts[2]}:6${texts[1]};'x',NULL`, update), [
    [odd[0], odd[1], null, null, null, '', odd[1]],
    ['x', null, null, null, null, null, null],
  ]);
});

test('what no capture wrote is no list of changes', () => {
  const layout = { parts: [0], width: 2 };
  const wrong = [``, `1;`, `1:`, `1:1`, `1:x'a'`, `1:2'a'`, `'a`, `'a''`, `E'a`, `'a'b`, `1:1'a'x`, `1,`, `1:1'a',2`];
  for (const text of wrong) assert.throws(() => changesOf(text, layout), RangeError, text);
});
