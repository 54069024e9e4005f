import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pino, type Logger } from 'pino';
import type { Clock } from '@safekeep/core';
import type { EventName, Fields } from './fields.ts';
import { levels, type Level } from './level.ts';
import { LogFile } from './log-file.ts';
import { Reduced, WITHHELD } from './reduce.ts';
import { isState } from './shape.ts';

/**
 * Writes one event. Never throws, never waits for a disk that is full.
 *
 * @example log.info('job-finished', { job: id, done: 1_000, durationMs: 412, state: 'done' });
 */
export type LogCall = <const Event extends string, const Given extends object = object>(
  event: Event & EventName<Event>,
  fields?: Given & Fields<Given>,
) => void;

/**
 * A log that cannot carry a value of a row: a value whose type is `string` is a type error, and what slips through a cast is
 * withheld when the line is written. States and events are kebab-case, 40 characters at most. Numbers and dates pass: that
 * `count` is no phone number is for the caller to know.
 */
export type Log = { readonly [Name in Level]: LogCall } & {
  /** The same log with these fields in every line: `log.child({ job: id })`. */
  readonly child: <const Given extends object>(fields: Given & Fields<Given>) => Log;
  /** Lines that could not be written so far, by this process. */
  readonly dropped: () => number;
};

export type OpenLog = Log & {
  /** Writes what is pending and closes the file. Lines after that are counted as dropped. */
  readonly close: () => void;
};

export type LogOptions = {
  /** `<home>/log`; made on the first line, mode 0700, its files 0600. */
  readonly directory: string;
  /** The mildest level that is written. */
  readonly level: Level;
  readonly clock: Clock;
  /** Which part of Safekeep this process is: `cli`, `api`, `worker`. */
  readonly component: string;
  readonly maxFileBytes?: number;
  /** Files kept, the one being written among them; at least 2. */
  readonly maxFiles?: number;
  /** `SAFEKEEP_TEST_LOG_DIR` in it: a folder that keeps every log of a test run after the homes of its tests are gone. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
};

// A quarter of a million lines or so in all; the oldest go first.
const MAX_FILE_BYTES = 10 * 1024 * 1024;
const MAX_FILES = 5;
const KEEP_VARIABLE = 'SAFEKEEP_TEST_LOG_DIR';

/** Opens the log of a home. Nothing is touched before the first line; a log that cannot be written never stops the work. */
export function openLog(options: LogOptions): OpenLog {
  const { directory, clock, component, level, maxFileBytes = MAX_FILE_BYTES, maxFiles = MAX_FILES } = options;
  assert.ok(isState(component), 'A component is a name in kebab-case.');
  assert.ok(maxFileBytes > 0 && maxFiles >= 2, 'At least two files: the one that was just full, and the one being written.');
  const keep = (options.environment ?? process.env)[KEEP_VARIABLE];
  const file = new LogFile({
    directory,
    clock,
    maxFileBytes,
    maxFiles,
    lossLine: (count, reason) => lineOf(options, (engine) => engine.warn({ event: 'log-lines-lost', count, reason })),
    keepAs: keep === undefined ? undefined : join(keep, component),
  });
  const engine = engineFor(options, (line) => file.append(line));
  const log = viewOf({ engine, file, lowest: levels.indexOf(level) }, new Reduced());
  return { ...log, close: () => file.close() };
}

type Core = { readonly engine: Logger; readonly file: LogFile; readonly lowest: number };

function viewOf(core: Core, bound: Reduced): Log {
  const callAt = (level: Level): LogCall =>
    levels.indexOf(level) < core.lowest ? ignore : (event: string, fields?: object) => write(core, level, { bound, event, fields });
  return {
    trace: callAt('trace'),
    debug: callAt('debug'),
    info: callAt('info'),
    warn: callAt('warn'),
    error: callAt('error'),
    fatal: callAt('fatal'),
    child: (fields: object) => viewOf(core, bound.with(fields)),
    dropped: () => core.file.dropped,
  };
}

function ignore(): void {
  // The level is not written.
}

type Entry = { readonly bound: Reduced; readonly event: string; readonly fields: object | undefined };

function write({ engine, file }: Core, level: Level, entry: Entry): void {
  try {
    engine[level](contentOf(entry));
  } catch {
    file.lose(1, 'unwritable');
  }
  // What comes next may be the end of the process.
  if (level === 'error' || level === 'fatal') file.flush();
}

function contentOf({ bound, event, fields }: Entry): object {
  const { values, withheld } = bound.with(fields, nameOf(event));
  if (withheld > 0) values['withheld'] = withheld;
  return values;
}

/** Unchecked callers may hand over anything. */
function nameOf(event: unknown): string {
  return typeof event === 'string' && isState(event) ? event : WITHHELD;
}

/** pino, given only what has been reduced to plain values; it makes the line, our file takes it. */
function engineFor({ clock, component }: Pick<LogOptions, 'clock' | 'component'>, take: (line: string) => void): Logger {
  return pino(
    {
      // Ours decides what is written: a call below the level never gets here.
      level: 'trace',
      base: { component, pid: process.pid },
      timestamp: () => `,"time":"${clock.now().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: take },
  );
}

function lineOf(options: LogOptions, log: (engine: Logger) => void): string {
  let made = '';
  log(engineFor(options, (text) => (made = text)));
  return made;
}
