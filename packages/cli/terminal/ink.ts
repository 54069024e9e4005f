import { stripVTControlCharacters, styleText } from 'node:util';
import type { Ink } from '@safekeep/capabilities/capability';

const plain = (text: string): string => text;

/** Colours only where a person sees them: a terminal, and neither NO_COLOR (no-color.org) nor TERM=dumb. */
export function inkFor(stream: NodeJS.WriteStream, environment: NodeJS.ProcessEnv): Ink {
  const coloured = stream.isTTY && environment['NO_COLOR'] === undefined && environment['TERM'] !== 'dumb';
  if (!coloured) return { good: plain, bad: plain, warn: plain, dim: plain, strong: plain };
  // The stream was checked above; styleText would check it again against other rules.
  const style = (format: Parameters<typeof styleText>[0]) => (text: string) => styleText(format, text, { validateStream: false });
  return { good: style('green'), bad: style('red'), warn: style('yellow'), dim: style('dim'), strong: style('bold') };
}

/**
 * A result as a terminal may be given it: the names and texts in it come from databases and files, and an escape sequence in
 * one of them must not steer the reader's terminal. The shape stays the same; only texts are changed, into texts.
 */
export function printable(value: unknown): unknown {
  if (typeof value === 'string') return harmless(value);
  if (Array.isArray(value)) return value.map(printable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [harmless(key), printable(item)]));
}

function harmless(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\uFFFD');
}
