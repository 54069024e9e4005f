import { join } from 'node:path';
import type { Static } from 'typebox';
import type { LogLine } from '@safekeep/log';
import { command, type Ink } from '../capability.ts';
import { followLog, tailLog } from './actions/tail.ts';
import { TailInput, TailResult } from './model.ts';
import { parseSince, type Filter } from './rules.ts';

const COMPONENT_CELLS = 6;
const LEVEL_CELLS = 5;
/** What stands in a line of the log as it is; anything else is shown in JSON, so that no control character reaches a terminal. */
const SIMPLE = /^[\w./:[\] -]+$/;

const plain = (text: string): string => text;
const PLAIN_INK: Ink = { good: plain, bad: plain, warn: plain, dim: plain, strong: plain };

export const tail = command({
  name: 'logs tail',
  summary: 'show the last lines of the log, filtered by id, event, level and time',
  input: TailInput,
  output: TailResult,
  example: 'safekeep logs tail --level warn --since 2h --follow',
  run: async (context, input) => {
    const directory = join(context.home, 'log');
    const filter = filterOf(input, context.clock.now());
    if (input.follow !== true) return { result: await tailLog(directory, filter, input.lines) };
    const onLines = async (lines: readonly LogLine[]): Promise<void> => {
      for (const line of lines) await context.stream(context.json ? line : renderLine(line, PLAIN_INK));
    };
    const { malformed } = await followLog(directory, { filter, count: input.lines }, { signal: context.signal, onLines });
    return { result: { lines: [], malformed }, streamed: true };
  },
  render: ({ lines, malformed }, ink) => {
    const shown = lines.map((line) => renderLine(line, ink));
    if (malformed > 0) shown.push(ink.dim(`${malformed} line(s) of the files could not be read.`));
    return shown.join('\n');
  },
});

function filterOf({ id, kind, level, component, since }: Static<typeof TailInput>, now: Date): Filter {
  return {
    ...(id === undefined ? {} : { id }),
    ...(kind === undefined ? {} : { kind }),
    ...(level === undefined ? {} : { level }),
    ...(component === undefined ? {} : { component }),
    ...(since === undefined ? {} : { since: parseSince(since, now) }),
  };
}

/** `2026-03-01T10:00:00.000Z info  worker job-finished done=12 durationMs=41.5` */
export function renderLine({ time, level, event, component, pid, ...fields }: LogLine, ink: Ink): string {
  const colour = { trace: ink.dim, debug: ink.dim, info: plain, warn: ink.warn, error: ink.bad, fatal: ink.bad }[level];
  const told = Object.entries(fields).map(([name, value]) => `${show(name)}=${show(value)}`);
  const head = [
    ink.dim(show(time)),
    colour(level.padEnd(LEVEL_CELLS)),
    show(component).padEnd(COMPONENT_CELLS),
    ink.strong(show(event)),
  ];
  return [...head, ...told, ink.dim(`pid=${pid}`)].join(' ');
}

function show(value: unknown): string {
  return typeof value === 'string' && SIMPLE.test(value) ? value : JSON.stringify(value);
}
