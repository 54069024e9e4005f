import { formatColumnName, SafekeepError, searchKinds, type IndexKind, type SearchKind } from '@safekeep/core';
import type { DoneText, Field, FieldText } from '../model.ts';
import type { Answer } from './refusals.ts';

/** `exact,last4`, each once. */
export function parseSearch(text: string): readonly SearchKind[] {
  return parseKinds(text, searchKinds);
}

/** The same of indexes that stand, among which may be one over several columns. */
export function parseIndexes(text: string): readonly IndexKind[] {
  return parseKinds(text, [...searchKinds, 'compound']);
}

function parseKinds<Kind extends IndexKind>(text: string, kinds: readonly Kind[]): readonly Kind[] {
  const named = text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  return [
    ...new Set(
      named.map((each) => {
        const kind = kinds.find((known) => known === each);
        if (kind === undefined) throw new SafekeepError('usage', { problem: `--search ${each} is none of ${kinds.join(', ')}.` });
        return kind;
      }),
    ),
  ];
}

/** `birth_date,postcode`, each once; `none` for no column. */
export function parseWith(text: string): readonly string[] {
  const named = text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  return named.length === 1 && named[0] === 'none' ? [] : [...new Set(named)];
}

export function fieldText(field: Field): FieldText {
  return {
    field: formatColumnName({ ...field.table, column: field.column }),
    mode: field.mode,
    phase: field.phase,
    direction: field.direction,
    done: field.done,
    total: field.total,
    rowsPerSecond: field.rowsPerSecond,
    verified: field.verified,
    encryptedColumn: field.encryptedColumn,
    search: field.indexes.map(({ kind, parts, column, bits, attackGain, state }) => ({
      kind,
      with: parts.slice(1).map((part) => part.column),
      column,
      bits,
      attackGain,
      state,
    })),
    failure: field.failure,
  };
}

export function answerText({ object, effect, breaks, remedy }: Answer): DoneText['answers'][number] {
  return { object, effect, breaks, remedy };
}
