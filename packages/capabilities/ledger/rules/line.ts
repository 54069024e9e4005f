import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import Schema from 'typebox/schema';
import { LineContent, type Head, type Line } from '../model.ts';
import { tagOf, type LedgerKey } from './mark.ts';

/** Before the first line. */
export const BEGINNING: Head = { sequence: 0, sha256: '0'.repeat(64) };

/** Of one line with its end: entries are bounded well below, so a longer line is none of ours. */
export const LINE_BYTES_AT_MOST = 65_536;

const HASH_FIELD = ',"sha256":"';
const TAG_FIELD = '","tag":"';
const LINE_END = '"}';
const HASH_CHARS = 64;

/** The next line after `head`, without its LF. Throws a plain error for an entry that does not fit the model: a bug, or a personal value. */
export function writeLine(
  entry: LineContent,
  { head, key }: { readonly head: Head; readonly key: LedgerKey },
): { readonly text: string; readonly head: Head } {
  // Not what is wrong with it: that would repeat it.
  const fits: boolean = Schema.Check(LineContent, entry);
  if (!fits) throw new Error(`A ${entry.kind} that does not fit the ledger was to be written`);
  const sequence = head.sequence + 1;
  const hashed = canonicalize({ entry, previous: head.sha256, sequence });
  if (hashed === undefined) throw new Error('An entry must be plain JSON');
  const sha256 = hashOf(hashed);
  // `sha256` and `tag` are the last of the five names in the order of RFC 8785, so the line stays canonical.
  const text = `${hashed.slice(0, -1)}${HASH_FIELD}${sha256}${TAG_FIELD}${tagOf(key, sha256)}${LINE_END}`;
  if (Buffer.byteLength(text) >= LINE_BYTES_AT_MOST) throw new Error('An entry is too long for the ledger');
  return { text, head: { sequence, sha256 } };
}

export type LineFault = { readonly fault: 'line-broken' | 'hash-wrong' };

/** A line as it was written, or what is wrong with it by itself. Whether it follows the one before is asked elsewhere. */
export function readLine(text: string): Line | LineFault {
  const tagAt = text.length - LINE_END.length - HASH_CHARS - TAG_FIELD.length;
  const at = tagAt - HASH_CHARS - HASH_FIELD.length;
  if (at <= 0 || !text.startsWith(HASH_FIELD, at) || !text.startsWith(TAG_FIELD, tagAt) || !text.endsWith(LINE_END))
    return { fault: 'line-broken' };
  const hashed = `${text.slice(0, at)}}`;
  if (hashOf(hashed) !== text.slice(tagAt - HASH_CHARS, tagAt)) return { fault: 'hash-wrong' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: 'line-broken' };
  }
  // What has a right hash and another form was written by somebody else.
  return isLine(value) && canonicalize(value) === text ? value : { fault: 'line-broken' };
}

/** Whether whoever wrote the line had the ledger's key: a chain alone can be made anew by anybody. */
export function isTagged({ sha256, tag }: Line, key: LedgerKey): boolean {
  return tag === tagOf(key, sha256);
}

export function follows(line: Line, head: Head): boolean {
  return line.sequence === head.sequence + 1 && line.previous === head.sha256;
}

function isLine(value: unknown): value is Line {
  return (
    typeof value === 'object' &&
    value !== null &&
    'entry' in value &&
    'sequence' in value &&
    Number.isSafeInteger(value.sequence) &&
    Schema.Check(LineContent, value.entry)
  );
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
