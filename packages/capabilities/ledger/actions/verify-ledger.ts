import { codeOf, isSafekeepError, type Clock } from '@safekeep/core';
import { verify } from '@safekeep/crypto';
import { compareFiles } from '../files/compare.ts';
import { listSegments, readLines, type Segment } from '../files/segments.ts';
import type { Fault, FaultCode, Head, Line, Seen, SeenHead, Verification } from '../model.ts';
import { followIntents } from '../rules/intents.ts';
import { BEGINNING, follows, isTagged, readLine } from '../rules/line.ts';
import { keyCheckOf, type LedgerKey } from '../rules/mark.ts';

export type Witnesses = {
  readonly directory: string;
  readonly copyDirectory?: string;
  /** The public half of the home's signing key. */
  readonly verifierKey: string;
  /** Undefined where it cannot be read: then that is a fault. */
  readonly key: LedgerKey | undefined;
  /** What the database has seen of this ledger; undefined where it is not asked. */
  readonly seen: Seen | undefined;
  readonly clock: Clock;
};

/** As many as a person reads; the first one counts. */
const FAULTS_AT_MOST = 100;

/**
 * Reads the whole ledger and holds it against all witnesses there are: its own chain, the signed ends of its segments, the
 * second copy, and what the database has seen. Waits for nobody and writes nothing.
 */
export async function verifyLedger(witnesses: Witnesses): Promise<Verification> {
  const startMs = witnesses.clock.elapsedMs();
  const segments = listSegments(witnesses.directory);
  const walk = new Walk(witnesses);
  let expected = 1;
  for (const segment of segments) {
    if (segment.number !== expected) walk.fault('segment-missing', `segment ${expected} is not there`, null);
    await walk.segment(segment, segment === segments.at(-1));
    expected = segment.number + 1;
  }
  const copy = await compareCopy(walk, segments, witnesses.copyDirectory);
  return { ...walk.result(), segments: segments.length, copy, seconds: (witnesses.clock.elapsedMs() - startMs) / 1000 };
}

/** Goes from line to line, and remembers where the chain stands. */
class Walk {
  readonly faults: Fault[] = [];
  readonly #witnesses: Witnesses;
  readonly #intents = followIntents();
  readonly #unseen: Map<number, SeenHead>;
  /** The key, once the first line has shown that it is the one. */
  #key: LedgerKey | undefined;
  #head: Head = BEGINNING;
  #place: { segment: number; line: number } | null = null;
  #until: string | null = null;
  #ledger: string | null = null;
  #lines = 0;
  #entries = 0;
  #torn = false;

  constructor(witnesses: Witnesses) {
    this.#witnesses = witnesses;
    this.#unseen = new Map((witnesses.seen?.heads ?? []).map((head) => [head.sequence, head]));
  }

  async segment(segment: Segment, isNewest: boolean): Promise<void> {
    let number = 0;
    let last: Line | undefined;
    for await (const { bytes, whole } of readLines(segment.path, 0, segment.sizeBytes)) {
      number += 1;
      this.#place = { segment: segment.number, line: number };
      const line = readLine(bytes.toString());
      if (!whole && isNewest && !('sequence' in line)) {
        this.#torn = true;
        break;
      }
      if (last?.entry.kind === 'checkpoint') this.fault('chain-broken', 'the segment goes on after its signed end');
      last = 'sequence' in line ? line : undefined;
      if ('sequence' in line) this.#line(line, segment.number);
      else
        this.fault(
          line.fault,
          line.fault === 'hash-wrong' ? 'it does not have the hash it says' : 'it is not in the form of the ledger',
        );
    }
    if (!isNewest && last?.entry.kind !== 'checkpoint')
      this.fault('checkpoint-missing', `segment ${segment.number} has no signed end`);
  }

