import { openCheckpoint, TlogError } from '@safekeep/tlog';
import type { FaultList } from './faults.ts';
import type { Cosigned } from './log-files.ts';

/**
 * That what the home keeps as countersigned carries the signatures of the witness and of the log itself: else whoever can write there could
 * put a checkpoint of another history in its place, and its word would be worth nothing.
 */
export function checkCosignatures(kept: readonly Cosigned[], verifierKey: string, faults: FaultList): void {
  for (const { file, witnessKey, note } of kept) {
    if (note === undefined) {
      faults.add('cosignature-wrong', `${file} is gone: what the witness countersigned is not kept any more.`);
      continue;
    }
    for (const [signer, key] of [
      ['the witness', witnessKey],
      ['the log', verifierKey],
    ] as const) {
      const reason = whyNot(note, key);
      if (reason !== undefined) faults.add('cosignature-wrong', `${file} does not carry a signature of ${signer}: ${reason}`);
    }
  }
}

/** Undefined where the key has signed it. */
function whyNot(note: string, key: string): string | undefined {
  try {
    openCheckpoint(note, { trusted: [key] });
    return undefined;
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    return error.message;
  }
}
