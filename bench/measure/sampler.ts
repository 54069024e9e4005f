import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Conversation } from './conversation.ts';
import type { TreeUsage } from './process-tree.ts';

export type SamplerVerbs = {
  start: { ask: { readonly roots: readonly number[]; readonly excluded: readonly number[] }; answer: null };
  watch: { ask: number; answer: null };
  finish: { ask: null; answer: TreeUsage };
};

/**
 * Measures process trees from a process of its own: it neither waits for the event loop of what it measures nor takes
 * time from it.
 */
export class Sampler {
  readonly #conversation: Conversation<SamplerVerbs>;

  private constructor(conversation: Conversation<SamplerVerbs>) {
    this.#conversation = conversation;
  }

  /** `undefined` where there is no /proc: CPU and memory are then not measured. */
  static open(): Sampler | undefined {
    if (!existsSync('/proc/self/stat')) return undefined;
    const child = fork(new URL('./sampler-process.ts', import.meta.url), { execArgv: [] });
    return new Sampler(new Conversation(child, 'The sampler'));
  }

  /** Begins; resolves when the first sample is taken. Of its own parent's tree the sampler leaves itself out. */
  async start(roots: readonly number[], excluded: readonly number[]): Promise<void> {
    await this.#conversation.ask('start', { roots, excluded });
  }

  async watch(pid: number): Promise<void> {
    await this.#conversation.ask('watch', pid);
  }

  finish(): Promise<TreeUsage> {
    return this.#conversation.ask('finish', null);
  }

  close(): Promise<void> {
    return this.#conversation.close();
  }
}
