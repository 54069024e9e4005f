// The child process behind runIsolated: `isolate-process.ts BENCH_FILE CONTENDER`.
import { systemClock } from '@safekeep/core';
import type { Prepared } from './bench.ts';
import { answerParent, tellParent } from './conversation.ts';
import { loadBench } from './registry.ts';
import { makeReady, timeRun, type IsolateVerbs } from './runner.ts';

const [file, name] = process.argv.slice(2);
let prepared: Prepared | undefined;

function ready(): Prepared {
  if (prepared === undefined) throw new Error('The contender was not prepared.');
  return prepared;
}

answerParent<IsolateVerbs>(
  {
    prepare: async (context) => {
      const { contenders } = await loadBench(file ?? '');
      const contender = contenders.find((candidate) => candidate.name === name);
      if (contender === undefined) throw new Error(`${file} has no contender "${name}".`);
      prepared = await contender.prepare({ ...context, watch: (pid) => tellParent({ notice: pid }) });
      return null;
    },
    ready: async () => {
      await makeReady(ready());
      return null;
    },
    run: () => timeRun(ready(), systemClock),
    afterRun: async () => {
      await ready().afterRun?.();
      return null;
    },
  },
  async () => prepared?.close?.(),
);
