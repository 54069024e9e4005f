import { createHash } from 'node:crypto';
import { defineBench, type Contender, type Prepared } from './measure/bench.ts';

const BLOCK = new Uint8Array(64 * 1024);
const HELD_BYTES = 200_000_000;

function hashBlocks(times: number): void {
  for (let done = 0; done < times; done += 1) createHash('sha256').update(BLOCK).digest();
}

function hashing(name: string, kind: Contender['kind'], passes: number): Contender {
  return {
    name,
    kind,
    prepare: async ({ size }): Promise<Prepared> => ({
      run: async () => {
        hashBlocks(size * passes);
        return { units: size };
      },
    }),
  };
}

const holding: Contender = {
  name: 'the same holding 200 MB',
  kind: 'rival',
  isolate: true,
  prepare: async ({ size }) => ({
    run: async () => {
      // Written to, so that the kernel must give the pages.
      const held = new Uint8Array(HELD_BYTES).fill(1);
      hashBlocks(size);
      // Read after the work, so that it lives as long.
      return { units: held[0] === 1 ? size : 0 };
    },
  }),
};

const SOURCE = 'issue 3, A against A';

export const bench = defineBench({
  question: 'Does the harness find no difference where there is none, and the one that was planted?',
  unit: 'hashes',
  sizes: { small: 200, medium: 2000, large: 20_000 },
  runs: 15,
  contenders: [hashing('some work', 'ours', 1), hashing('the same', 'rival', 1), hashing('twice the work', 'rival', 2), holding],
  limits: [
    { contender: 'the same', measure: 'seconds', relation: 'at-most', bound: 1.05, against: 'some work', source: SOURCE },
    { contender: 'the same', measure: 'seconds', relation: 'at-least', bound: 0.95, against: 'some work', source: SOURCE },
    { contender: 'twice the work', measure: 'seconds', relation: 'at-most', bound: 2.1, against: 'some work', source: SOURCE },
    { contender: 'twice the work', measure: 'seconds', relation: 'at-least', bound: 1.9, against: 'some work', source: SOURCE },
    { contender: holding.name, measure: 'peakRssBytes', relation: 'at-least', bound: HELD_BYTES, source: SOURCE },
    // 150 MB for Node itself, generously: this is about counting nothing twice.
    { contender: holding.name, measure: 'peakRssBytes', relation: 'at-most', bound: HELD_BYTES + 150e6, source: SOURCE },
  ],
});
