import { SafekeepError } from '@safekeep/core';

/** One text with the id that it is told by: its own, or its number from 1. */
export type Item = { readonly id: string | number; readonly text: string };

/** A longer item is refused: it must fit into memory a few times over. In UTF-16 units. */
const LONGEST_ITEM = 128 * 1024 * 1024;
/** Bytes that are no UTF-8 become U+FFFD, which no pattern takes for a letter; offsets count it as one. */
const DECODER = { fatal: false, ignoreBOM: false } as const;

/**
 * Reads texts one after the other: a JSON string or an object with `text` or `full_text` (and perhaps `id`) a line, a JSON array
 * of these, or plain text line by line. Memory holds one item and one chunk.
 *
 * @throws `text-malformed`, `text-too-long`.
 */
export async function* readItems(source: AsyncIterable<Buffer>): AsyncGenerator<Item> {
  const decoder = new TextDecoder('utf-8', DECODER);
  const chunks = source[Symbol.asyncIterator]();
  const more = async (): Promise<string | undefined> => {
    const next = await chunks.next();
    if (next.done !== true) return decoder.decode(next.value, { stream: true });
    const rest = decoder.decode();
    return rest.length > 0 ? rest : undefined;
  };
  let head = '';
  for (let part = await more(); part !== undefined; part = await more()) {
    head += part;
    // Looked at again with each chunk, so it ends whatever comes: a file that begins with so many blanks is plain text.
    if (head.length >= SNIFFED || (/\S/.test(head) && head.includes('\n'))) break;
  }
  const form = formOf(head);
  yield* form === 'array' ? arrayItems(head, more) : lineItems(head, more, form === 'ndjson');
}

/** So much is looked at, at most but for the last chunk, to tell what form a file has. */
const SNIFFED = 4_096;

