import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf, SafekeepError, type Clock } from '@safekeep/core';
import { syncFolder } from '@safekeep/files';
import type { Signer } from '@safekeep/crypto';
import { bringCopy, refuseCopyAhead } from '../files/copy.ts';
import { openLedgerKey } from '../files/key-file.ts';
import { appendBytes, segmentPath, writeFailure } from '../files/segments.ts';
import { findTail, type Tail } from '../files/tail.ts';
import { openWriterLock, type WriterLock } from '../files/writer-lock.ts';
import type {
  Ending,
  Entry,
  Head,
  Intent,
  LedgerId,
  LineContent,
  NewEntry,
  NewIntent,
  OperationId,
  Place,
  Receipt,
  Seen,
  Verification,
} from '../model.ts';
import { isTagged, writeLine } from '../rules/line.ts';
import { keyCheckOf, markOf, type LedgerKey, type Marked } from '../rules/mark.ts';
import { verifyLedger } from './verify-ledger.ts';
import { hasEnded, openIntents, readLedger, type NumberedEntry } from './read-ledger.ts';

export type LedgerPlace = {
  readonly directory: string;
  readonly copyDirectory?: string;
  /** The file of the key that marks are made with. */
  readonly keyFile: string;
};

export type LedgerOptions = LedgerPlace & {
  readonly signer: Signer;
  readonly clock: Clock;
  /** A segment that would grow beyond it is closed first. */
  readonly segmentBytes?: number;
  readonly patienceMs?: number;
  /** Told whenever the second copy could not be brought up to date; it is tried again with every entry. */
  readonly onCopyFailure?: (reason: string) => void;
};

/** What became of an open intent; `open` where it is still being carried out, or cannot be told. */
export type Resolution = Ending | { readonly kind: 'open' };

/** An operation and where its intent stands. */
export type Begun = { readonly intent: NewIntent; readonly place: Place };

/** How an intent that was open ended. */
export type Ended = { readonly id: string; readonly kind: Ending['kind'] };

export type Ledger = {
  readonly id: LedgerId;
  /** Returns when the entry is on disk. Throws `ledger-busy`, `ledger-disk-full`, `ledger-unwritable`, `ledger-broken`, `ledger-copy-ahead`. */
  readonly append: (entry: NewEntry) => Promise<Receipt>;
  /** Several at once, for the price of one. */
  readonly appendAll: (entries: readonly NewEntry[]) => Promise<readonly Receipt[]>;
  /** The keyed hash of a row that is destroyed, for `marks`. */
  readonly mark: (marked: Marked) => string;
  /** Throws `ledger-broken` at a line that was changed, or written by somebody who does not have the key. */
  readonly read: () => AsyncGenerator<NumberedEntry>;
  /** Holds all of it against every witness: chain, key, signatures, copy, and what the database has seen. */
  readonly verify: (seen: Seen) => Promise<Verification>;
  readonly openIntents: () => Promise<readonly Intent[]>;
  /**
   * Notes how an operation ended, once: false where somebody has noted it already, such as a recovery that found it between
   * its commit and this call.
   */
  readonly end: (begun: Begun, ending: Ending) => Promise<boolean>;
  /**
   * Ends intents that a crash left open, as `resolve` says. It must be sure: an intent that another process is carrying out
   * right now is open too.
   */
  readonly recover: (resolve: (intent: Intent) => Promise<Resolution>) => Promise<readonly Ended[]>;
  readonly close: () => void;
};

// A file of about 20,000 entries: read again in a moment when a ledger is opened, and few files in ten years.
const SEGMENT_BYTES = 8 * 1024 * 1024;
const PATIENCE_MS = 30_000;
/** As many as one write brings to the disk: a crash in between leaves whole entries, none of which was acknowledged. */
const ENTRIES_AT_ONCE = 1000;

