import { notServed } from './safekeep.ts';
import type { SealedField } from './field.ts';
import { isCombined, isDerived, isOwn, itemsOf, listsOf, ROWS, sourcesOf, type Item, type Naming } from './statement-lists.ts';
import { clauseOf, type Word } from './statement-words.ts';

/** A result column that the plugin for Kysely added: `email__sealed` belongs to `email`. */
export const SEALED_SUFFIX = '__sealed';

/**
 * The plugin's name for ciphertext that it filters by: it comes as the text that was sealed, and no plugin that turns names between
 * snake_case and camelCase changes it.
 */
export const FILTER_PREFIX = 'safekeepfilter';

/** What is to be told apart of a column in a result: what it is called there. */
export type Named = { readonly name: string };

/** Which plaintext a ciphertext is opened into: the one that it is called after, or else the only one where both are alone. Otherwise undefined. */
export function pairsOf<Column extends Named>(
  plain: readonly Column[],
  sealed: readonly Column[],
): readonly { readonly plain: Column | undefined; readonly sealed: Column }[] | undefined {
  const named = sealed.map((each) => ({ sealed: each, plain: plain.find(({ name }) => `${name}${SEALED_SUFFIX}` === each.name) }));
  const left = plain.filter((each) => !named.some((pair) => pair.plain === each));
  const alone = named.filter((pair) => pair.plain === undefined && !pair.sealed.name.startsWith(FILTER_PREFIX));
  if (left.length === 0 || alone.length === 0) return named;
  if (left.length > 1 || alone.length > 1) return undefined;
  return named.map((pair) => (pair === alone[0] ? { ...pair, plain: left[0] } : pair));
}

/** What to say where a result does not tell which ciphertext belongs to which plaintext. */
export function pairedWrongly(field: SealedField, outcome?: string): Error {
  return notServed(field, `the result does not say of which ${field.column} each ${field.encrypted} is`, {
    outcome,
    index: `Give every column a name of its own, and each ciphertext that of its value: a.${field.column} as mine, a.${field.encrypted} as mine${SEALED_SUFFIX}.`,
  });
}

/**
 * Refuses lists whose result would be opened into the value of another row, and what would tell values apart by their ciphertext, of
 * which equal ones have different ones: whatever the phase, as soon as a statement asks for ciphertext.
 */
export function checkPairs(words: readonly Word[], naming: Naming, renames: boolean): void {
  const { field, own } = naming;
  for (const [place, { name }] of words.entries())
    if (name === field.encrypted && tellsApart(words, place) && isOwn(words, place, own))
      throw notServed(
        field,
        `DISTINCT would tell the ciphertexts in ${field.encrypted} apart, and equal values have different ones`,
      );
  const lists = listsOf(words).map((list) => ({ list, items: itemsOf(words, list, naming) }));
  const isRenamed = renames || lists.some((list) => renamesOn(words, list, field));
  for (const list of lists) checkList(words, { ...list, naming, isRenamed });
}

function tellsApart(words: readonly Word[], place: number): boolean {
  const clause = clauseOf(words, place);
  return clause?.text === 'distinct' || (clause?.text === 'on' && clause.isInside && words[clause.place - 1]?.text === 'distinct');
}

type List = { readonly list: number; readonly items: readonly Item[] };

/** A query with a name that passes on the column, or its ciphertext, as another. */
function renamesOn(words: readonly Word[], { list, items }: List, { column, encrypted }: SealedField): boolean {
  const isRenamed = items.some(
    ({ kind, label }) => (kind === 'plain' && label !== column) || (kind === 'sealed' && label !== encrypted),
  );
  return isRenamed && isDerived(words, words[list]?.group);
}

type Checked = List & { readonly naming: Naming; readonly isRenamed: boolean };

function checkList(words: readonly Word[], { list, items, naming, isRenamed }: Checked): void {
  const { field } = naming;
  const plain = items.filter(({ kind }) => kind === 'plain' || kind === 'all').map((item) => columnOf(item, field.column));
  const sealed = items.filter(({ kind }) => kind === 'sealed' || kind === 'all').map((item) => columnOf(item, field.encrypted));
  const group = words[list]?.group;
  if (sealed.length === 0) return;
  if (items.some(({ kind }) => kind === 'sealed') && isCombined(words, group))
    throw notServed(field, `the result of a set operation does not say of which column ${field.encrypted} is`);
  const rows = new Set([...plain, ...sealed].map(({ row }) => row));
  const isOne = sourcesOf(words, list, naming) <= 1 && ![...rows].some((row) => ROWS.has(row ?? ''));
  if (!isOne && (isRenamed || items.some(({ kind, row }) => kind === 'all' && row === undefined))) throw pairedWrongly(field);
  if (plain.length === 0) return;
  if (group?.parent !== undefined) {
    if (!isOne && rows.size > 1) throw pairedWrongly(field);
    return;
  }
  const pairs = pairsOf(plain, sealed);
  if (pairs === undefined || (!isOne && pairs.some((pair) => pair.plain !== undefined && pair.plain.row !== pair.sealed.row)))
    throw pairedWrongly(field);
}

function columnOf({ kind, row, label }: Item, column: string): Named & Pick<Item, 'row'> {
  return { row, name: kind === 'all' ? column : (label ?? column) };
}
