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

/** What can be printed of a text that came from a database or a file: without escape sequences that steer a terminal. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\uFFFD');
}
