import { holdsPlaintext, searchedBy, writesPlaintext, type SealedField } from './field.ts';
import { notServed } from './safekeep.ts';
import {
  aliasAfter,
  clauseOf,
  derivedOf,
  isClause,
  queryOf,
  statementsOf,
  type Clause,
  type Group,
  type Word,
} from './statement-words.ts';

/**
 * Refuses SQL that asks the database about a column whose plaintext is gone: it would answer for NULLs, and say nothing. What may stand
 * is the column as it is, with its ciphertext, in a list of what the statement answers (the result opens it), as a target of INSERT, and
 * as a target of SET; in WHERE, ON, GROUP BY, ORDER BY, in an expression, in what is written elsewhere or as the target of ON CONFLICT
 * it may not.
 *
 * It reads words and not grammar, and refuses where these leave it open: a column counts as the field's where the statement names its
 * table and no other table that is named before the dot; what a subquery passes on counts under its name. What it cannot see is SQL
 * that is not in the text (views, functions): `safekeep plan` tells of those.
 *
 * @throws `field-not-served`, which says what to ask instead.
 */
export function guardStatement(text: string, fields: readonly SealedField[]): void {
  const folded = text.toLowerCase();
  const empty = fields.filter((field) => !holdsPlaintext(field) && folded.includes(field.table.toLowerCase()));
  if (empty.length === 0) return;
  for (const words of statementsOf(text)) for (const field of empty) guardField(words, field);
}

function guardField(words: readonly Word[], field: SealedField): void {
  const own = ownNames(words, field);
  if (own === undefined) return;
  for (const [place, { text, name }] of words.entries()) {
    if (name === field.column && isOwn(words, place, own)) checkColumn(words, place, field);
    if (text === 'natural' || (name !== undefined && own.has(name) && isWholeRow(words, place))) throw refusal(field);
  }
  // What the database seals no result opens: it was refused above.
  if (field.mode === 'database') return;
  for (const [place, { text }] of words.entries())
    if (text === 'select' || text === 'returning') checkList(words, place, { field, own });
}

type Naming = { readonly field: SealedField; readonly own: ReadonlySet<string> };

function refusal(field: SealedField): Error {
  if (field.mode === 'database')
    return notServed(field, `${field.column} is empty, and ${field.table}_decrypted shows the values`, {
      index: `Ask ${field.table}_decrypted in its place, in a transaction that calls unlock().`,
    });
  const reason = `the database would compare, sort, copy or compute by ${field.column}, which is empty since the value is kept in ${field.encrypted}`;
  const known = (['unique', 'exact'] as const).find((kind) => searchedBy(field, kind) !== undefined);
  return notServed(field, reason, { kind: known ?? 'exact' });
}

/** What to say where a result has the column without its ciphertext. */
export function selectsEmpty(field: SealedField, outcome?: string): Error {
  return notServed(field, `the query selects the empty column and not ${field.encrypted}, which holds the value`, { outcome });
}

/** Every name that the table's columns can stand behind: its own, its aliases, and of queries that pass the column on. */
function ownNames(words: readonly Word[], field: SealedField): ReadonlySet<string> | undefined {
  // The row that an upsert proposes is of the table that is inserted into.
  const names = new Set(['excluded']);
  const readFrom = (table: string): void => {
    for (const [place, { name }] of words.entries()) {
      if (name !== table || !isTable(words, place, field)) continue;
      names.add(table);
      const alias = aliasAfter(words, place);
      if (alias === undefined) continue;
      if (alias.renames && clauseOf(words, place)?.text !== 'into') throw refusal(field);
      names.add(alias.name);
    }
  };
  readFrom(field.table);
  if (!names.has(field.table)) return undefined;
  const derived = derivedOf(words);
  for (let known = 0; known < names.size;) {
    known = names.size;
    for (const { group, name, renames } of derived) {
      if (name === undefined || names.has(name) || !passesOn(words, group, { field, own: names })) continue;
      if (renames) throw refusal(field);
      names.add(name);
      readFrom(name);
    }
  }
  return names;
}

