import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@safekeep/core';
import { rotateSubject } from '../../encryption/index.ts';
import { blobContext, readSealed, writeSealed } from '../rules/leaf.ts';
import { fileRing } from '../testing/file-ring.ts';
import { readLog } from '../testing/read-log.ts';
import { workbench } from '../testing/workbench.ts';
import { beginErasure, drainBeforeErasure, forget } from './erase-subject.ts';

const personal = { category: 'user.contact.email' };
const TABLES = {
  'public.patients': { columns: { id: { category: 'none', note: 'looked at' }, name: personal, email: personal } },
};

test('after a person’s key was replaced old events open under the old one, new ones under the new one, and every proof stands', async (t) => {
  const bench = await workbench(t, { setUp: 'create table patients (id integer primary key, name text, email text)' });
  await bench.capture(TABLES, { subjects: { patient: { table: 'public.patients', key: 'id' } } });
  await bench.pool.query("insert into patients values (1, 'Ann', 'ann@first.example')");
  await bench.sequence();
  const ring = fileRing({ database: bench.database, home: bench.home, clock: systemClock });
  const [rotated] = await rotateSubject(ring, 'default', { type: 'patient', key: ['1'] });
  assert.ok(rotated !== undefined);
  await bench.pool.query("update patients set email = 'ann@second.example' where id = 1");
  await bench.sequence();
  const sealedEvents = async () => (await bench.events()).filter(({ sealed }) => readSealed(sealed).length > 0);
  const [before, after, ...more] = await sealedEvents();
  assert.ok(before !== undefined && after !== undefined && more.length === 0);
  assert.deepEqual(
    [before, after].map(({ sealed }) => readSealed(sealed)[0]?.keyId),
    [rotated.before, rotated.now],
  );
  assert.match(JSON.stringify(await bench.opened(before)), /ann@first/);
  assert.match(JSON.stringify(await bench.opened(after)), /ann@second/);
  assert.deepEqual((await readLog(bench.pool)).faults, []);

  // Why the old blob is not sealed anew: the leaf has committed to its bytes, and the same words under another key are others.
  const [blob] = readSealed(before.sealed);
  const keys = await ring.subjectKeys.forOpening(bench.pool, [rotated.before, rotated.now]);
  const [old, now] = [keys.get(rotated.before), keys.get(rotated.now)];
  assert.ok(blob !== undefined && old !== undefined && old !== 'erased' && now !== undefined && now !== 'erased');
  const context = blobContext(before, 0);
  const anew = writeSealed([now.seal(old.open(blob.bytes, context), context)]);
  await bench.pool.query('update safekeep.audit_events set sealed = $2 where id = $1', [before.id, anew]);
  assert.notDeepEqual((await readLog(bench.pool)).faults, []);
  await bench.pool.query('update safekeep.audit_events set sealed = $2 where id = $1', [before.id, before.sealed]);

  await drainBeforeErasure(bench.sequencer);
  const who = { tenant: 'default', subject: 'patient:1' };
  const { keyIds } = await bench.database.withClient(async (client) => {
    await client.query('begin');
    await beginErasure(client, bench.sequencer, who);
    await client.query('delete from public.patients where id = 1');
    const done = await forget(client, bench.sequencer, who);
    await client.query('commit');
    return done;
  });
  assert.deepEqual(new Set(keyIds), new Set([rotated.before, rotated.now]));
  bench.forgetKeys();
  for (const event of [before, after]) assert.deepEqual(await bench.opened(event), []);
  await bench.sequence();
  assert.deepEqual((await readLog(bench.pool)).faults, []);
  ring.forget();
});
