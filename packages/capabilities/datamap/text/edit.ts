import { isDeepStrictEqual } from 'node:util';
import { Document, isCollection, isMap, isPair, isScalar, Scalar, stringify, visit, YAMLMap, type Node, type Pair } from 'yaml';
import { applyEdits, isMapping, MAP_SCHEMA_FILE, readMap, type MapEdit, type MapFile } from '@safekeep/core';
import { keyText, readMapText, type MapText } from './document.ts';

/**
 * The text of a map after some edits. What people wrote stays to the byte: comments, order, blanks, quotes; only what is new is
 * put in, in the place and indentation of its neighbours.
 */
export function editMap(map: MapText, edits: readonly MapEdit[]): string {
  const wanted = applyEdits(map.written, edits);
  const check = readMap(wanted);
  if ('faults' in check) throw new Error(`The edits make no map: ${check.faults.map(({ message }) => message).join('; ')}`);
  const spliced = splice(map.text, new Splicer(map.text).changes(map.document.contents, { from: map.written, to: wanted }, []));
  return holds(spliced, wanted) ? spliced : rewrite(map, wanted);
}

/** A new file: the schema for editors, a line for people, the map. */
export function newMapText(file: MapFile): string {
  const head = `# yaml-language-server: $schema=./${MAP_SCHEMA_FILE}\n# Whose data is where, why, and what happens to it. Reviewed like code; held against the database by safekeep map check.\n`;
  return head + toYaml(file, [], false);
}

function holds(text: string, wanted: MapFile): boolean {
  try {
    return isDeepStrictEqual(readMapText(text, '').written, wanted);
  } catch {
    // Whatever is wrong with the result, there is another way to write it.
    return false;
  }
}

/** Writes the whole document anew: comments and order stay, blanks between columns of text may not. For anchors and odd layouts. */
function rewrite(map: MapText, wanted: MapFile): string {
  const document = map.document.clone();
  sync(document, { from: map.written, to: wanted }, []);
  const text = document.toString({ lineWidth: 0 });
  if (!holds(text, wanted)) throw new Error('The map could not be written as it was wanted');
  return text;
}

type Change = { readonly from: unknown; readonly to: unknown };
type Keys = readonly string[];

function sync(document: Document, { from, to }: Change, path: Keys): void {
  if (isDeepStrictEqual(from, to)) return;
  if (!isMapping(from) || !isMapping(to) || loses(from, to)) {
    document.setIn(path, nodeOf(to, path, false));
    return;
  }
  for (const [key, value] of Object.entries(to)) sync(document, { from: from[key], to: value }, [...path, key]);
}

/** A key goes: then the whole is written anew, since the comments around the key would be orphans. */
function loses(from: Readonly<Record<string, unknown>>, to: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(from).some((key) => !Object.hasOwn(to, key));
}

/** A part of the text and what takes its place. */
type Splice = { readonly start: number; readonly end: number; readonly text: string };

function splice(text: string, changes: readonly Splice[]): string {
  // From the end, so that the places before stay true. What is put in at one place keeps its order.
  const ordered = changes.map((change, order) => ({ ...change, order })).toSorted((a, b) => b.start - a.start || b.order - a.order);
  let result = text;
  for (const { start, end, text: put } of ordered) result = result.slice(0, start) + put + result.slice(end);
  return result;
}

/** Finds where in a text what must be written. */
class Splicer {
  readonly #text: string;
  readonly #newline: string;

  constructor(text: string) {
    this.#text = text;
    this.#newline = text.includes('\r\n') ? '\r\n' : '\n';
  }