/** `old.people` is another table than public.people. */
function isTable(words: readonly Word[], place: number, { schema, table }: SealedField): boolean {
  if (words[place - 1]?.text !== '.') return true;
  return words[place]?.name !== table || words[place - 2]?.name === schema;
}

function passesOn(words: readonly Word[], group: Group, { field, own }: Naming): boolean {
  const inner = words.slice(group.from, group.to);
  return (
    inner.some(({ name }) => name !== undefined && own.has(name)) &&
    inner.some(({ name, text }, place) => name === field.column || text === 'table' || isStar(inner, place))
  );
}

/** `*` that stands for columns; another one multiplies. */
function isStar(words: readonly Word[], place: number): boolean {
  return words[place]?.text === '*' && ['select', 'returning', 'all', 'distinct', ',', '.'].includes(words[place - 1]?.text ?? '');
}

/** `… as email` is what a result is called. Without a name before it a column is the field's where its query can see the table. */
function isOwn(words: readonly Word[], place: number, own: ReadonlySet<string>): boolean {
  if (words[place - 1]?.text === 'as') return false;
  if (words[place - 1]?.text === '.') return own.has(words[place - 2]?.name ?? '');
  const seen = new Set<Group | undefined>();
  for (let group = queryOf(words, place); group !== undefined; group = group.parent) seen.add(group);
  return words.some(({ name }, at) => name !== undefined && own.has(name) && name !== 'excluded' && seen.has(queryOf(words, at)));
}

/** The name of a table in the place of a value: all its columns at once. */
function isWholeRow(words: readonly Word[], place: number): boolean {
  const [before, after] = [words[place - 1]?.text, words[place + 1]?.text];
  if (before === '.' || before === 'as' || after === '.') return false;
  const first = words[0]?.text ?? '';
  if (!['select', 'with', 'insert', 'update', 'delete', 'merge', '('].includes(first)) return false;
  const clause = clauseOf(words, place);
  if (clause === undefined || ['into', 'update', 'do'].includes(clause.text)) return false;
  // A parenthesis in FROM holds tables, unless a name calls it.
  if (!['from', 'join', 'using'].includes(clause.text)) return true;
  const caller = words[(words[place]?.group.from ?? 0) - 2];
  return clause.isInside && caller?.name !== undefined && !isClause(caller) && caller.text !== 'lateral';
}

function checkColumn(words: readonly Word[], place: number, field: SealedField): void {
  const start = words[place - 1]?.text === '.' ? place - 2 : place;
  const clause = clauseOf(words, start);
  if (clause?.text === 'into') return;
  if (clause?.text === 'set' && isSetTarget(words, { start, place, clause })) return;
  // On the way back whoever proposes a row writes both.
  if (clause?.text === 'set' && writesPlaintext(field) && isProposedForItself(words, place, field)) return;
  const isListed = field.mode === 'client' && (clause?.text === 'select' || clause?.text === 'returning') && !clause.isInside;
  if (!isListed || !isItem(words, start, place) || !isAnswered(words, clause.place)) throw refusal(field);
}

/** `email = excluded.email` */
function isProposedForItself(words: readonly Word[], place: number, { column }: SealedField): boolean {
  const [target, equals, row, dot] = words.slice(Math.max(0, place - 4), place);
  const isWhole = [undefined, ',', 'where', 'returning', ';', ')'].includes(words[place + 1]?.text);
  return target?.name === column && equals?.text === '=' && row?.name === 'excluded' && dot?.text === '.' && isWhole;
}

function isSetTarget(
  words: readonly Word[],
  { start, place, clause }: { readonly start: number; readonly place: number; readonly clause: Clause },
): boolean {
  const [before, after] = [words[start - 1]?.text ?? '', words[place + 1]?.text ?? ''];
  if (!clause.isInside) return ['set', ','].includes(before) && after === '=';
  // `set (email, name) = …`
  const opened = words[(words[place]?.group.from ?? 0) - 2]?.text ?? '';
  return ['(', ','].includes(before) && [',', ')'].includes(after) && ['set', ','].includes(opened);
}