  #line(line: Line, segment: number): void {
    this.#lines += 1;
    const { entry, sequence, sha256 } = line;
    if (!follows(line, this.#head)) {
      const isGap = sequence !== this.#head.sequence + 1;
      if (isGap) this.fault('sequence-wrong', `entry ${sequence} stands after entry ${this.#head.sequence}`);
      else this.fault('chain-broken', `entry ${sequence} does not follow from the one before`);
    }
    const before = this.#head;
    this.#head = { sequence, sha256 };
    if (this.#unseen.get(sequence)?.sha256 === sha256) this.#unseen.delete(sequence);
    if ((entry.kind === 'opened') !== (sequence === 1))
      this.fault('opening-wrong', 'the first line, and no other, tells which ledger it is');
    if (entry.kind === 'opened') {
      this.#ledger = entry.ledger;
      const { key, verifierKey } = this.#witnesses;
      if (key === undefined || key.ledger !== entry.ledger || keyCheckOf(key) !== entry.keyCheck)
        this.fault('key-wrong', 'the key of this home is not the one of this ledger');
      else this.#key = key;
      if (entry.verifierKey !== verifierKey) this.fault('signature-wrong', 'it was begun by a home with another signing key');
    } else if (entry.kind === 'checkpoint') {
      this.#checkpoint(entry, segment, before);
    } else {
      this.#entries += 1;
      this.#until = entry.at;
      const disorder = this.#intents.note(entry);
      if (disorder !== undefined) this.fault('order-wrong', disorder);
    }
    if (this.#key !== undefined && !isTagged(line, this.#key))
      this.fault('tag-wrong', 'it was written without the key of the ledger');
  }

  #checkpoint(
    { ledger, segment: said, signature }: Extract<Line['entry'], { kind: 'checkpoint' }>,
    segment: number,
    head: Head,
  ): void {
    if (ledger !== this.#ledger || said !== segment) this.fault('signature-wrong', 'the signed end belongs to another segment');
    try {
      verify('ledger-checkpoint', { ledger, segment: said, ...head }, signature, this.#witnesses.verifierKey);
    } catch (error) {
      if (!isSafekeepError(error, 'signature-invalid')) throw error;
      this.fault('signature-wrong', error.message);
    }
  }

  fault(code: FaultCode, detail: string, place: { segment: number; line: number } | null = this.#place): void {
    if (this.faults.length < FAULTS_AT_MOST)
      this.faults.push({ code, segment: place?.segment ?? null, line: place?.line ?? null, detail });
  }

  result(): Omit<Verification, 'segments' | 'copy' | 'seconds'> {
    const { seen } = this.#witnesses;
    for (const { sequence } of this.#unseen.values())
      this.fault(
        'head-missing',
        `the database has seen an entry ${sequence} that is not there: the ledger was cut or replaced`,
        null,
      );
    return {
      ok: this.faults.length === 0,
      ledger: this.#ledger,
      lines: this.#lines,
      entries: this.#entries,
      head: this.#head.sequence === 0 ? null : this.#head,
      until: this.#until,
      open: this.#intents.open().length,
      torn: this.#torn,
      heads: { state: seen === undefined ? 'skipped' : 'checked', seen: seen?.heads.length ?? 0, others: seen?.otherLedgers ?? 0 },
      faults: this.faults,
    };
  }
}

/** The copy must be the ledger, or its beginning. */
async function compareCopy(
  walk: Walk,
  segments: readonly Segment[],
  copyDirectory: string | undefined,
): Promise<Verification['copy']> {
  if (copyDirectory === undefined) return { state: 'none', missingBytes: 0 };
  let missingBytes = 0;
  const before = walk.faults.length;
  try {
    const copies = new Map(listSegments(copyDirectory).map((copy) => [copy.number, copy]));
    for (const segment of segments) {
      const copy = copies.get(segment.number);
      copies.delete(segment.number);
      const sizeBytes = copy?.sizeBytes ?? 0;
      missingBytes += Math.max(0, segment.sizeBytes - sizeBytes);
      const place = { segment: segment.number, line: 0 };
      if (sizeBytes > segment.sizeBytes) walk.fault('copy-ahead', 'the copy is longer than the ledger, which was cut', place);
      else if (copy !== undefined && !(await compareFiles(segment.path, copy.path, sizeBytes)))
        walk.fault('copy-differs', 'the copy says otherwise', place);
    }
    for (const number of copies.keys())
      walk.fault('copy-ahead', `the copy has a segment ${number} that the ledger lacks`, { segment: number, line: 0 });
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    walk.fault('copy-unreadable', code, null);
  }
  return { state: walk.faults.length > before ? 'faulty' : missingBytes > 0 ? 'behind' : 'equal', missingBytes };
}
