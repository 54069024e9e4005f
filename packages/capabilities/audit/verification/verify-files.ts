import { SafekeepError } from '@safekeep/core';
import {
  leafHash,
  openCheckpoint,
  parseProof,
  peekCheckpoint,
  readEntryBundle,
  TILE_WIDTH,
  tileInTree,
  TlogError,
  verifyInclusion,
  type Checkpoint,
  type TileReader,
} from '@safekeep/tlog';
import { checkTree, type StoredEntry } from './check-tree.ts';
import { faultList, type FaultList } from './faults.ts';
import { directoryReader, readCheckpoint, readFirstEntries, readMinimumIndex, readNoteFile } from './log-files.ts';
import type { LogVerification } from './model.ts';
import { readProofExtra } from './proof-extra.ts';

type Watch = {
  /** The index below which events were dropped by policy, as whoever keeps the log has told by another way than the files. */
  readonly toldMinimum?: number;
  readonly progress?: (checked: number, total: number) => void;
};

/**
 * Verifies an exported log by its files alone. Trust comes from `vkey`, which came through another channel than the files.
 * Throws `log-files-unfit` when the folder holds no log at all.
 */
export async function verifyDirectory(directory: string, vkey: string, watch: Watch = {}): Promise<LogVerification> {
  const started = performance.now();
  const faults = faultList();
  const checkpoint = openSigned(await readCheckpoint(directory), vkey, faults);
  const minimumIndex = await readMinimumIndex(directory);
  if (checkpoint === undefined) return verdict(faults, { started, checked: 0, minimumIndex, scope: ['signature'] });
  const reader = directoryReader(directory);
  const { size } = checkpoint;
  const checked = await checkTree({ ...checkpoint, minimumIndex, reader }, bundles(directory, { reader, size, minimumIndex }), {
    faults,
    progress: (count) => watch.progress?.(count, size),
  });
  checkWithheld({ minimumIndex, size, checked }, watch.toldMinimum ?? 0, faults);
  return verdict(faults, { started, checkpoint, checked, minimumIndex, scope: ['signature', 'tree', 'entries'] });
}

/** What the folder says of itself is not signed: whoever hands it out could withhold any beginning of the log, up to all of it. */
function checkWithheld(
  { minimumIndex, size, checked }: { readonly minimumIndex: number; readonly size: number; readonly checked: number },
  told: number,
  faults: FaultList,
): void {
  if (minimumIndex > told)
    faults.add(
      'entry-missing',
      `Events below index ${minimumIndex} are not in the folder, and nothing that is signed says why. If whoever keeps the log has told you that they were dropped by policy, verify with --minimum-index ${minimumIndex}.`,
      told,
    );
  else if (size > 0 && checked === 0) faults.add('entry-missing', `Not one of ${size} events is in the folder.`, 0);
}

type Bundles = { readonly reader: TileReader; readonly size: number; readonly minimumIndex: number };

/** Entries as the bundles have them. A bundle that is missing or cut shows as missing entries. */
async function* bundles(directory: string, { reader, size, minimumIndex }: Bundles): AsyncGenerator<readonly StoredEntry[]> {
  for (let bundle = Math.floor(minimumIndex / TILE_WIDTH); bundle * TILE_WIDTH < size; bundle += 1) {
    const start = bundle * TILE_WIDTH;
    const isCut = start < minimumIndex;
    const first = isCut ? await readFirstEntries(directory) : undefined;
    const tile = { ...tileInTree('entries', bundle, size), level: 'entries' as const };
    const from = first === undefined ? start : minimumIndex;
    const entries = first ?? (await readWhatIsThere(reader, tile));
    yield entries.map((entry, at) => ({ index: from + at, entry })).filter(({ index }) => index >= minimumIndex);
  }
}

async function readWhatIsThere(
  reader: TileReader,
  tile: { readonly level: 'entries'; readonly index: number; readonly width: number },
): Promise<readonly Uint8Array[]> {
  try {
    return await readEntryBundle(reader, tile);
  } catch (error) {
    if (error instanceof TlogError) return [];
    throw error;
  }
}

/** Verifies one event by a proof file alone. */
export async function verifyProofFile(path: string, vkey: string): Promise<LogVerification> {
  return verifyProofText(await readNoteFile(path), vkey);
}

/** The entry comes from the extra of the file, which is not signed: it is right exactly when it stands in the signed tree. */
export function verifyProofText(text: string, vkey: string): LogVerification {
  const started = performance.now();
  const faults = faultList();
  const found = attempt(() => parseProof(text), faults);
  const checkpoint = found === undefined ? undefined : openSigned(found.checkpoint, vkey, faults);
  if (found !== undefined && checkpoint !== undefined) {
    const extra = readProofExtra(found.extra);
    if ('fault' in extra) faults.add('proof-wrong', extra.fault, found.index);
    else {
      const { index, proof } = found;
      attempt(
        () => verifyInclusion({ index, size: checkpoint.size, root: checkpoint.root, leaf: leafHash(extra.entry) }, proof),
        faults,
        index,
      );
      for (const detail of extra.unfit) faults.add('blob-changed', detail, index);
    }
  }
  const scope = ['signature', 'inclusion', 'commitments'];
  const checked = faults.count() === 0 ? 1 : 0;
  return verdict(faults, { started, ...(checkpoint === undefined ? {} : { checkpoint }), checked, minimumIndex: 0, scope });
}

function attempt<Result>(run: () => Result, faults: FaultList, index?: number): Result | undefined {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    faults.add('proof-wrong', error.message, index);
    return undefined;
  }
}

/** What a signed note says. Where its signature is not the one of `vkey` it is told, and what the note claims is checked all the same. */
export function openSigned(note: string, vkey: string, faults: FaultList): Checkpoint | undefined {
  try {
    return openCheckpoint(note, { trusted: [vkey] });
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    if (error.code.startsWith('key-'))
      throw new SafekeepError('signature-invalid', { reason: error.message.replace(/\.$/, '') }, { cause: error });
    faults.add('checkpoint-unsigned', error.message);
  }
  try {
    return peekCheckpoint(note);
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    return undefined;
  }
}

export function verdict(
  faults: FaultList,
  found: {
    readonly started: number;
    readonly checkpoint?: Checkpoint;
    readonly checked: number;
    readonly minimumIndex: number;
    readonly scope: readonly string[];
  },
): LogVerification {
  const { checkpoint, checked, minimumIndex, scope, started } = found;
  return {
    ok: faults.count() === 0,
    origin: checkpoint?.origin ?? '',
    size: checkpoint?.size ?? 0,
    root: Buffer.from(checkpoint?.root ?? []).toString('base64'),
    checked,
    faults: faults.list(),
    notes: faults.notes(),
    faultsFound: faults.count(),
    minimumIndex,
    scope: [...scope],
    seconds: (performance.now() - started) / 1000,
  };
}
