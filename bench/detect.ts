import { createRequire } from 'node:module';
import { Redactor as RedactPii } from '@redactpii/node';
import { detectText, type DetectOptions } from '@safekeep/capabilities/discovery';
import { labelledNotes } from '@safekeep/sample';
import { defineBench, type Contender, type Prepared } from './measure/bench.ts';

const MEGABYTE = 1_000_000;
const NOTES = 4_000;
const SEED = 11;

/** Clinical notes of the sample practice and lines of a log in turn, up to so many bytes; all of it ASCII and Latin letters. */
function linesOf(megabytes: number): readonly string[] {
  const notes = labelledNotes(NOTES, SEED).map(({ text }) => text);
  const lines: string[] = [];
  for (let bytes = 0, at = 0; bytes < megabytes * MEGABYTE; at += 1) {
    const line =
      at % 4 === 3
        ? `2026-03-0${1 + (at % 9)}T10:14:${10 + (at % 50)}.250Z INFO job-finished job=${at} done=${at % 97} durationMs=${at % 1_000}`
        : (notes[(at * 7) % notes.length] ?? '');
    lines.push(line);
    bytes += Buffer.byteLength(line) + 1;
  }
  return lines;
}

/** `make` gives what tells how many stretches it found in a line. */
function over(name: string, kind: Contender['kind'], make: () => (line: string) => number): Contender {
  return {
    name,
    kind,
    isolate: true,
    prepare: async ({ size }): Promise<Prepared> => {
      const lines = linesOf(size);
      const look = make();
      return {
        run: async () => {
          let found = 0;
          for (const line of lines) found += look(line);
          if (found === 0) throw new Error(`${name} found nothing`);
          return { units: size, extra: { found } };
        },
      };
    },
  };
}

const ours = (options: DetectOptions) => () => (line: string) => detectText(line, options).length;

/** What people write by hand: seven patterns, no checks. */
const PLAIN = [
  /[\w.+-]+@[\w-]+\.[\w.-]+/g,
  /https?:\/\/\S+/g,
  /\b\d{1,3}(?:\.\d{1,3}){3}\b/g,
  /\b(?:\d[ -]*?){13,16}\b/g,
  /\b\d{3}-\d{2}-\d{4}\b/g,
  /\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b/g,
  /(?:\+?\d{1,3}[ .-]?)?\(?\d{3}\)?[ .-]?\d{3}[ .-]?\d{4}/g,
];

const redactor = new RedactPii();

/** Only where it stands beside: it brings Google's cloud client, 145 packages of 57 MB, for what its synchronous half never calls. */
const CLOUD_BOUND = 'redact-pii';
const require = createRequire(import.meta.url);

type SyncRedactor = { redact(text: string): string };

async function cloudBoundAvailable(): Promise<true | string> {
  try {
    require.resolve(CLOUD_BOUND);
    return true;
  } catch {
    return 'left out: it brings Google’s cloud client, 145 packages of 57 MB; to measure it, npm install redact-pii@3.4.0 in a folder of its own and name its node_modules in NODE_PATH';
  }
}

/** Its synchronous half, as its manual begins: patterns, and lists of names and cues. */
function cloudBound(): (line: string) => number {
  // What its manual shows; it brings no types for this module system.
  const { SyncRedactor } = require(CLOUD_BOUND) as { readonly SyncRedactor: new () => SyncRedactor };
  const made = new SyncRedactor();
  return (line) => (made.redact(line) === line ? 0 : 1);
}

const SOURCE = 'issue 6, limits of discovery';

export const bench = defineBench({
  question: 'How many megabytes of notes and log lines a second on one core, beside what else there is for Node?',
  unit: 'MB',
  sizes: { small: 2, medium: 10, large: 50 },
  // Code that is compiled by how often it runs settles after some ten megabytes.
  warmups: 6,
  runs: 9,
  contenders: [
    over('structured kinds', 'ours', ours({ depth: 'structured' })),
    over('all kinds', 'ours', ours({})),
    over('plain regexes', 'rival', () => (line) => PLAIN.reduce((sum, pattern) => sum + (line.match(pattern)?.length ?? 0), 0)),
    // It gives the text back, not places: a line that changed counts as one.
    over('@redactpii/node', 'rival', () => (line) => (redactor.redact(line) === line ? 0 : 1)),
    { ...over('redact-pii', 'rival', cloudBound), available: cloudBoundAvailable, version: async () => '3.4.0' },
  ],
  limits: [
    { contender: 'structured kinds', measure: 'unitsPerSecond', relation: 'at-least', bound: 25, source: SOURCE },
    { contender: 'all kinds', measure: 'unitsPerSecond', relation: 'at-least', bound: 5, source: SOURCE },
    {
      contender: 'all kinds',
      measure: 'peakRssBytes',
      relation: 'at-most',
      bound: 200e6,
      scales: ['small', 'medium'],
      source: SOURCE,
    },
  ],
});
