// A text that fits a format: the simplest that a regular expression of a CHECK takes. Knows what formats are written with
// (literals, classes, \d and \w, dots, counts, groups with alternatives); for anything else there is no sample, and the server decides in any case.

/** `^[A-Z]{2}[0-9]{2}$` gives `AA00`. Undefined where the pattern uses what is not known here. */
export function sampleOfPattern(pattern: string): string | undefined {
  const reader = { text: pattern.replace(/^\^/, '').replace(/(?<!\\)\$$/, ''), at: 0 };
  const sample = alternatives(reader, 0);
  return reader.at === reader.text.length ? sample : undefined;
}

type Reader = { readonly text: string; at: number };

const DEPTH_AT_MOST = 8;
/** Longer than any format that a person writes. */
const LENGTH_AT_MOST = 200;

function alternatives(reader: Reader, depth: number): string | undefined {
  if (depth > DEPTH_AT_MOST) return undefined;
  const first = sequence(reader, depth);
  // The first one is taken; the others only have to be passed.
  while (reader.text[reader.at] === '|') {
    reader.at += 1;
    if (sequence(reader, depth) === undefined) return undefined;
  }
  return first;
}

function sequence(reader: Reader, depth: number): string | undefined {
  let made = '';
  while (reader.at < reader.text.length && reader.text[reader.at] !== '|' && reader.text[reader.at] !== ')') {
    const part = atom(reader, depth);
    if (part === undefined) return undefined;
    made += part.repeat(count(reader));
    if (made.length > LENGTH_AT_MOST) return undefined;
  }
  return made;
}

function atom(reader: Reader, depth: number): string | undefined {
  const sign = reader.text[reader.at] ?? '';
  reader.at += 1;
  if (sign === '(') {
    if (reader.text.startsWith('?:', reader.at)) reader.at += 2;
    const inner = alternatives(reader, depth + 1);
    reader.at += 1;
    return reader.text[reader.at - 1] === ')' ? inner : undefined;
  }
  if (sign === '[') return fromClass(reader);
  if (sign === '\\') return escaped(reader);
  if (sign === '.') return 'x';
  return '*+?{}^$)'.includes(sign) ? undefined : sign;
}

function escaped(reader: Reader): string | undefined {
  const sign = reader.text[reader.at] ?? '';
  reader.at += 1;
  if (sign === 'd') return '0';
  if (sign === 'w') return 'x';
  if (sign === 's') return ' ';
  return /[A-Za-z0-9]/.test(sign) ? undefined : sign;
}

/** What is preferred among the members of a class: it says nothing about anybody. */
const PREFERRED = ['0', 'x', 'X', 'A', 'a', '1', '-', ' ', '_'];

function fromClass(reader: Reader): string | undefined {
  const end = reader.text.indexOf(']', reader.at + (reader.text[reader.at] === ']' ? 1 : 0));
  if (end === -1) return undefined;
  const source = reader.text.slice(reader.at, end);
  if (source.includes('[:')) return undefined;
  reader.at = end + 1;
  try {
    const members = new RegExp(`^[${source}]$`, 'u');
    const found = PREFERRED.find((each) => members.test(each));
    return found ?? [...source].find((each) => each !== '^' && members.test(each));
  } catch {
    // PostgreSQL's classes are not all JavaScript's.
    return undefined;
  }
}

function count(reader: Reader): number {
  const sign = reader.text[reader.at];
  if (sign === '?' || sign === '*' || sign === '+') {
    reader.at += 1;
    return sign === '+' ? 1 : 0;
  }
  const [whole, least] = /^\{(\d+)(?:,\d*)?\}/.exec(reader.text.slice(reader.at)) ?? [];
  if (whole === undefined) return 1;
  reader.at += whole.length;
  return Number(least);
}
