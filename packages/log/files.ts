import { readdirSync } from 'node:fs';
import { join } from 'node:path';

// `safekeep.log` is the file being written, `safekeep.<n>.log` an earlier one; a higher number is younger. A number stays
// with its file for ever, so a reader never sees one content under two names.

const CURRENT = 'safekeep.log';
const ROTATED = /^safekeep\.(\d{1,15})\.log$/;

/** The file that every process of this home appends to. */
export function currentFile(directory: string): string {
  return join(directory, CURRENT);
}

export function rotatedFile(directory: string, number: number): string {
  return join(directory, `safekeep.${number}.log`);
}

/** The numbers of the rotated files, oldest first. */
export function rotatedNumbers(directory: string): readonly number[] {
  const numbers = readdirSync(directory).flatMap((name) => {
    const number = ROTATED.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
  return numbers.sort((a, b) => a - b);
}
