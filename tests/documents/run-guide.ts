import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Guide, Step } from './read-guide.ts';

const ROOT = join(import.meta.dirname, '..', '..');

// Longer than any command of a guide on a busy machine; `encrypt finish` alone waits a minute for clients.
const LIMIT_MS = 240_000;

type Place = { readonly folder: string; readonly databaseUrl: string; readonly signal: AbortSignal };
type Typed = { readonly code: number; readonly printed: string };

/**
 * Types a guide, command by command, in `folder` and against that database, as a person would who agrees to everything. Returns what was not
 * as the guide says.
 */
export async function runGuide({ stage, steps }: Guide, place: Place): Promise<readonly string[]> {
  await prepare(place, stage);
  const meanings: [text: string, value: string][] = [];
  const faults: string[] = [];
  let printed = '';
  for (const step of steps) {
    if (step.kind === 'file') await writeFile(join(place.folder, step.name), step.text);
    else if (step.kind === 'stands-for') meanings.push([step.text, step.value]);
    else if (step.needs.every(isInstalled)) {
      const typed = await type(place, meant(step.text, meanings, printed));
      printed += typed.printed;
      if (typed.code === step.exits) continue;
      faults.push(`${placeOf(step)} \`${step.text}\` ended with ${typed.code}, not ${step.exits}:\n${typed.printed.slice(-2_000)}`);
      // What comes after stands on it.
      return faults;
    }
  }
  return faults;
}

function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}

function placeOf({ line }: Step & { kind: 'command' }): string {
  return line === 0 ? 'beforehand' : `line ${line}`;
}

function meant(text: string, meanings: readonly [string, string][], printed: string): string {
  return meanings.reduce((command, [placeholder, value]) => {
    if (!command.includes(placeholder)) return command;
    const pattern = /^\/(.+)\/$/.exec(value)?.[1];
    if (pattern === undefined) return command.replaceAll(placeholder, () => value);
    const found = [...printed.matchAll(new RegExp(pattern, 'g'))].at(-1);
    if (found === null || found === undefined)
      throw new Error(`Nothing printed so far is /${pattern}/, which ${placeholder} stands for`);
    return command.replaceAll(placeholder, () => found[1] ?? found[0]);
  }, text);
}

/** The folder with what the stage has, and the programs that a guide names. */
async function prepare({ folder, databaseUrl }: Place, stage: string | undefined): Promise<void> {
  const programs = join(folder, 'programs');
  await mkdir(programs);
  const program = async (name: string, text: string): Promise<void> => {
    await writeFile(join(programs, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(programs, name), 0o755);
  };
  // `npx safekeep` is the program of this checkout, with somebody at the terminal who says yes.
  await program('npx', `shift; exec '${process.execPath}' '${join(ROOT, 'packages', 'cli', 'bin', 'safekeep.mjs')}' --yes "$@"`);
  await program('psql', `exec '${process.execPath}' '${join(import.meta.dirname, 'psql.ts')}' "$@"`);
  await program('sqlite3', `exec '${process.execPath}' '${join(import.meta.dirname, 'sqlite3.ts')}' "$@"`);
  await writeFile(join(programs, 'variables'), `export SAFEKEEP_DATABASE_URL='${databaseUrl}'\n`);
  if (stage !== undefined) await cp(join(ROOT, stage), folder, { recursive: true });
}

/** One command in a shell of its own, which begins with the variables that the one before ended with. */
async function type({ folder, signal }: Place, command: string): Promise<Typed> {
  const state = join(folder, 'programs', 'variables');
  const script = `. '${state}'\n${command}\ncode=$?\nexport -p > '${state}'\nexit $code`;
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('SAFEKEEP_') || name === 'SAFEKEEP_TEST_LOG_DIR');
  const child = spawn('sh', ['-c', script], {
    cwd: folder,
    env: {
      ...Object.fromEntries(own),
      PATH: `${join(folder, 'programs')}:${process.env['PATH'] ?? ''}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]),
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  const code = await new Promise<number>((done, failed) => {
    child.once('error', failed);
    child.once('close', (ended) => done(ended ?? -1));
  });
  return { code, printed };
}
