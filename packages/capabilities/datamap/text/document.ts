import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type Pair,
  type YAMLError,
} from 'yaml';
import {
  readColumnName,
  readMap,
  readTableName,
  SafekeepError,
  type DataMap,
  type MapFault,
  type MapFile,
  type MapPointer,
} from '@safekeep/core';

/** Counted from 1, as editors do. */
export type Position = { readonly line: number; readonly column: number };

/** A data map with the text that it was read from. */
export type MapText = {
  /** As messages name it. */
  readonly file: string;
  readonly text: string;
  readonly map: DataMap;
  readonly written: MapFile;
  readonly document: Document.Parsed;
  /** Where something stands; where it does not, the nearest thing above it. Knows tables and columns by their canonical names. */
  readonly positionOf: (pointer: MapPointer) => Position;
};

/** Far above any real map (a thousand tables take 1 MB), and read within seconds. */
const CHARACTERS_AT_MOST = 32_000_000;
const FAULTS_SHOWN = 50;

/** Reads a map. Throws `map-invalid` with every fault, each with file, line, column and what to write instead. */
export function readMapText(text: string, file: string): MapText {
  if (text.length > CHARACTERS_AT_MOST)
    throw invalid(file, [
      { line: 1, column: 1, message: `the file is larger than ${CHARACTERS_AT_MOST} characters`, remedy: 'This is no data map.' },
    ]);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    version: '1.2',
    schema: 'core',
  });
  if (document.errors.length > 0)
    throw invalid(
      file,
      document.errors.map((error) => syntaxFault(error, { lines, text })),
    );
  joinSentences(document, text);
  const reading = readMap(valueOf(document, file));
  if ('faults' in reading)
    throw invalid(
      file,
      reading.faults.map((fault) => placed(fault, { document, lines })),
    );
  return {
    file,
    text,
    map: reading.map,
    written: reading.file,
    document,
    positionOf: (pointer) => position(lines, nodeAt(document, pointer).start),
  };
}

/** Keys whose values are sentences. */
const SENTENCES = new Set(['note', 'cite']);

/**
 * `{ category: none, note: looked at, not personal }` is what people write, and YAML ends the note at the comma. Words after it
 * that are no key with a value belong to the sentence.
 */
function joinSentences(document: Document.Parsed, text: string): void {
  visit(document, {
    Map: (_key, map) => {
      if (map.flow !== true) return;
      for (const [index, pair] of map.items.entries()) {
        const { value } = pair;
        if (!SENTENCES.has(keyText(pair)) || !isScalar(value) || value.type !== 'PLAIN' || !value.range) continue;
        const rest = map.items.slice(index + 1);
        const words = rest.slice(0, rest.findIndex((next) => next.value !== null || !isScalar(next.key)) >>> 0);
        const end = asNode(words.at(-1)?.key)?.range?.[1];
        if (end === undefined) continue;
        value.range = [value.range[0], end, end];
        value.value = text.slice(value.range[0], end).replace(/\s+/g, ' ');
        map.items.splice(index + 1, words.length);
      }
    },
  });
}

type Placed = Position & { readonly message: string; readonly remedy: string };

function invalid(file: string, faults: readonly Placed[]): SafekeepError<'map-invalid'> {
  const shown = faults
    .slice(0, FAULTS_SHOWN)
    .map(({ line, column, message, remedy }) =>
      `  ${file}:${line}:${column}: ${message.replace(/\.$/, '')}. ${remedy}`.replaceAll(/\p{Cc}+/gu, ' '),
    );
  // One line each, whatever a key holds; no control character of a file reaches a terminal.
  const more = faults.length > FAULTS_SHOWN ? [`  and ${faults.length - FAULTS_SHOWN} more`] : [];
  return new SafekeepError('map-invalid', { file, count: faults.length, faults: [...shown, ...more].join('\n') });
}

function valueOf(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    // The library counts aliases that multiply each other and stops (a "billion laughs" file).
    if (cause instanceof ReferenceError)
      throw invalid(file, [{ line: 1, column: 1, message: cause.message, remedy: 'Write repeated parts out.' }]);
    throw cause;
  }
}

