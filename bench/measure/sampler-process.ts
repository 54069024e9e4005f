// The child process behind Sampler.
import { answerParent } from './conversation.ts';
import { TreeMeter } from './process-tree.ts';
import type { SamplerVerbs } from './sampler.ts';

// Peaks shorter than this can be missed.
const SHORTEST_INTERVAL_MS = 20;
// A look at a large machine's /proc takes milliseconds; then it looks less often, so as not to slow what it measures.
const LARGEST_SHARE_OF_A_CORE = 0.05;
// Every look reads resident sizes, every fifth also PSS, which is some 20 times dearer.
const PSS_EVERY = 5;

let meter: TreeMeter | undefined;
let timer: NodeJS.Timeout | undefined;

function running(): TreeMeter {
  if (meter === undefined) throw new Error('The sampler was not started.');
  return meter;
}

function sampleFrom(count: number): void {
  const begin = performance.now();
  running().sample({ pss: count % PSS_EVERY === 0 });
  const tookMs = performance.now() - begin;
  const pauseMs = Math.max(SHORTEST_INTERVAL_MS, tookMs / LARGEST_SHARE_OF_A_CORE);
  timer = setTimeout(sampleFrom, pauseMs, count + 1);
}

answerParent<SamplerVerbs>(
  {
    start: async ({ roots, excluded }) => {
      clearTimeout(timer);
      meter = new TreeMeter(roots, [...excluded, process.pid]);
      timer = setTimeout(sampleFrom, SHORTEST_INTERVAL_MS, 1);
      return null;
    },
    // Between runs there is no need to be told: the next start names every root.
    watch: async (pid) => {
      meter?.watch(pid);
      return null;
    },
    finish: async () => {
      clearTimeout(timer);
      const usage = running().finish();
      meter = undefined;
      return usage;
    },
  },
  async () => clearTimeout(timer),
);
