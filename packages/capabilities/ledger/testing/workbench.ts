import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fixedClock, newId } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem, type Signer } from '@safekeep/crypto';
import { openLedger, type Ledger, type LedgerOptions } from '../actions/open-ledger.ts';
import { verifyLedger, type Witnesses } from '../actions/verify-ledger.ts';
import { listSegments, segmentPath } from '../files/segments.ts';
import type { NewEntry, NewIntent, OperationId, Verification } from '../model.ts';
import { readLedgerKey } from '../rules/mark.ts';

/** Anything that runs a function at the end of a test: the context of node:test. */
type Ending = { readonly after: (run: () => Promise<void>) => void };

export type Workbench = {
  readonly folder: string;
  readonly directory: string;
  readonly copyDirectory: string;
  readonly keyFile: string;
  readonly signer: Signer;
  readonly signingKey: string;
  /** Closed at the end of the test. */
  readonly open: (options?: Partial<LedgerOptions>) => Promise<Ledger>;
  readonly verify: (options?: Partial<Witnesses>) => Promise<Verification>;
  /** Changes the text of a segment. */
  readonly edit: (segment: number, change: (text: string) => string) => Promise<void>;
  readonly segments: () => Promise<number>;
  /** Copies the ledger aside; returns how to put it back. */
  readonly keep: () => Promise<() => Promise<void>>;
};

/** A folder with room for a ledger, its copy and its keys. */
export async function workbench(t: Ending, { copy = false }: { readonly copy?: boolean } = {}): Promise<Workbench> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-ledger-'));
  const [directory, copyDirectory, keyFile] = [join(folder, 'ledger'), join(folder, 'copy'), join(folder, 'keys', 'ledger.key')];
  const signingKey = createSigningKey();
  const signer = signingKeyFromPem(signingKey, 'home-1');
  const clock = fixedClock('2026-11-21T10:00:00Z');
  const opened: Ledger[] = [];
  t.after(async () => {
    for (const ledger of opened) ledger.close();
    await rm(folder, { recursive: true });
  });
  const place = { directory, keyFile, ...(copy ? { copyDirectory } : {}) };
  return {
    folder,
    directory,
    copyDirectory,
    keyFile,
    signer,
    signingKey,
    open: async (options = {}) => {
      const ledger = await openLedger({ ...place, signer, clock, ...options });
      opened.push(ledger);
      return ledger;
    },
    verify: async (options = {}) =>
      await verifyLedger({
        ...place,
        verifierKey: signer.verifierKey,
        key: readLedgerKey(await readFile(keyFile, 'utf8')),
        seen: undefined,
        clock,
        ...options,
      }),
    edit: async (segment, change) => {
      const path = segmentPath(directory, segment);
      const before = await readFile(path, 'utf8');
      const after = change(before);
      if (after === before) throw new Error('The test changed nothing');
      await writeFile(path, after);
    },
    segments: async () => listSegments(directory).length,
    keep: async () => {
      const kept = await mkdtemp(join(folder, 'kept-'));
      await cp(directory, kept, { recursive: true });
      return async () => {
        await rm(directory, { recursive: true });
        await cp(kept, directory, { recursive: true });
      };
    },
  };
}

export function intent(id = newId<'operation'>(), more: Partial<NewIntent> = {}): NewIntent {
  return {
    kind: 'intent',
    id,
    tenant: 'default',
    operation: 'erasure',
    counts: { 'public.patients': 1 },
    ids: { request: newId<'request'>() },
    marks: [],
    ...more,
  };
}

export function done(id: OperationId): NewEntry {
  return { kind: 'done', id, tenant: 'default', operation: 'erasure', counts: { 'public.patients': 1 }, ids: {} };
}

/** Intents and their ends, so that the ledger has lines to be attacked. */
export async function fill(ledger: Ledger, operations: number): Promise<void> {
  for (let count = 0; count < operations; count += 1) {
    const id = newId<'operation'>();
    await ledger.appendAll([intent(id), done(id)]);
  }
}

/** All that a generator gives. */
export async function gather<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const gathered: Item[] = [];
  for await (const item of items) gathered.push(item);
  return gathered;
}
