import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { refusal } from './refusal.ts';

test('a full disk, as SQLite reports it, is told as one', () => {
  using database = new DatabaseSync(':memory:');
  database.exec('PRAGMA max_page_count = 2; CREATE TABLE filler (content)');
  assert.throws(
    () => database.exec('INSERT INTO filler VALUES (zeroblob(1000000))'),
    (error) => {
      const told = refusal(error, '/practice.db');
      assert.ok(isSafekeepError(told));
      assert.equal(told.code, 'disk-full');
      assert.equal(told.cause, error);
      return true;
    },
  );
});

test('a full disk, as Node reports it, is told as one', () => {
  const told = refusal(Object.assign(new Error('write'), { code: 'ENOSPC' }), '/practice.db');
  assert.ok(isSafekeepError(told));
  assert.equal(told.code, 'disk-full');
});

test('a bug stays what it is', () => {
  const bug = new TypeError('undefined is not a function');
  assert.equal(refusal(bug, '/practice.db'), bug);
  assert.equal(refusal('thrown text', '/practice.db'), 'thrown text');
});