/** The column as it is, and not a part of an expression. */
function isItem(words: readonly Word[], start: number, place: number): boolean {
  const before = words[start - 1]?.text ?? '';
  const after = words[place + 1];
  return (
    ['select', 'returning', ',', 'all'].includes(before) &&
    (after === undefined || [',', ')', 'as', 'for', 'offset', 'fetch'].includes(after.text) || isClause(after))
  );
}

/** What is selected or returned there is the answer of the statement, or of a query with a name; nothing else takes it. */
function isAnswered(words: readonly Word[], list: number): boolean {
  const group = words[list]?.group;
  const isNamed = group?.parent === undefined || derivedOf(words).some((derived) => derived.group === group);
  const isWritten = words.some((word, at) => word.group === group && at < list && WRITTEN.has(word.text));
  return isNamed && !isCombined(words, group) && (!isWritten || words[list]?.text === 'returning');
}

const WRITTEN = new Set(['insert', 'create', 'copy', 'declare']);

/** The result of a set operation has no table that its columns are of. */
function isCombined(words: readonly Word[], group: Group | undefined): boolean {
  return words.some((word) => word.group === group && ['union', 'intersect', 'except'].includes(word.text));
}

type Item = { readonly words: readonly Word[]; readonly from: number };

/** What is listed behind SELECT or RETURNING, item by item. */
function itemsOf(words: readonly Word[], list: number): readonly Item[] {
  const group = words[list]?.group;
  const items: Item[] = [];
  let from = list + 1;
  const end = (to: number): void => {
    if (to > from) items.push({ words: words.slice(from, to), from });
    from = to + 1;
  };
  for (let at = from; ; at += 1) {
    const word = words[at];
    const isOver =
      word === undefined || at >= (group?.to ?? 0) || (word.group === group && isClause(word) && word.text !== 'distinct');
    if (isOver || (word.group === group && word.text === ',')) end(at);
    if (isOver) return items;
  }
}

type Kind = 'plain' | 'sealed' | 'all' | 'other';

function kindOf(words: readonly Word[], { words: item, from }: Item, { field, own }: Naming): Kind {
  const start = item[1]?.text === '.' ? 2 : 0;
  const [first, next] = [item[start], item[start + 1]];
  if (first?.text === '*') return (start === 2 ? own.has(item[0]?.name ?? '') : isOwn(words, from, own)) ? 'all' : 'other';
  const isColumn = next === undefined || next.text === 'as';
  if (!isColumn || first?.name === undefined || !isOwn(words, from + start, own)) return 'other';
  return first.name === field.column ? 'plain' : first.name === field.encrypted ? 'sealed' : 'other';
}

/** A list with the column has its ciphertext too, and nothing is sorted or grouped by what the column is called there or by its number. */
function checkList(words: readonly Word[], list: number, naming: Naming): void {
  const { field } = naming;
  const items = itemsOf(words, list);
  const kinds = items.map((item) => kindOf(words, item, naming));
  if (!kinds.includes('plain') && !kinds.includes('all')) return;
  const plain = items.filter((_, at) => kinds[at] === 'plain');
  if (plain.length > kinds.filter((kind) => kind === 'sealed').length) throw selectsEmpty(field);
  const labels = plain.map(({ words: item }) => item.at(-1)?.name);
  const group = words[list]?.group;
  // Outside of the query that renames it the column would not be known again.
  if (group?.parent !== undefined && labels.some((label) => label !== field.column)) throw refusal(field);
  if (kinds.includes('all') && group?.parent === undefined && isCombined(words, group)) throw refusal(field);
  for (const [place, { text, name, group: own }] of words.entries()) {
    if (own !== group || place < list || clauseOf(words, place)?.text !== 'by') continue;
    const before = words[place - 1]?.text ?? '';
    if (name !== undefined && labels.includes(name) && before !== '.') throw refusal(field);
    const counted = /^\d+$/.test(text) && ['by', ','].includes(before) ? kinds.slice(0, Number(text)) : [];
    if (counted.includes('all') || counted.at(-1) === 'plain') throw refusal(field);
  }
}
