import { holdsPlaintext, isLeaving, searchedBy, writesPlaintext, type SealedField } from './field.ts';
import { notServed } from './safekeep.ts';
import { isCombined, isDerived, isOwn, isStar, itemsOf, listsOf, type Naming } from './statement-lists.ts';
import { checkPairs } from './statement-pairs.ts';
import {
  aliasAfter,
  clauseOf,
  derivedOf,
  isClause,
  isQuery,
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
  const [first] = fields;
  if (
    first !== undefined &&
    folded.includes('u&"') &&
    statementsOf(text).some((words) => words.some((word) => word.text === 'u&"'))
  )
    throw notServed(first, 'a name that is written by the numbers of its characters may be that of any column', {
      index: 'Write names without U&.',
    });
  const asked = fields.filter((field) => folded.includes(field.table.toLowerCase()) && mayMatter(folded, field));
  if (asked.length === 0) return;
  for (const words of statementsOf(text)) for (const field of asked) guardField(words, field);
}

/** As long as the plaintext answers, only ciphertext that comes with it may be taken for what it is not. */
function mayMatter(folded: string, field: SealedField): boolean {
  return !isAnswering(field) || folded.includes('*') || folded.includes(field.encrypted.toLowerCase());
}

function isAnswering(field: SealedField): boolean {
  return holdsPlaintext(field) || (field.mode === 'client' && isLeaving(field));
}

function guardField(words: readonly Word[], field: SealedField): void {
  if (!isAnswering(field)) guardEmpty(words, field);
  if (field.mode === 'database') return;
  const names = ownNames(words, field, [field.column, field.encrypted]);
  if (names !== undefined) checkPairs(words, { field, own: names.own }, names.renames);
}

function guardEmpty(words: readonly Word[], field: SealedField): void {
  const names = ownNames(words, field, [field.column]);
  if (names === undefined) return;
  if (names.renames) throw refusal(field);
  const { own } = names;
  const stars = listedStars(words, { field, own });
  for (const [place, { text, name }] of words.entries()) {
    const isColumn = name === field.column && !(name === field.table && isNamedTable(words, place));
    if (isColumn && isOwn(words, place, own)) checkColumn(words, place, field);
    if (text === 'natural' || (text === 'table' && isSorted(words, place, own))) throw refusal(field);
    if (name !== undefined && !isColumn && own.has(name) && isWholeRow(words, place, stars)) throw refusal(field);
  }
  // What the database seals no result opens: it was refused above.
  if (field.mode === 'database') return;
  for (const list of listsOf(words)) checkList(words, list, { field, own });
}

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

type Names = { readonly own: ReadonlySet<string>; readonly renames: boolean };

/**
 * Every name that the table's columns can stand behind: its own, its aliases, and of queries that pass one of these columns on; and whether
 * a list of names behind one of them calls its columns otherwise.
 */
function ownNames(words: readonly Word[], field: SealedField, columns: readonly string[]): Names | undefined {
  // The row that an upsert proposes is of the table that is inserted into, and so are the two of RETURNING.
  const own = new Set(words.some(({ text }) => text === 'returning') ? ['excluded', 'old', 'new'] : ['excluded']);
  let renamed = false;
  const readFrom = (table: string): void => {
    for (const [place, { name }] of words.entries()) {
      if (name !== table || !isTable(words, place, field) || isValue(words, place)) continue;
      own.add(table);
      const alias = aliasAfter(words, place);
      if (alias === undefined) continue;
      renamed ||= alias.renames && clauseOf(words, place)?.text !== 'into';
      own.add(alias.name);
    }
  };
  readFrom(field.table);
  if (!own.has(field.table)) return undefined;
  const derived = derivedOf(words);
  for (let known = 0; known < own.size;) {
    known = own.size;
    for (const { group, name, renames } of derived) {
      if (name === undefined || own.has(name) || !passesOn(words, group, { own, columns })) continue;
      renamed ||= renames;
      own.add(name);
      readFrom(name);
    }
  }
  // RETURNING WITH (OLD AS …) gives the two other names.
  renamed ||= words.some(({ text }, at) => text === 'with' && words[at - 1]?.text === 'returning');
  return { own, renames: renamed };
}

/** `select customer`, `set customer =`: no table can stand there, whatever it is called. SET and BY may be names of tables themselves. */
function isValue(words: readonly Word[], place: number): boolean {
  const clause = clauseOf(words, place);
  if (clause === undefined || ['table', 'only'].includes(words[place - 1]?.text ?? '')) return false;
  if (clause.text === 'by') return ['group', 'order'].includes(words[clause.place - 1]?.text ?? '');
  if (clause.text === 'set') return words[words[clause.place]?.clause ?? -1]?.text === 'update';
  return ['select', 'returning', 'where', 'having'].includes(clause.text);
}

