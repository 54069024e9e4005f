import { createInterface, emitKeypressEvents } from 'node:readline';
import { categoryOf, suggestCategory } from '@safekeep/core';
import type { OpenFinding, Verdict } from '../model.ts';

/** What a reviewer sits at. `setRawMode` where it is a terminal: then one key decides. */
export type Terminal = {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean; setRawMode?: (mode: boolean) => unknown };
  readonly output: NodeJS.WritableStream;
  readonly signal: AbortSignal;
};

const KEYS = 'a accept · c change · r not personal · s skip · b back · q stop';

type Answer = 'accept' | 'change' | 'reject' | 'skip' | 'back' | 'quit';

const ANSWERS: Readonly<Record<string, Answer>> = {
  a: 'accept',
  y: 'accept',
  return: 'accept',
  enter: 'accept',
  c: 'change',
  r: 'reject',
  n: 'reject',
  s: 'skip',
  b: 'back',
  q: 'quit',
  escape: 'quit',
};

/** Shows the open findings one by one, with reasons and neighbours, and takes an answer by key. What was decided before `q` stands. */
export async function askReviewer(open: readonly OpenFinding[], terminal: Terminal): Promise<readonly Verdict[]> {
  const decided = new Map<string, Verdict>();
  const say = (line: string): void => void terminal.output.write(`${line}\n`);
  for (let place = 0; place < open.length;) {
    const finding = open[place];
    if (finding === undefined) break;
    say(`\n[${place + 1}/${open.length}] ${finding.column}\n  ${finding.category}  ${finding.confidence.toFixed(2)}`);
    for (const reason of finding.evidence) say(`    ${reason}`);
    say(`  beside it: ${finding.neighbours.join(', ')}\n  ${KEYS}`);
    const answer = await keyOf(terminal);
    if (answer === 'quit') break;
    if (answer === 'accept') decided.set(finding.column, { column: finding.column, category: finding.category });
    if (answer === 'reject') decided.set(finding.column, { column: finding.column, category: 'none' });
    if (answer === 'change') {
      const category = await categoryFrom(terminal, say);
      if (category === undefined) continue;
      decided.set(finding.column, { column: finding.column, category });
    }
    if (answer === 'back') decided.delete(open[Math.max(0, place - 1)]?.column ?? '');
    place = answer === 'back' ? Math.max(0, place - 1) : place + 1;
  }
  return [...decided.values()];
}

async function keyOf({ input, signal }: Terminal): Promise<Answer> {
  emitKeypressEvents(input);
  input.setRawMode?.(true);
  input.resume();
  return new Promise((resolve, reject) => {
    const done = (): void => {
      input.off('keypress', pressed);
      input.off('end', ended);
      signal.removeEventListener('abort', aborted);
      input.setRawMode?.(false);
      input.pause();
    };
    const pressed = (text: string | undefined, key: { readonly name?: string; readonly ctrl?: boolean }): void => {
      const answer = key.ctrl === true && key.name === 'c' ? 'quit' : ANSWERS[key.name ?? text ?? ''];
      if (answer === undefined) return;
      done();
      resolve(answer);
    };
    const ended = (): void => {
      done();
      resolve('quit');
    };
    const aborted = (): void => {
      done();
      reject(signal.reason instanceof Error ? signal.reason : new Error('The review was interrupted'));
    };
    input.on('keypress', pressed);
    input.on('end', ended);
    signal.addEventListener('abort', aborted);
  });
}

/** A category as typed; `undefined` when nothing was. Asks again for what is none, and says what was probably meant. */
async function categoryFrom({ input, output, signal }: Terminal, say: (line: string) => void): Promise<string | undefined> {
  const lines = createInterface({ input, output, terminal: false });
  try {
    output.write('  category: ');
    for await (const line of lines) {
      signal.throwIfAborted();
      const typed = line.trim();
      if (typed === '') return undefined;
      if (typed === 'none' || categoryOf(typed) !== undefined) return typed;
      const meant = suggestCategory(typed);
      say(`  ${typed} is no category${meant === undefined ? '' : `; did you mean ${meant}?`}`);
      output.write('  category: ');
    }
    return undefined;
  } finally {
    lines.close();
  }
}
