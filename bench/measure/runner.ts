import { fork } from 'node:child_process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from '@safekeep/core';
import type { Contender, ContenderContext, Prepared, StageContext, Work } from './bench.ts';
import { Conversation } from './conversation.ts';

export type Timed = { readonly seconds: number; readonly work: Work };

/** A prepared contender, wherever it runs. */
export type Runner = {
  readonly contender: Contender;
  /** Processes whose trees its CPU and memory are; the first is the one it runs in. */
  readonly roots: Set<number>;
  /** Everything that must not be timed: `beforeRun`, and a clean heap. */
  readonly ready: () => Promise<void>;
  readonly run: () => Promise<Timed>;
  readonly afterRun: () => Promise<void>;
  readonly close: () => Promise<void>;
};

export type RunnerOptions = {
  readonly contender: Contender;
  readonly context: StageContext & { readonly fixture: unknown };
  readonly clock: Clock;
  /** Called when the contender asks for another process to be counted. */
  readonly onWatch: (pid: number) => void;
};

/** A contender in this process. */
export async function runHere({ contender, context, clock, onWatch }: RunnerOptions): Promise<Runner> {
  const roots = new Set([process.pid]);
  const watch = watching(roots, onWatch);
  const prepared = await contender.prepare({ ...context, watch });
  return {
    contender,
    roots,
    ready: () => makeReady(prepared),
    run: () => timeRun(prepared, clock),
    afterRun: async () => prepared.afterRun?.(),
    close: async () => prepared.close?.(),
  };
}

export type IsolateVerbs = {
  prepare: { ask: StageContext & { readonly fixture: unknown }; answer: null };
  ready: { ask: null; answer: null };
  run: { ask: null; answer: Timed };
  afterRun: { ask: null; answer: null };
};

/** A contender in a child process of its own; `file` is the bench it stands in. Its time is taken there. */
export async function runIsolated(file: string, { contender, context, onWatch }: RunnerOptions): Promise<Runner> {
  const child = fork(new URL('./isolate-process.ts', import.meta.url), [file, contender.name], { execArgv: [] });
  const roots = new Set(child.pid === undefined ? [] : [child.pid]);
  const watch = watching(roots, onWatch);
  const conversation = new Conversation<IsolateVerbs>(child, `The process of "${contender.name}"`, (pid) => watch(Number(pid)));
  try {
    await conversation.ask('prepare', context);
  } catch (error) {
    await conversation.close();
    throw error;
  }
  return {
    contender,
    roots,
    ready: async () => void (await conversation.ask('ready', null)),
    run: () => conversation.ask('run', null),
    afterRun: async () => void (await conversation.ask('afterRun', null)),
    close: () => conversation.close(),
  };
}

export async function makeReady(prepared: Prepared): Promise<void> {
  await prepared.beforeRun?.();
  collectGarbage();
}

export async function timeRun(prepared: Prepared, clock: Clock): Promise<Timed> {
  const begin = clock.elapsedMs();
  const work = await prepared.run();
  return { seconds: (clock.elapsedMs() - begin) / 1000, work };
}

function watching(roots: Set<number>, onWatch: (pid: number) => void): ContenderContext<unknown>['watch'] {
  return (pid) => {
    roots.add(pid);
    onWatch(pid);
  };
}

// The flag works in contexts made after it was set, without restarting Node; V8 then has a global `gc` there.
setFlagsFromString('--expose-gc');
/** What one contender left behind must not be swept up in the time of the next. */
const collectGarbage = runInNewContext('gc') as () => void;
