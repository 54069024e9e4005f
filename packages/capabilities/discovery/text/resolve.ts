import type { Found } from './model.ts';

export type Resolved = {
  readonly kept: readonly Found[];
  /** What findings that lost cover beyond those that won: whoever takes out what is personal takes these out as well. */
  readonly left: readonly Found[];
};

/** Of findings that overlap one stays: validated over specific over longer. In order of the text. */
export function resolveOverlaps(found: readonly Found[]): Resolved {
  const sorted = [...found].sort((a, b) => a.start - b.start || b.end - a.end);
  const kept: Found[] = [];
  const left: Found[] = [];
  let cluster: Found[] = [];
  let reach = -1;
  for (const item of sorted) {
    if (item.start >= reach && cluster.length > 0) {
      keepBest(cluster, { kept, left });
      cluster = [];
    }
    cluster.push(item);
    reach = Math.max(reach, item.end);
  }
  keepBest(cluster, { kept, left });
  return { kept, left };
}

/** Takes time in proportion to the knot's length and findings, however many there are: each place of the text is taken once. */
function keepBest(cluster: readonly Found[], { kept, left }: { readonly kept: Found[]; readonly left: Found[] }): void {
  if (cluster.length < 2) {
    kept.push(...cluster);
    return;
  }
  const from = cluster[0]?.start ?? 0;
  const taken = new Uint8Array(cluster.reduce((reach, { end }) => Math.max(reach, end), from) - from);
  const mine: Found[] = [];
  let [rank, before] = [-1, new Uint32Array()];
  for (const item of [...cluster].sort(better)) {
    if (item.rank !== rank) [rank, before] = [item.rank, takenBefore(taken)];
    const [start, end] = [item.start - from, item.end - from];
    // Of the same rank the longer came first, so what overlaps lies over an end; those of a higher rank may lie inside.
    if (taken[start] === 1 || taken[end - 1] === 1 || before[start] !== before[end]) continue;
    mine.push(item);
    taken.fill(1, start, end);
  }
  for (const item of mine.sort((a, b) => a.start - b.start)) kept.push(item);
  let reach = from;
  // In order of their starts, as the cluster is: each place is looked at once.
  for (const item of cluster) {
    for (let at = Math.max(reach, item.start); at < item.end; at += 1) {
      if (taken[at - from] === 1) continue;
      const start = at;
      while (at < item.end && taken[at - from] === 0) at += 1;
      left.push({ ...item, start, end: at });
    }
    reach = Math.max(reach, item.end);
  }
}

/** How many places before each one are taken. */
function takenBefore(taken: Uint8Array): Uint32Array<ArrayBuffer> {
  const before = new Uint32Array(taken.length + 1);
  for (let at = 0; at < taken.length; at += 1) before[at + 1] = (before[at] ?? 0) + (taken[at] ?? 0);
  return before;
}

function better(a: Found, b: Found): number {
  return b.rank - a.rank || b.end - b.start - (a.end - a.start) || b.score - a.score;
}
