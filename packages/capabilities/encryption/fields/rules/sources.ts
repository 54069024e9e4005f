import type { RoutineSource, TriggerSource } from '../model.ts';
import { changes, mentions, stops, type Answer } from './refusals.ts';

type Of = { readonly table: string; readonly column: string };

/** What a function seems to do with the column, by the words of its source: a hint for a reader, who alone can tell. */
export function sourceAnswers({ name, source, ofRows }: RoutineSource, { table, column }: Of): readonly Answer[] {
  const object = `function ${name}`;
  if (mentionsColumn(source, table, column))
    return [
      changes(
        object,
        'its source names table and column; from finish on it finds NULL there',
        'read it; let it use the view …_decrypted, or get the value from the application',
      ),
    ];
  if (copiesAll(source, [table]))
    return [
      changes(
        object,
        'it copies whole rows of the table: they have columns more from the first step on, and copies made before finish keep their plaintext',
        'let it name the columns, without this one; erase the column where the copies are',
      ),
    ];
  if (!ofRows) return [];
  return [
    changes(
      object,
      'it takes or gives whole rows of the table; from finish on the column is NULL in them',
      'read it; let it use the view …_decrypted, or get the value from the application',
    ),
  ];
}

/** What the function of a trigger of the table seems to do with whole rows and with the column. */
export function triggerAnswers(
  { name, source, transitionTables }: TriggerSource,
  { column }: Pick<Of, 'column'>,
): readonly Answer[] {
  const code = withoutComments(source);
  const rows = rowsInserted(code);
  if (rows.includes('columns') || copiesAll(source, transitionTables))
    return [
      stops(
        `trigger ${name}`,
        'it inserts whole rows (OLD.*, NEW.*) into another table, which has no place for the ciphertext: every write would fail from the first step on; and what it has copied keeps its plaintext',
        'let it name the columns, without this one; erase the column where the copies are',
      ),
    ];
  return [
    ...(rows.length > 0 || TAKES_ROW.test(code.replaceAll(RETURNS, ''))
      ? [
          changes(
            `rows copied by trigger ${name}`,
            'it takes rows as a whole (OLD, NEW) and may keep them: what it kept before finish keeps its plaintext, which nothing encrypts',
            'look where it puts them, and erase the column there',
          ),
        ]
      : []),
    ...(givesValue(code, column)
      ? [
          changes(
            `value given by trigger ${name}`,
            'from finish on the column is NULL where it looks; an UPDATE that leaves a sealed value as it is, and for which it gives another, is refused',
            'let it give one only where the statement brings one (new.… IS NOT NULL), or let the application do it',
          ),
        ]
      : []),
  ];
}

/** Whether the source of a function seems to name a column: as a whole word together with its table, or in quotes. */
export function mentionsColumn(source: string, table: string, column: string): boolean {
  return names(source, column) && names(source, table);
}

/** People write names without quotes in any case. */
function names(source: string, name: string): boolean {
  return mentions(source, name) || (name === name.toLowerCase() && mentions(source.toLowerCase(), name));
}

/** In an INSERT, also by `($1).*` in one that is put together. */
const WHOLE_ROW = /(?:\b(?:old|new)|\(\s*(?:old|new|\$\d+)\s*\))\s*\.\s*\*/gi;

/** As what the whole rows of its INSERTs come in: as columns that the other table must have, or as one value, made by a call (`to_jsonb(new.*)`). */
function rowsInserted(code: string): readonly ('columns' | 'value')[] {
  return code.split(';').flatMap((statement) => {
    const [, inserted = ''] = /\binsert\s+into\b(.*)$/is.exec(statement) ?? [];
    return [...inserted.matchAll(WHOLE_ROW)].map(({ index }) => (endsInCall(inserted.slice(0, index)) ? 'value' : 'columns'));
  });
}

/** Of the parentheses that are open at its end, the last is that of a call: `ROW` and a query in parentheses give columns. */
function endsInCall(text: string): boolean {
  let open = text.replaceAll(/'(?:[^']|'')*'/g, '_');
  for (let before = ''; before !== open;) {
    before = open;
    open = before.replaceAll(/\([^()]*\)/g, ' ');
  }
  const [, called] = /([\w$"]+)\s*\((?!\s*(?:select|values|with)\b)[^(]*$/i.exec(open) ?? [];
  return called !== undefined && !/^(?:values|row)$/i.test(called);
}

/** OLD or NEW as a value: an argument, a cast, something that is assigned from. */
const TAKES_ROW = /\b(?:old|new)\s*(?:\)|,|::)/i;

const RETURNS = /\breturn\s+(?:old|new)\s*;/gi;

/** `insert into … select * from TABLE`. */
function copiesAll(source: string, tables: readonly string[]): boolean {
  return withoutComments(source)
    .split(';')
    .some((statement) => {
      const [, selected] = /\binsert\s+into\b[^;]*?\bselect\b(?:[^;]*,)?\s*(?:[\w"]+\s*\.\s*)?\*(.*)$/is.exec(statement) ?? [];
      return selected !== undefined && tables.some((table) => names(selected, table));
    });
}

/** An assignment: PL/pgSQL also takes `=` for one, where a statement begins. */
const GIVES =
  /(?:(?:^|;|\b(?:begin|then|else|loop))\s*new\s*\.\s*(NAME)\s*:?=|\binto\s+(?:strict\s+)?new\s*\.\s*(NAME))/.source.replaceAll(
    'NAME',
    String.raw`"(?:[^"]|"")+"|[\p{L}\p{N}_$]+`,
  );

function givesValue(code: string, column: string): boolean {
  return [...code.matchAll(new RegExp(GIVES, 'giu'))].some(([, set, into]) => {
    const name = set ?? into ?? '';
    return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') === column : name.toLowerCase() === column;
  });
}

function withoutComments(source: string): string {
  return source.replaceAll(/\/\*.*?\*\//gs, ' ').replaceAll(/--[^\n]*/g, ' ');
}