/** The places where only a table can stand, whatever it is called: behind FROM and its like, and before a dot. */
function isNamedTable(words: readonly Word[], place: number): boolean {
  if (words[place + 1]?.text === '.' || isLocked(words, place)) return true;
  const clause = clauseOf(words, place);
  const group = words[place]?.group;
  const isJoin = isDerived(words, group) && words[(group?.from ?? 0) - 2]?.text !== 'using';
  // `extract(year from …)` and `is distinct from …` compute.
  if (group === undefined || !(isJoin || isQuery(words, group)) || words[(clause?.place ?? 0) - 1]?.text === 'distinct')
    return false;
  const before = words[startOf(words, place) - 1]?.text ?? '';
  if (['from', 'join', 'into', 'update', 'only', 'table'].includes(before)) return true;
  return (before === ',' && clause?.text === 'from' && !clause.isInside) || (before === '(' && isJoin);
}

/** `for no key update of a, b`: whose rows are locked. */
function isLocked(words: readonly Word[], place: number): boolean {
  let at = place;
  while (words[at - 1]?.text === ',') at -= 2;
  return words[at - 1]?.text === 'of' && ['update', 'share'].includes(words[at - 2]?.text ?? '');
}

/** `old.people` is another table than public.people. */
function isTable(words: readonly Word[], place: number, { schema, table }: SealedField): boolean {
  if (words[place - 1]?.text !== '.') return true;
  return words[place]?.name !== table || words[place - 2]?.name === schema;
}

function passesOn(
  words: readonly Word[],
  group: Group,
  { own, columns }: { readonly own: ReadonlySet<string>; readonly columns: readonly string[] },
): boolean {
  const inner = words.slice(group.from, group.to);
  return (
    inner.some(({ name }) => name !== undefined && own.has(name)) &&
    // What is no query is a join, which passes everything on.
    (!isQuery(words, group) ||
      inner.some(
        ({ name, text }, place) =>
          (columns.includes(name ?? '') && !isNamedTable(words, group.from + place)) || text === 'table' || isStar(inner, place),
      ))
  );
}

/** The stars that list the columns as they are, as in `select p.*, name`. */
function listedStars(words: readonly Word[], naming: Naming): ReadonlySet<number> {
  const items = listsOf(words).flatMap((list) => itemsOf(words, list, naming));
  return new Set(items.filter(({ kind }) => kind === 'all').map(({ at }) => at));
}

/** The name of a table in the place of a value: all its columns at once. */
function isWholeRow(words: readonly Word[], place: number, stars: ReadonlySet<number>): boolean {
  const [before, after] = [words[place - 1]?.text, words[place + 1]?.text];
  if (after === '.' && words[place + 2]?.text === '*') return !stars.has(place + 2);
  if (before === '.' || before === 'as' || after === '.' || isLocked(words, place)) return false;
  if (!asks(words, place) || isColumnCalledRow(words, place)) return false;
  const clause = clauseOf(words, place);
  if (clause === undefined || ['into', 'update', 'do'].includes(clause.text)) return false;
  // A parenthesis in FROM holds tables, unless a name calls it.
  if (!['from', 'join', 'using'].includes(clause.text)) return true;
  const caller = words[(words[place]?.group.from ?? 0) - 2];
  return clause.isInside && caller?.name !== undefined && !isClause(caller) && !['lateral', 'only'].includes(caller.text);
}

/** Before a RETURNING of its own query, or of one around it, `old` and `new` are columns, unless a table is called so. */
function isColumnCalledRow(words: readonly Word[], place: number): boolean {
  const called = words[place]?.name ?? '';
  if (!['old', 'new'].includes(called) || words.some(({ name }, at) => name === called && mayBeTable(words, at))) return false;
  const around = groupsAround(words[place]?.group);
  return !words.some(({ text, group }, at) => text === 'returning' && at < place && around.has(group));
}

/** A group with those that it stands in. */
function groupsAround(group: Group | undefined): ReadonlySet<Group> {
  const around = new Set<Group>();
  for (let each = group; each !== undefined; each = each.parent) around.add(each);
  return around;
}

function mayBeTable(words: readonly Word[], place: number): boolean {
  const clause = clauseOf(words, place);
  if (clause?.text === 'into') return !clause.isInside;
  if (clause?.text === 'on' && words[clause.place + 1]?.text === 'conflict') return false;
  return !isValue(words, place);
}

/** `table people order by 3` */
function isSorted(words: readonly Word[], place: number, own: ReadonlySet<string>): boolean {
  const [name, group] = [words[place + 1]?.name, words[place]?.group];
  return name !== undefined && own.has(name) && words.some((word) => word.text === 'by' && word.group === group);
}

