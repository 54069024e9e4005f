import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fixedClock } from '@safekeep/core';
import { testDatabase } from '@safekeep/postgres/testing';
import type { Command, CommandContext } from '../capability.ts';
import { fill, intent, workbench } from './testing/workbench.ts';
import { runRecorded } from './actions/run-recorded.ts';
import { ledger as capability, ledgerFor } from './index.ts';

const plain = (text: string): string => text;
const INK = { good: plain, bad: plain, warn: plain, dim: plain, strong: plain };

async function context(t: TestContext) {
  const { database } = await testDatabase(t, { migrated: true });
  const { folder, signer, copyDirectory } = await workbench(t);
  // What the commands of the ledger use of their context.
  const used = {
    home: folder,
    tenant: 'default',
    clock: fixedClock('2026-11-21T10:00:00Z'),
    configuration: { ledgerDirectory: join(folder, 'elsewhere'), ledgerCopyDirectory: copyDirectory },
    database: async () => database,
    signer: async () => signer,
    say: (line: string) => assert.fail(line),
  } as unknown as CommandContext;
  const run = async (name: string, input: object = {}) => {
    const command: Command = capability.commands.find((each) => each.name === name) ?? assert.fail(name);
    const { result, ok } = await command.run(used, { limit: 100, ...input } as never);
    return { result: JSON.parse(JSON.stringify(result)), ok, text: command.render(result as never, INK, {} as never) };
  };
  return { used, database, run };
}

test('a home without a ledger has an empty one that is whole', async (t) => {
  const { run } = await context(t);
  assert.deepEqual((await run('ledger list')).result, { entries: [] });
  const { ok, text } = await run('ledger verify');
  assert.equal(ok, true);
  assert.match(text, /There is no ledger/);
});

test('entries are listed newest last, or those that are open, and the whole is verified with the database', async (t) => {
  const { used, database, run } = await context(t);
  const ledger = await ledgerFor(used);
  t.after(() => ledger.close());
  await fill(ledger, 3);
  await runRecorded(
    { database, ledger, tenant: 'default', clock: used.clock },
    {
      plan: async () => ({ operation: 'erasure', counts: { 'public.patients': 2 }, ids: {}, marks: [] }),
      prepare: async () => undefined,
      destroy: async () => ({ result: null, counts: { 'public.patients': 2 } }),
    },
  );
  const { id } = await ledger.append(intent());
  const { result } = await run('ledger list', { limit: 3 });
  assert.deepEqual(
    result.entries.map(({ kind, sequence }: { kind: string; sequence: number }) => [sequence, kind]),
    [
      [8, 'intent'],
      [9, 'done'],
      [10, 'intent'],
    ],
  );
  const open = await run('ledger list', { open: true });
  assert.deepEqual(
    open.result.entries.map((entry: { id: string }) => entry.id),
    [id],
  );
  const { ok, result: verified, text } = await run('ledger verify');
  assert.equal(ok, true);
  assert.deepEqual(
    [verified.entries, verified.open, verified.copy.state, verified.heads],
    [9, 1, 'equal', { state: 'checked', seen: 1, others: 0 }],
  );
  assert.match(text, /^whole: 9 entries/);
  assert.equal((await run('ledger verify', { offline: true })).result.heads.state, 'skipped');
});
