import assert from 'node:assert/strict';
import { appendFile, chmod, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSafekeepError, newId, type ErrorCode } from '@safekeep/core';
import { smallDisks } from '@safekeep/postgres/testing';
import { segmentPath } from '../files/segments.ts';
import { openWriterLock } from '../files/writer-lock.ts';
import { newLedgerKey } from '../rules/mark.ts';
import type { Entry, NewEntry, OperationId } from '../model.ts';
import { done, fill, gather, intent, workbench } from '../testing/workbench.ts';
import type { Ledger } from './open-ledger.ts';

const refused =
  (code: ErrorCode) =>
  (error: unknown): boolean =>
    isSafekeepError(error, code);

async function entries(ledger: Ledger): Promise<readonly Entry[]> {
  return (await gather(ledger.read())).map(({ entry }) => entry);
}

test('what was appended is read again, numbered without a gap, also by whoever opens the ledger later', async (t) => {
  const { open, verify } = await workbench(t);
  const id = newId<'operation'>();
  const first = await open();
  const receipt = await first.append(intent(id));
  await first.append(done(id));
  first.close();
  const again = await open();
  const read = await gather(again.read());
  assert.deepEqual(
    read.map(({ sequence, entry }) => [sequence, entry.kind, entry.id]),
    [
      [2, 'intent', id],
      [3, 'done', id],
    ],
  );
  assert.deepEqual([receipt.sequence, receipt.id, receipt.ledger, receipt.copied], [2, id, again.id, null]);
  const { ok, entries: count, head } = await verify();
  assert.deepEqual([ok, count, head?.sequence], [true, 2, 3]);
});

test('any history of appends, reopenings, rotations and crashes reads as the model has it', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 4 }) }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('end' as const), how: fc.constantFrom('done' as const, 'abandoned' as const) }),
    },
    fc.record({ kind: fc.constant('reopen' as const) }),
    fc.record({ kind: fc.constant('tear' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const endings: (() => Promise<void>)[] = [];
      const { open, verify, directory, segments } = await workbench({ after: (run) => void endings.push(run) }, { copy: true });
      const model: NewEntry[] = [];
      const openIds: OperationId[] = [];
      let ledger = await open({ segmentBytes: 2000 });
      for (const next of steps) {
        if (next.kind === 'append') {
          const intents = Array.from({ length: next.count }, () => intent());
          for (const { id } of await ledger.appendAll(intents)) openIds.push(id);
          model.push(...intents);
        } else if (next.kind === 'end') {
          const id = openIds.shift();
          if (id === undefined) continue;
          const { ids, ...common } = done(id);
          const entry: NewEntry = next.how === 'done' ? done(id) : { ...common, ids, kind: 'abandoned', reason: 'rolled-back' };
          await ledger.append(entry);
          model.push(entry);
        } else if (next.kind === 'reopen') {
          ledger.close();
          ledger = await open({ segmentBytes: 2000 });
        } else {
          // What a kill in the middle of a write leaves: the beginning of a line.
          await appendFile(
            segmentPath(directory, await segments()),
            next.bytes.map((byte) => (byte === 0x0a ? 0x20 : byte)),
          );
        }
      }
      // Takes out what was torn last.
      await ledger.append(intent());
      const read = await entries(ledger);
      assert.deepEqual(
        read.slice(0, -1).map(({ at: _at, ...entry }) => entry),
        model,
      );
      assert.deepEqual(
        (await ledger.openIntents())
          .slice(0, -1)
          .map(({ id }) => id)
          .toSorted(),
        openIds.toSorted(),
      );
      const verification = await verify();
      assert.deepEqual([verification.faults, verification.copy.state, verification.torn], [[], 'equal', false]);
      for (const end of endings) await end();
    }),
    { numRuns: 25 },
  );
});

test('two writers at once take turns: nothing is lost, doubled or mixed', async (t) => {
  const { open, verify } = await workbench(t);
  const writers = await Promise.all([open({ segmentBytes: 5000 }), open({ segmentBytes: 5000 }), open({ segmentBytes: 5000 })]);
  const receipts = await Promise.all(
    Array.from({ length: 60 }, (_, turn) => (writers[turn % 3] ?? assert.fail()).append(intent())),
  );
  assert.equal(new Set(receipts.map(({ sequence }) => sequence)).size, 60);
  const read = await entries(writers[0] ?? assert.fail());
  assert.deepEqual(new Set(read.map(({ id }) => id)), new Set(receipts.map(({ id }) => id)));
  assert.deepEqual((await verify()).faults, []);
});