function formOf(head: string): 'array' | 'ndjson' | 'plain' {
  const trimmed = head.trimStart();
  // A line of a log may begin with a bracket: [INFO], [2026-01-01].
  if (/^\[\s*(?:["{]|\]\s*$)/.test(trimmed)) return 'array';
  if (!/^["{]/.test(trimmed)) return 'plain';
  const line = trimmed.split('\n', 1)[0] ?? '';
  // A line longer than what was read can only be told by its beginning.
  if (line.length === trimmed.length && head.length >= SNIFFED) return /^(?:\{\s*"|")/.test(line) ? 'ndjson' : 'plain';
  return textOf(parse(line)) === undefined ? 'plain' : 'ndjson';
}

async function* lineItems(head: string, more: () => Promise<string | undefined>, json: boolean): AsyncGenerator<Item> {
  let line = 0;
  const keys = new WholeKeys();
  // A line may come in very many chunks: joined once, when it is whole.
  let held: string[] = [];
  let heldLength = 0;
  for (let part: string | undefined = head; part !== undefined; part = await more()) {
    let from = 0;
    for (let to = part.indexOf('\n'); to >= 0; to = part.indexOf('\n', from)) {
      held.push(part.slice(from, to));
      line += 1;
      const item = lineItem(held.join(''), line, json);
      if (item !== undefined) yield* json ? [item] : keys.take(item);
      held = [];
      heldLength = 0;
      from = to + 1;
    }
    held.push(part.slice(from));
    heldLength += part.length - from;
    if (heldLength > LONGEST_ITEM) throw new SafekeepError('text-too-long', { number: line + 1, limit: LONGEST_ITEM });
  }
  const rest = held.join('');
  const item = rest.length === 0 ? undefined : lineItem(rest, line + 1, json);
  if (item !== undefined) yield* json ? [item] : keys.take(item);
  yield* keys.rest();
}

const KEY_BEGINS = /^-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----/;
/** Base64, a header (RFC 1421) or nothing, perhaps indented or quoted. */
const KEY_LINE = /^[\s>#"']{0,40}(?:[A-Za-z0-9+/=\\]{0,200}|[A-Za-z-]{1,30}: .{0,200})[\s"',;]{0,8}$/;
const LONGEST_KEY_LINE = 300;
/** In UTF-16 units; a key of 16,384 bits has 13,000. */
const LONGEST_KEY = 15_000;

/** The lines of a private key (RFC 7468) are one item, told by the number of its first line: only together do they show what they are. */
class WholeKeys {
  #id: Item['id'] = 0;
  #lines: string[] = [];
  #length = 0;

  /** What is whole with this line. */
  take(item: Item): readonly Item[] {
    const { id, text } = item;
    if (this.#lines.length === 0) {
      if (!beginsKey(text)) return [item];
      this.#id = id;
    } else {
      const ends = text.length <= LONGEST_KEY_LINE && text.includes('-----END ');
      const belongs = ends || (text.length <= LONGEST_KEY_LINE && KEY_LINE.test(text));
      if (!belongs || this.#length > LONGEST_KEY) return [...this.rest(), ...this.take(item)];
      if (ends) {
        this.#lines.push(text);
        return this.rest();
      }
    }
    this.#lines.push(text);
    this.#length += text.length;
    return [];
  }

  /** What was held back, as it is. */
  rest(): readonly Item[] {
    if (this.#lines.length === 0) return [];
    const whole = { id: this.#id, text: this.#lines.join('\n') };
    this.#lines = [];
    this.#length = 0;
    return [whole];
  }
}

function beginsKey(text: string): boolean {
  const at = text.lastIndexOf('-----BEGIN ');
  return at >= 0 && KEY_BEGINS.test(text.slice(at, at + 120)) && !text.includes('-----END ', at);
}

function lineItem(raw: string, number: number, json: boolean): Item | undefined {
  const text = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
  if (!json) return { id: number, text };
  return text.trim().length === 0 ? undefined : itemOf(parse(text), number);
}

/** Cuts a JSON array into its elements without holding it: strings, escapes and depth are all that must be known. */
async function* arrayItems(head: string, more: () => Promise<string | undefined>): AsyncGenerator<Item> {
  let [depth, inString, escaped, number, ended] = [0, false, false, 0, false];
  let held: string[] = [];
  let heldLength = 0;
  for (let part: string | undefined = head; part !== undefined; part = await more()) {
    let from = 0;
    for (let at = 0; at < part.length; at += 1) {
      const code = part.charCodeAt(at);
      if (ended) {
        if (code > 32) throw malformed(number + 1);
      } else if (inString) {
        if (escaped) escaped = false;
        else if (code === 92) escaped = true;
        else if (code === 34) inString = false;
      } else if (code === 34) inString = true;
      else if (code === 91 || code === 123) {
        depth += 1;
        if (depth === 1) from = at + 1;
      } else if (code === 93 || code === 125 || (code === 44 && depth === 1)) {
        if (code !== 44) depth -= 1;
        if (depth === 0 || code === 44) {
          held.push(part.slice(from, at));
          const element = held.join('');
          held = [];
          heldLength = 0;
          from = at + 1;
          ended = depth === 0;
          if (element.trim().length === 0 && ended && number === 0) continue;
          number += 1;
          yield itemOf(parse(element), number);
        }
      }
    }
    if (!ended) held.push(part.slice(from));
    heldLength += part.length - from;
    if (heldLength > LONGEST_ITEM) throw new SafekeepError('text-too-long', { number: number + 1, limit: LONGEST_ITEM });
  }
  if (!ended) throw malformed(number + 1);
}

function malformed(number: number): SafekeepError {
  return new SafekeepError('text-malformed', { number });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return undefined;
  const text = 'text' in value ? value.text : 'full_text' in value ? value.full_text : undefined;
  return typeof text === 'string' ? text : undefined;
}

function itemOf(value: unknown, number: number): Item {
  const text = textOf(value);
  if (text === undefined) throw malformed(number);
  const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
  return { id: typeof id === 'string' || typeof id === 'number' ? id : number, text };
}
