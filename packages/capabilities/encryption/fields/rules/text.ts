import { formatColumnName, SafekeepError, searchKinds, type SearchKind } from '@safekeep/core';
import type { DoneText, Field, FieldText } from '../model.ts';
import type { Answer } from './refusals.ts';

/** `exact,last4`, each once. */
export function parseSearch(text: string): readonly SearchKind[] {
  const named = text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  return [
    ...new Set(
      named.map((each) => {
        const kind = searchKinds.find((known) => known === each);
        if (kind === undefined)
          throw new SafekeepError('usage', { problem: `--search ${each} is none of ${searchKinds.join(', ')}.` });
        return kind;
      }),
    ),
  ];
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
    search: field.indexes.map(({ kind, column, bits, attackGain, state }) => ({ kind, column, bits, attackGain, state })),
    failure: field.failure,
  };
}

export function answerText({ object, effect, breaks, remedy }: Answer): DoneText['answers'][number] {
  return { object, effect, breaks, remedy };
}