test('an entry with a place for a personal value is a bug, and is not repeated', async (t) => {
  const { open } = await workbench(t);
  const ledger = await open();
  for (const wrong of [
    { operation: 'erase Ada' },
    { ids: { name: 'Ada Canary' } },
    { ids: { email: 'ada@example.org' } },
    { marks: ['canary'] },
    { note: 'canary' },
  ]) {
    await assert.rejects(
      ledger.append(intent(undefined, wrong)),
      (error: Error) => /does not fit/.test(error.message) && !/canary|ada/i.test(error.message),
    );
  }
  assert.deepEqual(await entries(ledger), []);
});

test('a mark is the same for the same row, and another for another person, table, tenant, key or ledger', async (t) => {
  const [ledger, stranger] = [await (await workbench(t)).open(), await (await workbench(t)).open()];
  const marked = { tenant: 'default', table: 'public.patients', subjectKeyId: 'k1', primaryKey: ['1', '2'] };
  const marks = [
    marked,
    { ...marked, subjectKeyId: 'k2' },
    { ...marked, table: 'public.x' },
    { ...marked, tenant: 'other' },
    { ...marked, primaryKey: ['12'] },
  ].map(ledger.mark);
  assert.equal(new Set([...marks, stranger.mark(marked)]).size, 6);
  assert.equal(ledger.mark({ ...marked }), marks[0]);
  assert.ok(marks.every((mark) => /^[0-9a-f]{64}$/.test(mark)));
});

test('files and keys are for their owner alone', async (t) => {
  const { open, directory, keyFile } = await workbench(t);
  await open();
  for (const path of [segmentPath(directory, 1), join(directory, 'ledger.lock'), keyFile])
    assert.equal((await stat(path)).mode & 0o777, 0o600, path);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
});

test('a ledger without its key, with a wrong key or with one that others may read is not written', async (t) => {
  const { open, keyFile } = await workbench(t);
  (await open()).close();
  const key = await readFile(keyFile);
  await chmod(keyFile, 0o644);
  await assert.rejects(open(), refused('key-file-unsafe'));
  await rm(keyFile);
  await assert.rejects(open(), refused('ledger-key-missing'));
  await writeFile(keyFile, newLedgerKey(), { mode: 0o600 });
  await assert.rejects(open(), refused('ledger-key-wrong'));
  await writeFile(keyFile, 'nonsense');
  await assert.rejects(open(), refused('key-file-broken'));
  await writeFile(keyFile, key);
  await (await open()).append(intent());
});

test('a line that a crash left incomplete is set aside; whole entries before it stay', async (t) => {
  const { open, directory, verify } = await workbench(t);
  const first = await open();
  await fill(first, 3);
  first.close();
  const path = segmentPath(directory, 1);
  const { size } = await stat(path);
  for (const torn of [
    Buffer.from('{"entry":{"at":"2026-'),
    Buffer.alloc(5000),
    Buffer.concat([Buffer.alloc(100), Buffer.from('"}\n{"entry":')]),
  ]) {
    await appendFile(path, torn);
    (await open()).close();
    assert.equal((await stat(path)).size, size, 'taken out');
    const aside = (await readdir(directory)).filter((name) => name.startsWith('torn-'));
    assert.deepEqual(await readFile(join(directory, aside[0] ?? '')), torn, 'and kept aside');
    await rm(join(directory, aside[0] ?? ''));
  }
  assert.deepEqual((await verify()).faults, []);
});

test('an entry of which only the line end is missing is whole and stays', async (t) => {
  const { open, directory, verify } = await workbench(t);
  const first = await open();
  const { id } = await first.append(intent());
  first.close();
  const path = segmentPath(directory, 1);
  await truncate(path, (await stat(path)).size - 1);
  const again = await open();
  await again.append(done(id));
  assert.deepEqual(
    (await entries(again)).map(({ kind }) => kind),
    ['intent', 'done'],
  );
  assert.deepEqual((await verify()).faults, []);
});

test('an end that no crash leaves is refused and left as it is', async (t) => {
  const { open, edit, directory } = await workbench(t);
  const first = await open();
  await fill(first, 2);
  first.close();
  await edit(1, (text) => text.replace(/"counts":{"public.patients":1}(?=[^\n]*\n$)/, '"counts":{"public.patients":2}'));
  const changed = await readFile(segmentPath(directory, 1));
  await assert.rejects(open(), refused('ledger-broken'));
  assert.deepEqual(await readFile(segmentPath(directory, 1)), changed);
});

test('a ledger that is cut or taken away under its writer is not written on', async (t) => {
  const { open, directory } = await workbench(t);
  const ledger = await open();
  await fill(ledger, 2);
  await truncate(segmentPath(directory, 1), 100);
  await assert.rejects(ledger.append(intent()), refused('ledger-broken'));
  await rm(segmentPath(directory, 1));
  await assert.rejects(ledger.append(intent()), refused('ledger-broken'));
});

