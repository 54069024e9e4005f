import { parentPort, workerData } from 'node:worker_threads';
import { DamagedSource } from '../source/page-file.ts';
import { joinSnapshot, type SnapshotAddress } from '../source/snapshot.ts';
import { runners, type TaskSource } from './tasks.ts';
import type { Answer, PortableError, Question } from './reader-thread.ts';

// Started by reader-thread.ts, which sends the address along.
const address = workerData as SnapshotAddress;
const sqlite = joinSnapshot(address);
const port = parentPort;
if (port === null) throw new Error('This file runs as a thread');

port.on('message', (question: Question) => port.postMessage(answer(question)));

function answer({ number, task, ask }: Question): Answer {
  try {
    // Question pairs the name of a task with what it is asked, see ReaderThread.ask.
    const run = runners[task] as (source: TaskSource, ask: unknown) => unknown;
    return { number, value: run({ address, sqlite }, ask) };
  } catch (error) {
    return { number, error: portable(error) };
  }
}

/** A thrown error loses its class and its own fields on the way to another thread: what matters is sent beside it. */
function portable(error: unknown): PortableError {
  if (error instanceof DamagedSource) return { kind: 'damaged', place: error.place, detail: error.detail };
  if (error instanceof Error && 'errcode' in error && typeof error.errcode === 'number') return { kind: 'sqlite', errcode: error.errcode, message: error.message };
  return { kind: 'thrown', error };
}
