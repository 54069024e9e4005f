import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId, parseId } from './ids.ts';

test('ids are UUIDv7: made later, sorted later', () => {
  const ids = Array.from({ length: 20_000 }, () => newId<'run'>());
  assert.deepEqual(ids.toSorted(), ids);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('only a UUIDv7 is read as an id', () => {
  const id = newId<'run'>();
  assert.equal(parseId(id.toUpperCase()), id);
  for (const text of ['', 'abc', `${id}0`, ` ${id}`, '9b2f0c4e-5d1a-4c3b-8f0e-000000000000', `${id}'; drop table x`]) {
    assert.equal(parseId(text), undefined, text);
  }
});