/**
 * Opens the ledger of a home for writing; makes it, and its key, on first use.
 *
 * @throws `ledger-key-missing`, `ledger-key-wrong`, `key-file-unsafe`, `key-file-broken`, and what `append` throws.
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const { directory } = options;
  try {
    const made = await mkdir(directory, { recursive: true, mode: 0o700 });
    if (made !== undefined) await syncFolder(dirname(made));
    const lock = openWriterLock(directory, options.patienceMs ?? PATIENCE_MS);
    try {
      return ledgerOf(options, lock, await lock.hold(() => begin(options)));
    } catch (error) {
      lock.close();
      throw error;
    }
  } catch (error) {
    throw writeFailure(error, directory);
  }
}

type Found = { readonly key: LedgerKey; readonly tail: Tail };

async function begin({ directory, keyFile, signer, clock }: LedgerOptions): Promise<Found> {
  const tail = await findTail(directory, undefined);
  const key = await openLedgerKey(keyFile, { hasLedger: tail.head.sequence > 0 });
  const keyCheck = keyCheckOf(key);
  if (tail.head.sequence > 0) {
    for await (const { entry } of readLedger(directory)) {
      const isOurs = entry.kind === 'opened' && entry.ledger === key.ledger && entry.keyCheck === keyCheck;
      if (!isOurs) throw new SafekeepError('ledger-key-wrong', { path: keyFile });
      return { key, tail };
    }
  }
  const opened = {
    kind: 'opened',
    at: clock.now().toISOString(),
    format: 'safekeep-ledger/1',
    ledger: key.ledger,
    keyCheck,
    verifierKey: signer.verifierKey,
  } as const;
  return { key, tail: await writeLines(directory, { tail, key }, [opened]) };
}

function ledgerOf(options: LedgerOptions, lock: WriterLock, found: Found): Ledger {
  const { directory, clock } = options;
  const { key } = found;
  let tail = found.tail;
  /** The last line that was written by this process. */
  let last: (Place & { readonly endBytes: number }) | undefined;
  /** Only while the lock is held. */
  const write = async (entries: readonly NewEntry[]): Promise<readonly Receipt[]> => {
    const at = clock.now().toISOString();
    const dated = entries.map((entry): Entry => ({ ...entry, at }));
    tail = await makeRoom(options, key, { tail, entries: dated });
    const place: Place = { segment: tail.segment, atBytes: tail.sizeBytes };
    const heads: Head[] = [];
    tail = await writeLines(directory, { tail, key }, dated, (head) => heads.push(head));
    last = entries.length === 1 ? { ...place, endBytes: tail.sizeBytes } : undefined;
    const copied = await copyNow(options);
    // There is one head for each entry, and an id was held against the pattern of one when it was written.
    return heads.map((head, number) => ({ ...head, ledger: key.ledger, id: dated[number]?.id as OperationId, place, copied }));
  };
  const locked = async <Result>(action: () => Promise<Result>): Promise<Result> => {
    try {
      return await lock.hold(async () => {
        tail = await findTail(directory, tail);
        await refuseCut(options);
        return await action();
      });
    } catch (error) {
      throw writeFailure(error, directory);
    }
  };
  const appendAll = async (entries: readonly NewEntry[]): Promise<readonly Receipt[]> => {
    if (entries.length > ENTRIES_AT_ONCE) throw new Error(`At most ${ENTRIES_AT_ONCE} entries are written at once`);
    return await locked(() => write(entries));
  };
  const end = async ({ intent, place }: Begun, ending: Ending): Promise<boolean> => {
    const { id, tenant, operation, counts, ids } = intent;
    return await locked(async () => {
      const isLast = tail.segment === last?.segment && tail.sizeBytes === last.endBytes && place.atBytes === last.atBytes;
      // Nothing was written behind its beginning, by anybody.
      if (!isLast && (await hasEnded(directory, { id, place }))) return false;
      await write([{ id, tenant, operation, counts, ids, ...ending }]);
      return true;
    });
  };
  const append = async (entry: NewEntry): Promise<Receipt> => {
    const [receipt] = await appendAll([entry]);
    if (receipt === undefined) throw new Error('One entry has one receipt');
    return receipt;
  };
  return {
    id: key.ledger,
    append,
    appendAll,
    mark: (marked) => markOf(key, marked),
    read: () => entriesOf(directory, key),
    verify: (seen) => verifyLedger({ ...options, verifierKey: options.signer.verifierKey, key, seen }),
    openIntents: async () => (await openIntents(directory)).map(({ intent }) => intent),
    end,
    recover: (resolve) => recover({ directory, end, resolve }),
    close: lock.close,
  };
}

