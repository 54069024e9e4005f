import { searchedBy, writesPlaintext, type SealedField } from './field.ts';
import { notServed } from './safekeep.ts';

/**
 * Refuses SQL that asks the database about a column whose plaintext is gone: it would answer for NULLs, and say nothing. What may stand
 * is the column as it is in a list of what is selected or returned (the result opens it), as a target of INSERT, and as a target of SET;
 * in WHERE, ON, GROUP BY, ORDER BY, in an expression or as the target of ON CONFLICT it may not.
 *
 * It reads words and not grammar: a column counts as the field's where the statement names its table and no other table that is named
 * before the dot. What it cannot see is SQL that is not in the text (views, functions): `safekeep plan` tells of those.
 *
 * @throws `field-not-served`, which says what to ask instead.
 */
export function guardStatement(text: string, fields: readonly SealedField[]): void {
  const empty = fields.filter((field) => !writesPlaintext(field) && text.toLowerCase().includes(field.column.toLowerCase()));
  if (empty.length === 0) return;
  const words = wordsOf(text);
  for (const field of empty) {
    if (!words.some(({ name }) => name === field.table)) continue;
    const aliases = aliasesOf(words, field.table);
    for (const [place, word] of words.entries()) {
      if (word.name !== field.column || isLabel(words, place)) continue;
      const owner = words[place - 1]?.text === '.' ? words[place - 2]?.name : undefined;
      if (owner !== undefined && !aliases.has(owner)) continue;
      if (!mayStand(words, place, owner !== undefined)) throw refusal(field);
    }
  }
}

function refusal(field: SealedField): Error {
  const reason = `the database would compare, sort or compute by ${field.column}, which is empty since the value is kept in ${field.encrypted}`;
  const known = (['unique', 'exact'] as const).find((kind) => searchedBy(field, kind) !== undefined);
  return notServed(field, reason, known ?? 'exact');
}

/** A word of SQL: what it names (folded as PostgreSQL does), or else its text in lower case. */
type Word = { readonly text: string; readonly name: string | undefined; readonly depth: number };

/** Comments, strings and dollar quotes name nothing. PostgreSQL manual, 4.1. */
const TOKENS =
  /--[^\n]*|\/\*[^]*?\*\/|\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$[^]*?\$\1\$|[eE]'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|"((?:[^"]|"")*)"|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|[0-9][\w.]*|\$\d+|[^\s]/g;

function wordsOf(text: string): readonly Word[] {
  const words: Word[] = [];
  let depth = 0;
  for (const match of text.matchAll(TOKENS)) {
    const [token, , quoted] = match;
    if (token.startsWith('--') || token.startsWith('/*')) continue;
    if (token === ')') depth -= 1;
    if (quoted !== undefined) words.push({ text: '"', name: quoted.replaceAll('""', '"'), depth });
    else if (/^[A-Za-z_\u0080-\uffff]/.test(token) && !token.endsWith("'"))
      words.push({ text: token.toLowerCase(), name: token.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()), depth });
    else words.push({ text: token, name: undefined, depth });
    if (token === '(') depth += 1;
  }
  return words;
}

const CLAUSES = new Set([
  'select',
  'returning',
  'set',
  'into',
  'from',
  'where',
  'on',
  'using',
  'group',
  'order',
  'having',
  'window',
  'limit',
  'values',
  'update',
  'do',
  'by',
  'partition',
  'filter',
  'within',
  'distinct',
]);

/** The table's own name and every name it is called by. */
function aliasesOf(words: readonly Word[], table: string): ReadonlySet<string> {
  // The row that an upsert proposes is of the table that is inserted into.
  const aliases = new Set([table, 'excluded']);
  for (const [place, { name }] of words.entries()) {
    if (name !== table) continue;
    const next = words[place + 1];
    const alias = next?.text === 'as' ? words[place + 2] : next;
    if (alias?.name !== undefined && !(alias.text !== '"' && (CLAUSES.has(alias.text) || JOINS.has(alias.text))))
      aliases.add(alias.name);
  }
  return aliases;
}

const JOINS = new Set([
  'join',
  'inner',
  'left',
  'right',
  'full',
  'cross',
  'natural',
  'as',
  'union',
  'intersect',
  'except',
  'for',
  'offset',
  'default',
]);

/** `… as email`: what a result is called. */
function isLabel(words: readonly Word[], place: number): boolean {
  return words[place - 1]?.text === 'as';
}

function mayStand(words: readonly Word[], place: number, isQualified: boolean): boolean {
  const word = words[place];
  const start = isQualified ? place - 2 : place;
  const [before, after] = [words[start - 1]?.text, words[place + 1]?.text];
  const clause = clauseOf(words, start, word?.depth ?? 0);
  if (clause === 'into') return true;
  if (clause === 'set')
    return (before === 'set' || before === ',' || before === '(') && (after === '=' || after === ',' || after === ')');
  if (clause !== 'select' && clause !== 'returning') return false;
  return (
    (before === 'select' || before === 'returning' || before === ',' || before === 'all') &&
    (after === undefined || [',', ')', ';', 'as', 'from', 'into', 'where'].includes(after))
  );
}

/** The clause that a word stands in: of its own depth, or for the columns of INSERT and SET, of the one around it. */
function clauseOf(words: readonly Word[], place: number, depth: number): string | undefined {
  let level = depth;
  for (let at = place - 1; at >= 0; at -= 1) {
    const word = words[at];
    if (word === undefined || word.depth > level) continue;
    if (word.text === '(' && word.depth < level) {
      level = word.depth;
      continue;
    }
    if (word.depth === level && CLAUSES.has(word.text)) {
      // A call or a parenthesis in a list of what is selected computes.
      const isInside = level < depth;
      return isInside && (word.text === 'select' || word.text === 'returning') ? 'expression' : word.text;
    }
  }
  return undefined;
}
