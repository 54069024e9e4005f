import type { ChildProcess } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';

/** What may be asked of a child process: by verb, what goes in and what comes back. Plain JSON both ways. */
export type Verbs = Record<string, { readonly ask: unknown; readonly answer: unknown }>;

type Question = { readonly id: number; readonly verb: string; readonly ask: unknown };
type Reply = { readonly id: number; readonly answer?: unknown; readonly error?: string } | { readonly notice: unknown };

type Waiting = { readonly resolve: (answer: unknown) => void; readonly reject: (error: Error) => void };

// Enough to stop a server with a checkpoint; a child in an endless loop hears nothing at all.
const CLOSE_LIMIT_MS = 30_000;

/** Questions to a forked child and its answers; a child that dies fails every open and later question. */
export class Conversation<Spoken extends Verbs> {
  readonly child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;
  #ended: Error | undefined;

  /** `name` stands in errors; `onNotice` gets what the child says unasked. */
  constructor(child: ChildProcess, name: string, onNotice: (notice: unknown) => void = () => {}) {
    this.child = child;
    // Both ends are files of this folder and speak these shapes.
    child.on('message', (message) => this.#hear(message as Reply, onNotice));
    child.on('exit', (code, signal) => this.#end(new Error(`${name} ended unexpectedly (${signal ?? `exit ${code}`}).`)));
    child.on('error', (error) => this.#end(new Error(`${name} could not be started.`, { cause: error })));
  }

  ask<Verb extends keyof Spoken & string>(verb: Verb, ask: Spoken[Verb]['ask']): Promise<Spoken[Verb]['answer']> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    this.#asked += 1;
    const question: Question = { id: this.#asked, verb, ask };
    return new Promise((resolve, reject) => {
      this.#waiting.set(question.id, { resolve, reject });
      this.child.send(question);
    });
  }

  /** Ends the child by closing the channel, and waits until it is gone. One that hangs is killed. */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    if (this.child.connected) this.child.disconnect();
    const kill = setTimeout(() => this.child.kill('SIGKILL'), CLOSE_LIMIT_MS);
    await gone;
    clearTimeout(kill);
  }

  #hear(message: Reply, onNotice: (notice: unknown) => void): void {
    if ('notice' in message) return onNotice(message.notice);
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.error === undefined) waiting?.resolve(message.answer);
    else waiting?.reject(new Error(message.error));
  }

  #end(error: Error): void {
    this.#ended = error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

type Answers<Spoken extends Verbs> = {
  readonly [Verb in keyof Spoken]: (ask: Spoken[Verb]['ask']) => Promise<Spoken[Verb]['answer']>;
};

// A run that was interrupted mostly ends soon, and what it was making can then be taken down; one that hangs cannot be helped.
const LAST_ANSWER_LIMIT_MS = 20_000;

/**
 * The child's side. When the parent goes away, for whatever reason, the question that is on is finished, `onEnd` runs, and
 * the child ends.
 */
export function answerParent<Spoken extends Verbs>(answers: Answers<Spoken>, onEnd: () => Promise<void>): void {
  let current: Promise<unknown> = Promise.resolve();
  process.on('message', (message) => {
    // Only Conversation.ask above sends messages to this process.
    const { id, verb, ask } = message as Question;
    const answer = answers[verb];
    if (answer === undefined) throw new Error(`No answer is known to "${verb}".`);
    current = answer(ask).then(
      (value) => tellParent({ id, answer: value }),
      (error: unknown) => tellParent({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  // Ctrl-C reaches the whole group; the parent decides when this process ends.
  process.on('SIGINT', () => {});
  process.on('disconnect', () => {
    Promise.race([current, wait(LAST_ANSWER_LIMIT_MS)])
      .then(onEnd)
      .then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(error);
          process.exit(1);
        },
      );
  });
}

export function tellParent(reply: Reply): void {
  if (process.connected) process.send?.(reply);
}
