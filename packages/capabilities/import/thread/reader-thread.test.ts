import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { openSnapshot, SnapshotMoved, translate } from '../source/snapshot.ts';
import { sqliteFile } from '../testing/workbench.ts';
import { ReaderThread } from './reader-thread.ts';

test('a log that is never still ends, across the threads too, as a source that is in use', async (t) => {
  const file = sqliteFile(t, 'CREATE TABLE t (x); INSERT INTO t VALUES (1)');
  const snapshot = openSnapshot(file);
  const thread = new ReaderThread();
  // In place of the index of a log: every reading of it is another one.
  const sharedMemory = openSync('/dev/urandom', 'r');
  t.after(async () => {
    await thread.close();
    snapshot.close();
    closeSync(sharedMemory);
  });
  await assert.rejects(thread.ask('join', { ...snapshot.address, sharedMemory }), (error) => {
    assert.ok(error instanceof SnapshotMoved);
    assert.ok(isSafekeepError(translate(error, file), 'import-source-locked'));
    return true;
  });
  assert.equal(await thread.ask('join', snapshot.address), true, 'the thread can try again');
});
