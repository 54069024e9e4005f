import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { CommanderError, type Command as Commander } from 'commander';
import {
  codeOf,
  isSafekeepError,
  newId,
  readConfiguration,
  SafekeepError,
  sqlStateOf,
  type ExitCode,
  type Id,
} from '@safekeep/core';
import type { Command, Outcome } from '@safekeep/capabilities/capability';
import { catalogName } from '@safekeep/log';
import { operationFailure } from '@safekeep/postgres';
import { inkFor, printable } from '../terminal/ink.ts';
import { buildProgram, type Typed } from './build.ts';
import { openContext } from './context.ts';

const ENV_FILE = 'safekeep.env';
// What the shell reports for a program ended by SIGINT: 128 + 2.
const INTERRUPTED = 130;
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const SAME_PRESS_MS = 1_000;

/** Runs one command line. Returns the exit code: 0 done, 1 the thing asked about is not so, else that of the refusal. */
export async function run(args: readonly string[], commands: readonly Command[], version: string): Promise<number> {
  const json = args.includes('--json');
  try {
    const typed = parse(args, commands, version);
    return typed === undefined ? 0 : await execute(typed);
  } catch (error) {
    return fail(error, json);
  }
}

function parse(args: readonly string[], commands: readonly Command[], version: string): Typed | undefined {
  let typed: Typed | undefined;
  const program = buildProgram(commands, version, (found) => {
    typed = found;
  });
  // Commander writes its own complaints; ours come through one door, as text or as JSON.
  const quiet = { writeErr: () => undefined };
  program.configureOutput(quiet);
  for (const child of withDescendants(program)) child.configureOutput(quiet);
  try {
    program.parse(args.length === 0 ? ['--help'] : [...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // --help and --version end as "errors" with exit code 0.
    if (error.exitCode === 0) return undefined;
    throw new SafekeepError('usage', { problem: problemOf(error, program, args) }, { cause: error });
  }
  return typed;
}

function problemOf(error: CommanderError, program: Commander, args: readonly string[]): string {
  if (error.code !== 'commander.help') return error.message.replace(/^error: /, '');
  const group = args.reduce((at, word) => at.commands.find((each) => each.name() === word) ?? at, program);
  return `This is a group of commands; name one of them: ${group.commands.map((each) => each.name()).join(', ')}.`;
}

async function execute({ command, input, settings, json, yes }: Typed): Promise<number> {
  const configuration = readConfiguration({
    flags: settings,
    environment: process.env,
    file: readEnvFile(),
    readFile: (path) => readFileSync(path, 'utf8'),
  });
  const interruption = interruptible(command.name);
  const request = newId<'request'>();
  const opened = openContext({ command: command.name, request, configuration, json, yes, signal: interruption.signal });
  const { log } = opened.context;
  const name = catalogName(command.name);
  const startedMs = performance.now();
  try {
    // The input was checked against this very command's schema.
    const outcome = await command.run(opened.context, input as never);
    if (opened.hasHome())
      log.info('command-ended', { command: name, ok: outcome.ok !== false, durationMs: performance.now() - startedMs });
    if (outcome.streamed !== true) print(command, outcome, input, json);
    return outcome.ok === false ? 1 : 0;
  } catch (error) {
    const durationMs = performance.now() - startedMs;
    if (interruption.signal.aborted) {
      if (opened.hasHome()) log.warn('command-interrupted', { command: name, durationMs });
      // The command may know better than we what stands and what it took back.
      return fail(isSafekeepError(error, 'interrupted') ? error : interruption.signal.reason, json);
    }
    const failure = operationFailure(error, command.name);
    if (opened.hasHome()) log.error('command-failed', { command: name, durationMs, error: failure });
    return fail(isSafekeepError(failure) ? failure : internal(failure, request), json);
  } finally {
    try {
      await opened.close();
    } finally {
      interruption.ignore();
    }
  }
}

/**
 * Ctrl-C and SIGTERM ask the command to stop at its next safe place. A terminal and a parent may both pass the same press on,
 * so more of them within a moment count as one; after it they end the process as it stands.
 */
function interruptible(name: string): { readonly signal: AbortSignal; readonly ignore: () => void } {
  const controller = new AbortController();
  let firstMs: number | undefined;
  const interrupt = (): void => {
    const nowMs = performance.now();
    if (firstMs !== undefined && nowMs - firstMs > SAME_PRESS_MS) process.exit(INTERRUPTED);
    firstMs ??= nowMs;
    controller.abort(new SafekeepError('interrupted', { action: name, kept: 'What was done before stands.' }));
  };
  for (const ending of ENDING) process.on(ending, interrupt);
  return { signal: controller.signal, ignore: () => ENDING.forEach((ending) => void process.off(ending, interrupt)) };
}

function print(command: Command, { result }: Outcome<unknown>, input: unknown, json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
  // The renderer belongs to the same command as the result.
  else process.stdout.write(ended(command.render(printable(result) as never, inkFor(process.stdout, process.env), input as never)));
}

function fail(error: unknown, json: boolean): ExitCode {
  const known = isSafekeepError(error) ? error : internal(error, newId<'request'>());
  if (json) process.stdout.write(`${JSON.stringify({ error: known.report() }, undefined, 2)}\n`);
  const ink = inkFor(process.stderr, process.env);
  process.stderr.write(`${ink.bad('error')} ${known.code}: ${known.message}\n${ink.dim('  what to do:')} ${known.remedy}\n`);
  return known.exit;
}

function internal(error: unknown, request: Id<'request'>): SafekeepError {
  const summary = summaryOf(error);
  if (process.env['SAFEKEEP_LOG_LEVEL'] === 'debug' && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
  return new SafekeepError('internal', { request, summary }, { cause: error });
}

/** Of what a server says no more than its SQLSTATE: a message may quote values of a row. */
function summaryOf(error: unknown): string {
  const state = sqlStateOf(error);
  if (state !== undefined) return `the server said ${state}`;
  return error instanceof Error ? `${error.name}: ${error.message.split('\n')[0] ?? ''}` : 'an unknown failure';
}

function readEnvFile(): Readonly<Record<string, string | undefined>> {
  let text: string;
  try {
    text = readFileSync(ENV_FILE, 'utf8');
  } catch (cause) {
    const reason = codeOf(cause) ?? 'unknown';
    // The file is optional; `safekeep init` writes one. But one that cannot be read may name the database that is meant.
    if (reason === 'ENOENT') return {};
    throw new SafekeepError('file-unreadable', { path: ENV_FILE, reason }, { cause });
  }
  return parseEnv(text);
}

function ended(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

function withDescendants(program: ReturnType<typeof buildProgram>): readonly ReturnType<typeof buildProgram>[] {
  return program.commands.flatMap((child) => [child, ...withDescendants(child)]);
}
