import { Worker } from 'node:worker_threads';
import { DamagedSource } from '../source/page-file.ts';
import { SnapshotMoved } from '../source/snapshot.ts';
import type { TaskName, Tasks } from './tasks.ts';

export type Question = { readonly number: number; readonly task: TaskName; readonly ask: unknown };
export type PortableError =
  | { readonly kind: 'damaged'; readonly place: string; readonly detail: string }
  | { readonly kind: 'sqlite'; readonly errcode: number; readonly message: string }
  | { readonly kind: 'moved' }
  | { readonly kind: 'thrown'; readonly error: unknown };
export type Answer =
  | { readonly number: number; readonly value: unknown }
  | { readonly number: number; readonly error: PortableError };

// Rows are garbage as soon as they are hashed: a small nursery keeps the thread small and costs a few per cent.
const YOUNG_GENERATION_MB = 8;

type Pending = { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void };

/** A second thread that, once it has joined, reads the same state of the source. Tasks run one after the other. */
export class ReaderThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #asked = 0;

  constructor() {
    // Beside the published package stands main.js, beside the sources main.ts.
    const script = import.meta.url.endsWith('.ts') ? './main.ts' : './main.js';
    this.#worker = new Worker(new URL(script, import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    this.#worker.on('message', (answer: Answer) => this.#settle(answer));
    this.#worker.on('error', (error: Error) => this.#failAll(error));
    this.#worker.on('exit', () => this.#failAll(new Error('The reading thread has ended')));
  }

  async ask<Name extends TaskName>(task: Name, ask: Tasks[Name]['ask']): Promise<Tasks[Name]['answer']> {
    const number = (this.#asked += 1);
    const question: Question = { number, task, ask };
    return await new Promise<Tasks[Name]['answer']>((resolve, reject) => {
      // The thread answers each task with what `Tasks` says of it.
      this.#pending.set(number, { resolve: resolve as (value: unknown) => void, reject });
      this.#worker.postMessage(question);
    });
  }

  /** Ends the thread now, whatever it is doing. Its connection only reads. */
  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(answer: Answer): void {
    const pending = this.#pending.get(answer.number);
    this.#pending.delete(answer.number);
    if ('value' in answer) pending?.resolve(answer.value);
    else pending?.reject(restored(answer.error));
  }

  #failAll(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

function restored(error: PortableError): unknown {
  if (error.kind === 'damaged') return new DamagedSource(error.place, error.detail);
  if (error.kind === 'moved') return new SnapshotMoved();
  if (error.kind === 'sqlite') return Object.assign(new Error(error.message), { errcode: error.errcode });
  return error.error;
}
