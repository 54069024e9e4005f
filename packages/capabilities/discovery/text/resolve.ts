import type { Found } from './model.ts';

/** Of findings that overlap one stays: validated over specific over longer. In order of the text. */
export function resolveOverlaps(found: readonly Found[]): readonly Found[] {
  const sorted = [...found].sort((a, b) => a.start - b.start || b.end - a.end);
  const kept: Found[] = [];
  let cluster: Found[] = [];
  let reach = -1;
  for (const item of sorted) {
    if (item.start >= reach && cluster.length > 0) {
      keepBest(cluster, kept);
      cluster = [];
    }
    cluster.push(item);
    reach = Math.max(reach, item.end);
  }
  keepBest(cluster, kept);
  return kept;
}

/** Beyond so many in one knot only the best few are weighed against each other: work stays linear whatever a text holds. */
const MOST_KEPT_IN_CLUSTER = 64;

function keepBest(cluster: readonly Found[], kept: Found[]): void {
  if (cluster.length === 1) {
    kept.push(...cluster);
    return;
  }
  const mine: Found[] = [];
  for (const item of [...cluster].sort(better)) {
    if (mine.length >= MOST_KEPT_IN_CLUSTER) break;
    if (mine.every((other) => item.end <= other.start || item.start >= other.end)) mine.push(item);
  }
  kept.push(...mine.sort((a, b) => a.start - b.start));
}

function better(a: Found, b: Found): number {
  return b.rank - a.rank || b.end - b.start - (a.end - a.start) || b.score - a.score;
}