/** Whether there are values at a place: a query stands before it, by itself or behind `create … as`, `prepare`, `declare` and the like. */
function asks(words: readonly Word[], place: number): boolean {
  const first = words[0]?.text ?? '';
  if (['select', 'with', 'insert', 'update', 'delete', 'merge', '('].includes(first)) return true;
  return !['grant', 'revoke'].includes(first) && words.some(({ text }, at) => at < place && ['select', 'returning'].includes(text));
}

function checkColumn(words: readonly Word[], place: number, field: SealedField): void {
  if (field.mode === 'client' && isAskedUnsealed(words, place, field)) return;
  const start = startOf(words, place);
  const clause = clauseOf(words, start);
  if (clause?.text === 'into') return;
  if (clause?.text === 'set' && isSetTarget(words, { start, place, clause })) return;
  // On the way back whoever proposes a row writes both.
  if (clause?.text === 'set' && writesPlaintext(field) && isProposedForItself(words, place, field)) return;
  const isListed = field.mode === 'client' && (clause?.text === 'select' || clause?.text === 'returning') && !clause.isInside;
  if (!isListed || !isItem(words, start, place) || !isAnswered(words, clause.place)) throw refusal(field);
}

/** Where a column begins with the names before it: `public.people.email`. */
function startOf(words: readonly Word[], place: number): number {
  let start = place;
  while (words[start - 1]?.text === '.') start -= 2;
  return start;
}

/**
 * `(email_encrypted is null and email = $1)`, `(email_encrypted is not null or email is not null)`: of rows without ciphertext the column
 * says the truth in every phase. Both of one row, and nothing else in the parentheses.
 */
function isAskedUnsealed(words: readonly Word[], place: number, { encrypted }: SealedField): boolean {
  const group = words[place]?.group;
  if (group?.parent === undefined) return false;
  const start = startOf(words, place);
  const sealed = group.from + (place - start);
  const test = words.slice(sealed + 1, start).map(({ text }) => text);
  if (words[sealed]?.name !== encrypted || !['is null and', 'is not null or'].includes(test.join(' '))) return false;
  const before = words.slice(group.from, sealed);
  const isOneRow = before.every(({ text, name }, at) => words[start + at]?.text === text && words[start + at]?.name === name);
  return isOneRow && !words.slice(place, group.to).some((word) => word.group === group && ['and', 'or'].includes(word.text));
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
  const isNamed = group?.parent === undefined || isDerived(words, group);
  const isWritten = words.some((word, at) => word.group === group && at < list && WRITTEN.has(word.text));
  return isNamed && !isCombined(words, group) && (!isWritten || words[list]?.text === 'returning');
}

const WRITTEN = new Set(['insert', 'create', 'copy', 'declare']);

/** Whether all columns of a list go on as they are: nothing around its parentheses compares, sorts or combines them. */
function isPassedWhole(words: readonly Word[], group: Group | undefined): boolean {
  if (group?.parent === undefined || isDerived(words, group) || words[group.from - 2]?.text === 'exists') return true;
  const clause = clauseOf(words, group.from - 1)?.text;
  if (clause !== undefined && clause !== 'into') return false;
  const around = groupsAround(group.parent);
  return !words.some(({ text, group: own }) => around.has(own) && ['by', 'union', 'intersect', 'except'].includes(text));
}

/** A list with the column has its ciphertext too, and nothing is sorted or grouped by what the column is called there or by its number. */
function checkList(words: readonly Word[], list: number, naming: Naming): void {
  const { field } = naming;
  const items = itemsOf(words, list, naming);
  const kinds = items.map(({ kind }) => kind);
  if (!kinds.includes('plain') && !kinds.includes('all')) return;
  const plain = items.filter(({ kind }) => kind === 'plain');
  if (plain.length > kinds.filter((kind) => kind === 'sealed').length) throw selectsEmpty(field);
  const labels = plain.map(({ label }) => label);
  const group = words[list]?.group;
  // Outside of the query that renames it the column would not be known again.
  if (group?.parent !== undefined && labels.some((label) => label !== field.column)) throw refusal(field);
  if (kinds.includes('all') && !isPassedWhole(words, group)) throw refusal(field);
  if (kinds.includes('all') && group?.parent === undefined && isCombined(words, group)) throw refusal(field);
  for (const [place, { text, name, group: own }] of words.entries()) {
    if (own !== group || place < list || clauseOf(words, place)?.text !== 'by') continue;
    const before = words[place - 1]?.text ?? '';
    if (name !== undefined && labels.includes(name) && before !== '.') throw refusal(field);
    const counted = /^\d+$/.test(text) && ['by', ','].includes(before) ? kinds.slice(0, Number(text)) : [];
    if (counted.includes('all') || counted.at(-1) === 'plain') throw refusal(field);
  }
}
