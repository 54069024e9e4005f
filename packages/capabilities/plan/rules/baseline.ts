import { differences, fingerprintOf, type FingerprintParts } from '@safekeep/postgres';
import type { Baseline, UnapplyText } from '../model.ts';

/** What the user changed since the first apply, as it is known now: earlier changes, and what is not as the last apply left it. */
export function changedByUser({ expected, changed }: Baseline, now: FingerprintParts): readonly string[] {
  // Until the first apply has ended nothing tells its changes from the user's.
  const since = expected === null ? [] : differences(expected, now).map(({ object }) => object);
  return [...new Set([...changed, ...since])].toSorted();
}

export type Structures = { readonly before: FingerprintParts; readonly after: FingerprintParts };

/** What taking everything out changed, and did not bring back to what it was: none, or it is a fault of ours. */
export function notRestored(baseline: Baseline, { before, after }: Structures): readonly string[] {
  const theirs = new Set(changedByUser(baseline, before));
  return differences(before, after)
    .map(({ object }) => object)
    .filter((object) => !theirs.has(object) && baseline.parts.get(object) !== after.get(object));
}

/** `standing`: before plaintext and the like were given back, which goes ahead of the steps. */
export type TakenOut = Structures & { readonly standing: FingerprintParts };

/** How what stands compares with the time before the first apply. */
export function comparison(
  baseline: Baseline,
  { standing, before, after }: TakenOut,
): Pick<UnapplyText, 'fingerprint' | 'restored' | 'changedSince'> {
  // What was encrypted before the first apply stands in the baseline, and it was not the user who took it away.
  const isGivenBack = (object: string): boolean =>
    baseline.parts.get(object) === standing.get(object) &&
    standing.get(object) !== before.get(object) &&
    before.get(object) === after.get(object);
  const changed = differences(baseline.parts, after).filter(({ object }) => !isGivenBack(object));
  const changedSince = changed.map(({ change, object }) => `${change}: ${object}`);
  return { fingerprint: fingerprintOf(after), restored: changed.length === 0, changedSince };
}
