import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { catalogue, isSafekeepError, type ErrorCode } from '@safekeep/core';
import { isClass, isSqlState, isState, isSystemCode } from './shape.ts';

/** What a line says of an error. Its message is not among it: PostgreSQL quotes rows in message, detail and context. */
export type ReducedError = {
  /** The name of its class; the kind of value where something else than an error was thrown. */
  readonly class: string;
  /** The code of a refusal of ours, a SQLSTATE, or a system code. */
  readonly code?: string;
  /** The catalogue's text of a refusal of ours, its blanks left open: what fills them may quote anything. */
  readonly text?: string;
  /** Where in our own files, innermost first: `postgres/connect/open.ts:41:9`. */
  readonly at?: readonly string[];
  readonly cause?: ReducedError;
};

const CAUSES = 5;
const FRAMES = 10;
const FRAME = /^ {4}at (?:[^()]+ \()?((?:file:\/\/)?\/?[^()]+):(\d{1,6}):(\d{1,6})\)?$/;
const FILE = /^[a-z0-9./-]{1,120}\.(?:ts|js|mjs)$/;

// The packages stand side by side, in a checkout and as installed; the program itself has no scope.
const packages = dirname(import.meta.dirname);
const ROOTS = [packages, join(dirname(packages), 'safekeep')].map((folder) => `${folder}${sep}`);

/** Reads code, class and our own places from whatever was thrown. An error that resists being read is only named. */
export function reduceError(error: unknown, causesLeft = CAUSES): ReducedError {
  try {
    return error instanceof Error ? reduce(error, causesLeft) : { class: typeof error };
  } catch {
    return { class: 'unreadable' };
  }
}

function reduce(error: Error, causesLeft: number): ReducedError {
  const code = codeOf(error);
  const at = placesIn(error);
  const { cause } = error;
  return {
    class: classOf(error),
    ...(code === undefined ? {} : { code }),
    ...(isSafekeepError(error) && isOurs(code) ? { text: catalogue[code].text } : {}),
    ...(at.length === 0 ? {} : { at }),
    ...(cause === undefined || causesLeft === 0 ? {} : { cause: reduceError(cause, causesLeft - 1) }),
  };
}

/** By the class itself; `error.name` is a property that anybody may set. */
function classOf(error: Error): string {
  const { name } = error.constructor;
  return typeof name === 'string' && isClass(name) ? name : 'Error';
}

function codeOf(error: Error): string | undefined {
  const code: unknown = 'code' in error ? error.code : undefined;
  if (typeof code !== 'string') return undefined;
  return isOurs(code) || isSqlState(code) || isSystemCode(code) ? code : undefined;
}

function isOurs(code: string | undefined): code is ErrorCode {
  return code !== undefined && isState(code) && Object.hasOwn(catalogue, code);
}

/** The stack starts with the message, which may hold lines that look like frames: everything up to its end is cut off first. */
function placesIn({ stack, message }: Error): readonly string[] {
  const start = typeof stack === 'string' && typeof message === 'string' ? stack.indexOf(message) : -1;
  if (stack === undefined || start === -1) return [];
  const places = stack
    .slice(start + message.length)
    .split('\n')
    .map(placeOf);
  return places.filter((place) => place !== undefined).slice(0, FRAMES);
}

/** A place in a file of ours, relative to the packages; functions are not named, a computed name could hold a value. */
function placeOf(frame: string): string | undefined {
  const [, location, line, column] = FRAME.exec(frame) ?? [];
  if (location === undefined) return undefined;
  const path = location.startsWith('file://') ? fileURLToPath(location) : location;
  const root = ROOTS.find((folder) => path.startsWith(folder));
  const file = root === undefined ? '' : path.slice(root.length).split(sep).join('/');
  return FILE.test(file) ? `${file}:${line}:${column}` : undefined;
}