  changes(node: Node | null, { from, to }: Change, path: Keys): readonly Splice[] {
    if (isDeepStrictEqual(from, to)) return [];
    if (!isMap(node) || !isMapping(from) || !isMapping(to) || loses(from, to)) return [this.#replace(node, to, path)];
    return Object.entries(to).flatMap(([key, value]) => {
      const pair = node.items.find((item) => keyText(item) === key);
      if (pair === undefined) return [this.#insert(node, key, { value, path: [...path, key] })];
      if (pair.value === null || (isScalar(pair.value) && pair.value.source === ''))
        return [this.#fill(pair, value, { node, path: [...path, key] })];
      // The parser makes nodes only.
      return this.changes(pair.value as Node, { from: from[key], to: value }, [...path, key]);
    });
  }

  #replace(node: Node | null, value: unknown, path: Keys): Splice {
    const [start, end] = [node?.range?.[0] ?? 0, node === null ? 0 : endOf(node)];
    return { start, end, text: toYaml(value, path, true) };
  }

  #insert(map: YAMLMap, key: string, { value, path }: { readonly value: unknown; readonly path: Keys }): Splice {
    const last = map.items.at(-1);
    if (map.flow === true) {
      const entry = `${keyYaml(key)}: ${toYaml(value, path, true)}`;
      if (last !== undefined) return at(endOfPair(last), `, ${entry}`);
      const close = (map.range?.[1] ?? 1) - 1;
      return at(close, ` ${entry} `);
    }
    const column = last === undefined ? 0 : this.#columnOf(startOfPair(last));
    return this.#line(last === undefined ? this.#text.length : endOfPair(last), this.#entry(key, value, { column, path }));
  }

  /** A key that stands there without a value. */
  #fill(pair: Pair, value: unknown, { node, path }: { readonly node: YAMLMap; readonly path: Keys }): Splice {
    const end = isScalar(pair.key) ? (pair.key.range?.[1] ?? 0) : 0;
    const colon = this.#text.indexOf(':', end) + 1;
    if (node.flow === true || !isMapping(value) || !isBlock(path)) return at(colon, ` ${toYaml(value, path, true)}`);
    const column = this.#columnOf(startOfPair(pair)) + 2;
    const lines = Object.entries(value).map(([key, entry]) => this.#entry(key, entry, { column, path: [...path, key] }));
    return this.#line(colon, lines.join(this.#newline));
  }

  #entry(key: string, value: unknown, { column, path }: { readonly column: number; readonly path: Keys }): string {
    const indent = ' '.repeat(column);
    const yaml = toYaml(value, path, false);
    const isNested = isMapping(value) && isBlock(path) && Object.keys(value).length > 0;
    if (!isNested) return `${indent}${keyYaml(key)}: ${toYaml(value, path, true)}`;
    const body = yaml
      .trimEnd()
      .split('\n')
      .map((line) => `${indent}  ${line}`);
    return [`${indent}${keyYaml(key)}:`, ...body].join(this.#newline);
  }

  /** After the line in which `offset` lies, a comment at its end included. */
  #line(offset: number, line: string): Splice {
    // A block scalar ends at the start of the next line already.
    if (offset > 0 && this.#text[offset - 1] === '\n') return at(offset, `${line}${this.#newline}`);
    const end = this.#text.indexOf('\n', offset);
    if (end < 0) return at(this.#text.length, `${this.#text === '' ? '' : this.#newline}${line}${this.#newline}`);
    return at(end + 1, `${line}${this.#newline}`);
  }

  #columnOf(offset: number): number {
    return offset - (this.#text.lastIndexOf('\n', offset - 1) + 1);
  }
}

function at(start: number, text: string): Splice {
  return { start, end: start, text };
}

function startOfPair({ key }: Pair): number {
  return isScalar(key) ? (key.range?.[0] ?? 0) : 0;
}

function endOfPair({ key, value }: Pair): number {
  const keyEnd = isScalar(key) ? (key.range?.[1] ?? 0) : 0;
  // A missing value still has its colon.
  if (value === null || (isScalar(value) && value.source === '')) return keyEnd + 1;
  // The parser makes nodes only.
  return endOf(value as Node);
}

/** Where the last character of a node stands: the range of a block mapping runs on over the comments after it. */
function endOf(node: Node): number {
  if (isCollection(node) && node.flow !== true) {
    const last = node.items.at(-1);
    // The items of a mapping are pairs, those of a list nodes.
    if (last !== undefined) return isPair(last) ? endOfPair(last) : endOf(last as Node);
  }
  return node.range?.[1] ?? 0;
}

/** The parts of a map that stand in lines of their own; everything below them stands on one. */
function isBlock(path: Keys): boolean {
  const [section, , part] = path;
  if (path.length === 0 || path.length === 1) return path.length === 0 || section !== 'controller';
  return section === 'tables' && (path.length === 2 || (path.length === 3 && part === 'columns'));
}

function nodeOf(value: unknown, path: Keys, flow: boolean): Node {
  const document = new Document(value);
  const { contents } = document;
  if (contents === null) return new Scalar(null);
  visit(document, {
    Collection: (_key, node, ancestors) => {
      const below = ancestors.flatMap((ancestor) => (isPair(ancestor) ? [keyText(ancestor)] : []));
      node.flow = flow || !isBlock([...path, ...below]);
    },
  });
  return contents;
}

/** A value as it stands in the map at that place. With `flow` on one line. */
function toYaml(value: unknown, path: Keys, flow: boolean): string {
  const node = nodeOf(value, path, flow);
  return stringify(node, { lineWidth: 0, flowCollectionPadding: true, ...(flow ? { collectionStyle: 'flow' } : {}) }).replace(
    flow ? /\n$/ : /$^/,
    '',
  );
}

function keyYaml(key: string): string {
  const document = new Document(new YAMLMap());
  document.set(key, 0);
  return document.toString({ lineWidth: 0 }).replace(/: 0\n$/, '');
}
