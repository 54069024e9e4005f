import { fold } from '../kinds/fold.ts';
import { findPersonal, type DetectOptions } from './detect.ts';
import type { Entity } from './model.ts';

/** Names are remembered up to here; later new ones share one mark, so that memory stays what it is. */
const MOST_NAMES = 200_000;

/** Kinds whose shape says nothing of the person and helps the reader: a mask keeps it. The others get a mark. */
const MARKED = new Set([
  'PERSON',
  'LOCATION',
  'ORGANIZATION',
  'URL',
  'TITLE',
  'NRP',
  'SECRET',
  'API_KEY',
  'JWT',
  'PASSWORD_HASH',
  'PRIVATE_KEY',
  'CARD_TRACK',
  'PASSPORT_MRZ',
]);
const SHAPED = /^[\p{N}\p{L}\p{P}\p{S}\p{Zs}]+$/u;

/**
 * Replaces what was found. One redactor serves a set of documents: the same name gets the same mark in all of them, and so does
 * a part of a name seen whole before. Marks are numbers in order of appearance and cannot be turned back.
 */
export class Redactor {
  readonly #marks = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  redact(text: string, entities: readonly Entity[]): string {
    const parts: string[] = [];
    let from = 0;
    for (const { type, start, end } of entities.toSorted((a, b) => a.start - b.start)) {
      if (start < from) continue;
      parts.push(text.slice(from, start), this.#replacement(type, text.slice(start, end)));
      from = end;
    }
    return parts.join('') + text.slice(from);
  }

  #replacement(type: string, value: string): string {
    if (type === 'CREDIT_CARD') return maskCard(value);
    if (MARKED.has(type) || !SHAPED.test(value) || !/\p{N}|@/u.test(value)) return this.#mark(type, value);
    return value.replace(/\p{N}|\p{L}/gu, (letter) => (/\p{N}/u.test(letter) ? '#' : /\p{Lu}/u.test(letter) ? 'X' : 'x'));
  }

  #mark(type: string, value: string): string {
    const words = fold(value)
      .split(/[^\p{L}\p{N}]+/u)
      .filter((word) => word.length > 0);
    const key = `${type} ${words.join(' ')}`;
    const known = this.#marks.get(key);
    if (known !== undefined) return known;
    if (this.#marks.size >= MOST_NAMES) return `[${type}]`;
    const number = (this.#counts.get(type) ?? 0) + 1;
    this.#counts.set(type, number);
    const mark = `[${type}_${number}]`;
    this.#marks.set(key, mark);
    // "Roe" later on is the Jane Roe of before; of two Roes it is the first.
    if (type === 'PERSON' && words.length > 1)
      for (const word of words)
        if (word.length > 1 && !this.#marks.has(`${type} ${word}`)) this.#marks.set(`${type} ${word}`, mark);
    return mark;
  }
}

/** PCI DSS 4.0.1, requirement 3.4.1: at most the first six and the last four may be shown; the last four are. */
function maskCard(value: string): string {
  const digits = value.replace(/\P{N}/gu, '').length;
  let seen = 0;
  return value.replace(/\p{N}/gu, (digit) => {
    seen += 1;
    return seen > digits - 4 ? digit : '#';
  });
}

export function redactText(
  text: string,
  options: DetectOptions & { readonly redactor?: Redactor } = {},
): { readonly redacted: string; readonly entities: readonly Entity[] } {
  const { redactor = new Redactor(), ...detect } = options;
  const { entities, left } = findPersonal(text, detect);
  return { redacted: redactor.redact(text, [...entities, ...left]), entities };
}
