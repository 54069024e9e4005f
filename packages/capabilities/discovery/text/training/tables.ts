import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const PAGE = join(import.meta.dirname, '../../../../../docs/detection-accuracy.md');
/** Not part of the project. */
const FOREIGN = join(import.meta.dirname, '../../../../../../shared/data/text/generated_small.json');

export async function readPage(): Promise<string> {
  return readFile(PAGE, 'utf8');
}

/** The tables of the page by their names, measured anew; without those whose data is not there. */
export async function measured({ alarms }: { readonly alarms: boolean }): Promise<ReadonlyMap<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-detection-'));
  try {
    const model = join(folder, 'held-back.bin');
    await run('train.ts', ['--held-back', '--out', model]);
    return new Map([
      ['held-back', await run('evaluate.ts', ['--model', model])],
      ['held-known', await run('evaluate.ts', ['--model', model, '--known'])],
      ...(existsSync(FOREIGN) ? [['foreign', await run('evaluate.ts', ['--file', FOREIGN])] as const] : []),
      ...(alarms ? [['alarms', await run('alarms.ts', [])] as const] : []),
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a program of this folder prints. */
async function run(program: string, options: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, program), ...options]);
  return stdout.trim();
}

const mark = (name: string, side: string): string => `<!-- measured ${name}: ${side} -->`;

/** The page with these tables in their places. */
export function withTables(page: string, tables: ReadonlyMap<string, string>): string {
  let written = page;
  for (const [name, table] of tables) {
    const [before, rest] = written.split(mark(name, 'begin'));
    const after = rest?.split(mark(name, 'end'))[1];
    if (before === undefined || after === undefined) throw new Error(`The page has no place for the table ${name}`);
    written = `${before}${mark(name, 'begin')}\n\n${table}\n\n${mark(name, 'end')}${after}`;
  }
  return written;
}
