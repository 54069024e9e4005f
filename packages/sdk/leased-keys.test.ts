import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { SafekeepError } from '@safekeep/core';
import { IndexKey, SealingKey, type DataKeys } from '@safekeep/crypto';
import { leasedKeys } from './leased-keys.ts';

const bytes = (name: string): Buffer => createHash('sha256').update(name).digest();
const ID = '00000000000000aa';

test('a key is asked for once in a lease, and one that was destroyed is used for no longer than that', async () => {
  const asked: string[] = [];
  let destroyed = false;
  let nowMs = 0;
  const source: DataKeys = {
    current: async (_tenant, scope) => {
      asked.push(`current ${scope}`);
      return new SealingKey(ID, bytes(scope));
    },
    byId: async (_tenant, ids) => {
      asked.push(`byId ${ids.join()}`);
      if (destroyed) throw new SafekeepError('key-erased', { key: ID });
      return new Map(ids.map((id) => [id, new SealingKey(id, bytes(id))]));
    },
    index: async (_tenant, scope) => new IndexKey(bytes(scope)),
  };
  // A lease that is asked to be longer than a minute is a minute.
  const keys = leasedKeys(source, { leaseMs: 3_600_000, clock: { elapsedMs: () => nowMs } });
  await Promise.all([keys.current('default', 'a'), keys.current('default', 'a')]);
  await keys.byId('default', [ID]);
  await keys.byId('default', [ID]);
  assert.deepEqual(asked, ['current a', `byId ${ID}`]);
  destroyed = true;
  nowMs = 59_999;
  assert.equal((await keys.byId('default', [ID])).size, 1);
  nowMs = 60_000;
  await assert.rejects(keys.byId('default', [ID]), /destroyed|erased/i);
  destroyed = false;
  assert.equal((await keys.byId('default', [ID])).size, 1, 'a failure is not kept');
  await keys.current('default', 'a');
  assert.equal(asked.filter((each) => each === 'current a').length, 2);
});
