import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { closing, NotYet } from './ground.ts';

const FIELD = { table: { schema: 'public', table: 'people' }, column: 'email' };
const GROUND = { patience: { tries: 3, lockTimeoutMs: 1, pauseMs: 1 } };

test('what others write each time before the lock is prepared for and tried again, until it comes through', async () => {
  const done: string[] = [];
  await closing(GROUND, FIELD, {
    prepare: async () => void done.push('prepared'),
    attempt: async () => {
      if (done.length < 2) throw new NotYet();
      done.push('through');
    },
  });
  assert.deepEqual(done, ['prepared', 'prepared', 'through']);
});

test('where it never comes through the column is named, after as many tries as there is patience', async () => {
  let prepared = 0;
  const never = closing(GROUND, FIELD, {
    prepare: async () => void (prepared += 1),
    attempt: async () => {
      throw new NotYet();
    },
  });
  await assert.rejects(never, (error) => isSafekeepError(error, 'lock-timeout') && error.message.includes('public.people.email'));
  assert.equal(prepared, 3);
});

test('what else goes wrong under the lock is thrown at once', async () => {
  let prepared = 0;
  const failing = closing(GROUND, FIELD, {
    prepare: async () => void (prepared += 1),
    attempt: async () => {
      throw new RangeError('no');
    },
  });
  await assert.rejects(failing, RangeError);
  assert.equal(prepared, 1);
});