test('a segment that was closed by a kill just before the next began is gone on from', async (t) => {
  const { open, directory, verify, segments } = await workbench(t);
  const first = await open({ segmentBytes: 600 });
  await fill(first, 2);
  first.close();
  const count = await segments();
  await rm(segmentPath(directory, count));
  const again = await open({ segmentBytes: 600 });
  await again.append(intent());
  assert.equal(await segments(), count);
  const { faults } = await verify();
  assert.ok(
    faults.every(({ code }) => code === 'order-wrong'),
    'only what was cut on purpose is missing',
  );
});

test('the copy follows; where it cannot be written that is told, and made up for later', async (t) => {
  const { open, copyDirectory, verify } = await workbench(t, { copy: true });
  await writeFile(copyDirectory, 'in the way');
  const told: string[] = [];
  const ledger = await open({ segmentBytes: 1500, onCopyFailure: (reason) => told.push(reason) });
  assert.equal((await ledger.append(intent())).copied, false);
  await fill(ledger, 4);
  assert.ok(told.length > 1);
  assert.equal((await verify()).copy.state, 'faulty');
  await rm(copyDirectory);
  assert.deepEqual([(await verify()).copy.state, (await verify()).ok], ['behind', true]);
  assert.equal((await ledger.append(intent())).copied, true);
  const { ok, copy } = await verify();
  assert.deepEqual([ok, copy], [true, { state: 'equal', missingBytes: 0 }]);
});

test('a copy on a disk that is not mounted is not made somewhere else', async (t) => {
  const { open, folder } = await workbench(t, { copy: true });
  const told: string[] = [];
  const ledger = await open({ copyDirectory: join(folder, 'mount', 'copy'), onCopyFailure: (reason) => told.push(reason) });
  assert.equal((await ledger.append(intent())).copied, false);
  assert.deepEqual(told, ['ENOENT']);
});

test('a ledger that was cut below its copy is not written on', async (t) => {
  const { open, keep } = await workbench(t, { copy: true });
  const ledger = await open();
  await fill(ledger, 1);
  const putBack = await keep();
  await fill(ledger, 1);
  ledger.close();
  await putBack();
  const older = await open();
  await assert.rejects(older.append(intent()), refused('ledger-copy-ahead'));
});

test('a writer that waits too long for another is told so, and goes on when that one is done', async (t) => {
  const { open, directory } = await workbench(t);
  const ledger = await open({ patienceMs: 30 });
  const other = openWriterLock(directory, 30);
  t.after(() => other.close());
  const { promise, resolve } = Promise.withResolvers<void>();
  const holding = other.hold(() => promise);
  await assert.rejects(ledger.append(intent()), refused('ledger-busy'));
  resolve();
  await holding;
  await ledger.append(intent());
});

test('on a full disk the append fails, nothing of it remains, and after that it goes on', async (t) => {
  const { mount, remount } = smallDisks(t);
  const { open, folder, verify } = await workbench(t);
  const small = join(folder, 'small');
  await mkdir(small);
  if (!mount(small, '64k')) return;
  const directory = join(small, 'ledger');
  const ledger = await open({ directory });
  try {
    let acknowledged = 0;
    await assert.rejects(async () => {
      for (;;) {
        await ledger.appendAll(Array.from({ length: 7 }, () => intent()));
        acknowledged += 7;
      }
    }, refused('ledger-disk-full'));
    assert.ok(acknowledged > 0);
    const { ok, entries: count, torn } = await verify({ directory });
    assert.deepEqual([ok, count, torn], [true, acknowledged, false]);
    await assert.rejects(ledger.appendAll(Array.from({ length: 50 }, () => intent())), refused('ledger-disk-full'));
    remount(small, 'size=1m');
    await ledger.append(intent());
    assert.deepEqual((await verify({ directory })).entries, acknowledged + 1);
    // A file system with a file open for writing cannot become read-only.
    ledger.close();
    remount(small, 'ro');
    await assert.rejects(open({ directory }), refused('ledger-unwritable'));
    await assert.rejects(open({ directory: join(small, 'another') }), refused('ledger-unwritable'));
    assert.equal((await verify({ directory })).ok, true, 'a ledger that cannot be written can be verified');
  } finally {
    ledger.close();
  }
});

test('a folder that is a file is said to be unwritable', async (t) => {
  const { open, directory } = await workbench(t);
  await writeFile(directory, '');
  await assert.rejects(open(), refused('ledger-unwritable'));
});
