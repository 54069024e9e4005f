import type { SealedField } from './field.ts';
import { clauseOf, derivedOf, isClause, queryOf, type Group, type Word } from './statement-words.ts';

/** A field, and the names that its table's columns can stand behind in a statement. */
export type Naming = { readonly field: SealedField; readonly own: ReadonlySet<string> };

/** In RETURNING the row as it was and as it is; of ON CONFLICT the row that is proposed. Neither is a table. */
export const ROWS = new Set(['old', 'new', 'excluded']);

/** `… as email` is what a result is called. Without a name before it a column is the field's where its query can see the table. */
export function isOwn(words: readonly Word[], place: number, own: ReadonlySet<string>): boolean {
  if (words[place - 1]?.text === 'as') return false;
  const row = words[place - 2];
  // Of what row `(…).email` is, the words do not say.
  if (words[place - 1]?.text === '.' && ![')', ']'].includes(row?.text ?? '')) return own.has(row?.name ?? '');
  const seen = new Set<Group | undefined>();
  for (let group = queryOf(words, place); group !== undefined; group = group.parent) seen.add(group);
  return words.some(
    ({ name }, at) => at !== place && name !== undefined && own.has(name) && !ROWS.has(name) && seen.has(queryOf(words, at)),
  );
}

/** `*` that stands for columns; another one multiplies. */
export function isStar(words: readonly Word[], place: number): boolean {
  return words[place]?.text === '*' && ['select', 'returning', 'all', 'distinct', ',', '.'].includes(words[place - 1]?.text ?? '');
}

/** The result of a set operation has no table that its columns are of. */
export function isCombined(words: readonly Word[], group: Group | undefined): boolean {
  return words.some((word) => word.group === group && ['union', 'intersect', 'except'].includes(word.text));
}

/** Whether a list is what a query with a name passes on, and no answer. */
export function isDerived(words: readonly Word[], group: Group | undefined): boolean {
  return derivedOf(words).some((derived) => derived.group === group);
}

type Kind = 'plain' | 'sealed' | 'all' | 'other';

/** What is listed behind SELECT or RETURNING. `row`: the name before the column; `label`: what the result calls it; `at`: its place. */
export type Item = {
  readonly kind: Kind;
  readonly row: string | undefined;
  readonly label: string | undefined;
  readonly at: number;
};

/** Where the lists of a statement begin. */
export function listsOf(words: readonly Word[]): readonly number[] {
  return words.flatMap(({ text }, place) => (text === 'select' || text === 'returning' ? [place] : []));
}

export function itemsOf(words: readonly Word[], list: number, naming: Naming): readonly Item[] {
  return placesOf(words, list).map((places) => itemOf(words, places, naming));
}

/** The places of the words of each item. */
function placesOf(words: readonly Word[], list: number): readonly (readonly number[])[] {
  const group = words[list]?.group;
  const items: number[][] = [];
  let item: number[] = [];
  const end = (): void => {
    if (item.length > 0) items.push(item);
    item = [];
  };
  for (let at = behindQuantifier(words, list); ; at += 1) {
    const word = words[at];
    const isOver = word === undefined || at >= (group?.to ?? 0) || (word.group === group && isClause(word));
    if (isOver || (word.group === group && word.text === ',')) end();
    else item.push(at);
    if (isOver) return items;
  }
}

/** `select all`, `select distinct`, `select distinct on (…)`. */
function behindQuantifier(words: readonly Word[], list: number): number {
  const at = list + 1;
  if (words[at]?.text === 'all') return at + 1;
  if (words[at]?.text !== 'distinct') return at;
  return words[at + 1]?.text === 'on' ? (words[at + 3]?.group.to ?? at + 1) + 1 : at + 1;
}

function itemOf(words: readonly Word[], places: readonly number[], { field, own }: Naming): Item {
  // PostgreSQL leaves out parentheses around a column.
  const bare = places.filter((place) => !['(', ')'].includes(words[place]?.text ?? ''));
  let start = 0;
  while (words[bare[start + 1] ?? -1]?.text === '.') start += 2;
  const at = bare[start] ?? -1;
  const [first, next] = [words[at], words[bare[start + 1] ?? -1]];
  const item = { row: words[bare[start - 2] ?? -1]?.name, label: words[places.at(-1) ?? -1]?.name, at };
  if (first?.text === '*') {
    const isWhole = next === undefined && bare.length === places.length;
    return { ...item, kind: isWhole && isOwn(words, at, own) ? 'all' : 'other' };
  }
  const isColumn = next === undefined || next.text === 'as' || (next.name !== undefined && bare.length === start + 2);
  const kind = first?.name === field.column ? 'plain' : first?.name === field.encrypted ? 'sealed' : 'other';
  if (kind === 'other' || !isColumn || !isOwn(words, at, own)) return { ...item, kind: 'other' };
  return { ...item, label: next === undefined ? first?.name : item.label, kind };
}

/** How many tables with the column a list takes it from: what SELECT reads, what RETURNING writes and reads. */
export function sourcesOf(words: readonly Word[], list: number, { own }: Naming): number {
  const query = queryOf(words, list);
  const clauses = ['from', 'join', 'on', 'using', ...(words[list]?.text === 'returning' ? ['into', 'update'] : [])];
  return words.filter(({ name }, at) => {
    if (name === undefined || !own.has(name) || ROWS.has(name) || words[at + 1]?.text === '.' || queryOf(words, at) !== query)
      return false;
    return clauses.includes(clauseOf(words, at)?.text ?? '') && !isAlias(words, at);
  }).length;
}

/** `people p`, `people as p` */
function isAlias(words: readonly Word[], place: number): boolean {
  if (words[place - 1]?.text === 'as') return words[place - 2]?.text !== ')';
  const before = words[place - 1];
  return before?.name !== undefined && !isClause(before) && !['only', 'lateral'].includes(before.text);
}