async function* entriesOf(directory: string, key: LedgerKey): AsyncGenerator<NumberedEntry> {
  for await (const line of readLedger(directory)) {
    const { entry, sequence } = line;
    if (!isTagged(line, key)) throw new SafekeepError('ledger-broken', { reason: `entry ${sequence} was written without its key` });
    if (entry.kind !== 'opened' && entry.kind !== 'checkpoint') yield { entry, sequence };
  }
}

async function recover({
  directory,
  end,
  resolve,
}: {
  readonly directory: string;
  readonly end: Ledger['end'];
  readonly resolve: (intent: Intent) => Promise<Resolution>;
}): Promise<readonly Ended[]> {
  const ended: Ended[] = [];
  for (const { intent, place } of await openIntents(directory)) {
    const resolution = await resolve(intent);
    if (resolution.kind === 'open') continue;
    const { at: _at, ...begun } = intent;
    if (await end({ intent: begun, place }, resolution)) ended.push({ id: intent.id, kind: resolution.kind });
  }
  return ended;
}

/** Closes the segment with a signed checkpoint where the entries would make it too long. */
async function makeRoom(
  options: LedgerOptions,
  key: LedgerKey,
  { tail, entries }: { readonly tail: Tail; readonly entries: readonly Entry[] },
): Promise<Tail> {
  const { directory, signer, clock, segmentBytes = SEGMENT_BYTES } = options;
  const bytes = entries.reduce((sum, entry) => sum + Buffer.byteLength(JSON.stringify(entry)), 0);
  if (tail.sizeBytes === 0 || tail.sizeBytes + bytes <= segmentBytes) return tail;
  const { ledger } = key;
  const signature = signer.signDocument('ledger-checkpoint', { ledger, segment: tail.segment, ...tail.head });
  const closed = await writeLines(directory, { tail, key }, [
    { kind: 'checkpoint', at: clock.now().toISOString(), ledger, segment: tail.segment, signature },
  ]);
  return { segment: tail.segment + 1, sizeBytes: 0, head: closed.head };
}

async function writeLines(
  directory: string,
  { tail, key }: Found,
  entries: readonly LineContent[],
  onWritten?: (head: Head) => void,
): Promise<Tail> {
  let { head } = tail;
  const heads: Head[] = [];
  let text = '';
  for (const entry of entries) {
    const line = writeLine(entry, { head, key });
    head = line.head;
    heads.push(head);
    text += `${line.text}\n`;
  }
  const bytes = Buffer.from(text);
  await appendBytes(segmentPath(directory, tail.segment), tail.sizeBytes, bytes);
  for (const each of heads) onWritten?.(each);
  return { segment: tail.segment, sizeBytes: tail.sizeBytes + bytes.length, head };
}

/** A ledger that was cut must not grow on. A copy that cannot be reached is told after the write, and tried again then. */
async function refuseCut({ directory, copyDirectory }: LedgerOptions): Promise<void> {
  if (copyDirectory === undefined) return;
  await refuseCopyAhead(directory, copyDirectory).catch((error: unknown) => {
    if (codeOf(error) === undefined || error instanceof SafekeepError) throw error;
  });
}

async function copyNow({ directory, copyDirectory, onCopyFailure }: LedgerOptions): Promise<boolean | null> {
  if (copyDirectory === undefined) return null;
  try {
    await bringCopy(directory, copyDirectory);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined || error instanceof SafekeepError) throw error;
    onCopyFailure?.(code);
    return false;
  }
}