/** What to do about the library's errors, by its codes; the rest is told by the YAML page. */
const SYNTAX_REMEDIES: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'Join the two entries into one.',
  TAB_AS_INDENT: 'Indent with blanks; YAML allows no tabs there.',
  BAD_INDENT: 'Indent it like the lines beside it.',
  MISSING_CHAR: 'Close what was opened: a quote, a bracket, or a colon after a key.',
  BLOCK_AS_IMPLICIT_KEY: 'A value that starts on the line of its key ends there; put nested keys on lines of their own.',
  MULTILINE_IMPLICIT_KEY: 'A key stands on one line; close the quote or bracket before it.',
  MULTIPLE_DOCS: 'One file holds one map: remove the line ---.',
  BAD_ALIAS: 'Define the anchor (&name) before the alias (*name).',
};

function syntaxFault(error: YAMLError, { lines, text }: { readonly lines: LineCounter; readonly text: string }): Placed {
  const at = position(lines, error.pos[0]);
  const line = text.slice(lines.lineStarts[at.line - 1], lines.lineStarts[at.line]);
  const path = /\]\s*(?:->|<-)/.test(line)
    ? 'A path that starts with [ stands in quotes: "[tenant_id, booking_id] -> …".'
    : undefined;
  return {
    ...at,
    message: error.message.split('\n')[0]?.replace(/[.:]$/, '') ?? error.code,
    remedy: path ?? SYNTAX_REMEDIES[error.code] ?? 'Write it as YAML.',
  };
}

function placed(fault: MapFault, { document, lines }: { readonly document: Document.Parsed; readonly lines: LineCounter }): Placed {
  const found = nodeAt(document, fault.pointer);
  const isOfKey =
    fault.code === 'unknown-key' ||
    fault.code === 'name-invalid' ||
    fault.code === 'duplicate-table' ||
    fault.code === 'duplicate-column';
  const offset = isOfKey ? found.start : found.value + (fault.offset > 0 ? fault.offset + found.quote : 0);
  const place = fault.pointer.length === 0 ? '' : ` (${fault.pointer.join(' / ')})`;
  return { ...position(lines, offset), message: `${fault.message.replace(/\.$/, '')}${place}`, remedy: fault.remedy };
}

function position(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  // An empty file has no line to stand in.
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** Offsets in the text: of the key (or the item of a list), of its value, and how far a quote pushes the value's text. */
type Found = { readonly start: number; readonly value: number; readonly quote: number };

function nodeAt(document: Document.Parsed, pointer: MapPointer): Found {
  let node: Node | null = document.contents;
  let found: Found = foundOf(node, undefined);
  for (const [depth, key] of pointer.entries()) {
    const target = resolved(node, document);
    if (isMap(target)) {
      const pair = pairOf(target.items, pointer, depth);
      if (pair === undefined) return found;
      node = asNode(pair.value);
      found = foundOf(node, asNode(pair.key));
    } else if (isSeq(target) && typeof key === 'number') {
      node = asNode(target.items[key]);
      if (node === null) return found;
      found = foundOf(node, undefined);
    } else return found;
  }
  return found;
}

/** The entry of a mapping that the pointer's key at this depth names, by any spelling of it. */
function pairOf(items: readonly Pair[], pointer: MapPointer, depth: number): Pair | undefined {
  const wanted = String(pointer[depth]);
  const exact = items.find((pair) => keyText(pair) === wanted);
  if (exact !== undefined) return exact;
  if (depth === 1 && pointer[0] === 'tables') return items.find((pair) => tableNamed(keyText(pair)) === wanted);
  const isColumn = pointer[0] === 'tables' && (pointer[depth - 1] === 'columns' || pointer[depth - 1] === 'replace');
  return isColumn ? items.find((pair) => readColumnName(keyText(pair)) === wanted) : undefined;
}

function tableNamed(written: string): string | undefined {
  const read = readTableName(written);
  return 'name' in read ? read.name : undefined;
}

export function keyText(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : '';
}

function resolved(node: Node | null, document: Document.Parsed): Node | null {
  return isAlias(node) ? (node.resolve(document) ?? null) : node;
}

function asNode(value: unknown): Node | null {
  // The parser makes nodes only; a missing value is null.
  return isMap(value) || isSeq(value) || isScalar(value) || isAlias(value) ? value : null;
}

function foundOf(node: Node | null, key: Node | null | undefined): Found {
  const value = node?.range?.[0] ?? key?.range?.[1] ?? 0;
  const quote = isScalar(node) && (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE') ? 1 : 0;
  return { start: key?.range?.[0] ?? value, value, quote };
}
