import { parentPort } from 'node:worker_threads';
import { DamagedSource } from '../source/page-file.ts';
import { joinSnapshot, SnapshotMoved, type SnapshotAddress } from '../source/snapshot.ts';
import { runners, type TaskName, type TaskSource } from './tasks.ts';
import type { Answer, PortableError, Question } from './reader-thread.ts';

const port = parentPort;
if (port === null) throw new Error('This file runs as a thread');
let source: TaskSource | undefined;

port.on('message', (question: Question) => port.postMessage(answer(question)));

function answer({ number, task, ask }: Question): Answer {
  try {
    return { number, value: task === 'join' ? join(ask) : run(task, ask) };
  } catch (error) {
    return { number, error: portable(error) };
  }
}

function join(ask: unknown): true {
  // Question pairs the name of a task with what it is asked, see ReaderThread.ask.
  const address = ask as SnapshotAddress;
  source = { address, sqlite: joinSnapshot(address) };
  return true;
}

function run(task: Exclude<TaskName, 'join'>, ask: unknown): unknown {
  if (source === undefined) throw new Error('The thread has not joined a snapshot');
  // The same pairing.
  return (runners[task] as (source: TaskSource, ask: unknown) => unknown)(source, ask);
}

/** A thrown error loses its class and its own fields on the way to another thread: what matters is sent beside it. */
function portable(error: unknown): PortableError {
  if (error instanceof DamagedSource) return { kind: 'damaged', place: error.place, detail: error.detail };
  if (error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')
    return { kind: 'sqlite', errcode: error.errcode, message: error.message };
  if (error instanceof SnapshotMoved) return { kind: 'moved' };
  return { kind: 'thrown', error };
}
