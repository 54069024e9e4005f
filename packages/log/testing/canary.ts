import { Buffer } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** A value that stands nowhere but where a test planted it: wherever else it turns up, it leaked. */
export type Canary = { readonly kind: string; readonly value: string };

/**
 * The canaries of the test suite: one person who does not exist, and keys that open nothing. Plant them in rows, parameters,
 * errors and settings; after the run `assertNoCanaries` looks for them in every log. Each is unlikely enough that it stands in
 * no log by chance: numbers are of ranges that are never given out.
 */
export const CANARIES = [
  { kind: 'name', value: 'Wilhelmina Quistgaard-Okonkwo' },
  { kind: 'surname', value: 'Quistgaard' },
  { kind: 'email', value: 'wilhelmina.q@canary.example' },
  { kind: 'phone', value: '+1 555 0107 391' },
  { kind: 'ssn', value: '987-65-4320' },
  { kind: 'card', value: '4539 6203 1187 4074' },
  { kind: 'iban', value: 'GB79ZZZZ70519066331872' },
  { kind: 'birth', value: '1887-03-17' },
  { kind: 'address', value: '17 Petrichor Crescent, Zennor' },
  { kind: 'note', value: 'confided a fear of lighthouses since the flood' },
  { kind: 'password', value: 'tremolo-Vexing-91-quartz!' },
  { kind: 'key', value: '7d3f0a91c2b84e65d7f81b2c90ae34516f7788990a1b2c3d4e5f60718293a4b5' },
] as const satisfies readonly Canary[];

/** Where a canary stands: only its kind is named, so that the report of a leak is none itself. */
export type Finding = { readonly file: string; readonly line: number; readonly canary: string };

const CHUNK_BYTES = 256 * 1024;
/** Beyond this many the log is a flood; the first ones show the way. */
const FINDINGS = 100;
const LINE_END = 0x0a;

/** Looks for canaries, as they are and in the usual encodings, in every file below these folders. In constant memory. */
export async function findCanaries(directories: readonly string[], canaries: readonly Canary[] = CANARIES): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const file of await filesBelow(directories)) {
    findings.push(...(await findInFile(file, formsOf(canaries))));
    if (findings.length >= FINDINGS) return findings.slice(0, FINDINGS);
  }
  return findings;
}

/**
 * Passes when no file below these folders holds a canary, and says how many it looked through.
 *
 * @throws an error that names file, line and kind of each; and where a folder is missing or cannot be read, since what was not
 *   looked at is not clean.
 */
export async function assertNoCanaries(directories: readonly string[]): Promise<{ readonly files: number }> {
  const findings = await findCanaries(directories);
  if (findings.length > 0) {
    const places = findings.map(({ file, line, canary }) => `  ${file}:${line} holds the planted ${canary}`);
    throw new Error(`Personal data or keys stand in the logs:\n${places.join('\n')}`);
  }
  return { files: (await filesBelow(directories)).length };
}

async function filesBelow(directories: readonly string[]): Promise<readonly string[]> {
  const files: string[] = [];
  for (const directory of directories) {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    files.push(...entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)));
  }
  return files;
}

type Form = { readonly kind: string; readonly bytes: Buffer };

/** As it is, in JSON, in a URL, in hex (bytea) and in base64. */
function formsOf(canaries: readonly Canary[]): readonly Form[] {
  return canaries.flatMap(({ kind, value }) => {
    const bytes = Buffer.from(value, 'utf8');
    const hex = bytes.toString('hex');
    // Padding and the last digit depend on what follows.
    const base64 = bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64');
    const texts = [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value), hex, hex.toUpperCase(), base64];
    return [...new Set(texts)].map((text) => ({ kind, bytes: Buffer.from(text, 'utf8') }));
  });
}

async function findInFile(file: string, forms: readonly Form[]): Promise<Finding[]> {
  const overlap = Math.max(...forms.map(({ bytes }) => bytes.length)) - 1;
  const findings = new Map<string, Finding>();
  let line = 1;
  let tail = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES })) {
    // `as`: a stream without an encoding gives buffers.
    const window = Buffer.concat([tail, chunk as Buffer]);
    for (const { kind, bytes } of forms) {
      for (let at = window.indexOf(bytes); at !== -1 && findings.size < FINDINGS; at = window.indexOf(bytes, at + 1)) {
        const finding = { file, line: line + countLines(window, at), canary: kind };
        findings.set(`${kind} ${finding.line}`, finding);
      }
    }
    const kept = Math.max(0, window.length - overlap);
    line += countLines(window, kept);
    tail = Buffer.from(window.subarray(kept));
  }
  return [...findings.values()].sort((a, b) => a.line - b.line);
}

/** Line ends before this place. */
function countLines(bytes: Buffer, before: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(LINE_END); at !== -1 && at < before; at = bytes.indexOf(LINE_END, at + 1)) lines += 1;
  return lines;
}
