import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A rival's program. `folders` are looked into after PATH: Debian keeps PostgreSQL's servers out of it. */
export type Program = { readonly name: string; readonly debianPackage: string; readonly folders?: readonly string[] };

/** For a contender's `available`: `true`, or the sentence that tells how to get it. */
export async function programAvailable(program: Program): Promise<true | string> {
  if ((await findProgram(program)) !== undefined) return true;
  return `${program.name} is not installed (Debian: apt-get install ${program.debianPackage})`;
}

/** Absolute path, or `undefined` when it is not installed. */
export async function findProgram({ name, folders = [] }: Program): Promise<string | undefined> {
  const paths = [...(process.env['PATH'] ?? '').split(delimiter), ...folders].map((folder) => join(folder, name));
  for (const path of paths) if (await isRunnable(path)) return path;
  return undefined;
}

/** First line of what `program argument` prints: most answer to `--version`. */
export async function programVersion(program: Program, argument = '--version'): Promise<string> {
  const path = await findProgram(program);
  if (path === undefined) throw new Error(`${program.name} was asked for its version before it was found.`);
  const { stdout, stderr } = await execute(path, [argument]);
  return (stdout || stderr).trim().split('\n')[0] ?? '';
}

async function isRunnable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    // Whatever the reason, we could not run it: the answer, not a failure.
    return false;
  }
}
