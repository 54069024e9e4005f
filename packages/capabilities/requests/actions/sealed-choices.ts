import type pg from 'pg';
import { columnOf, encryptedName } from '@safekeep/core';
import { sealedText, type ColumnChoice, type Write } from '../rules/masks.ts';
import type { Ground } from './ground.ts';
import type { SurveyedTable } from './survey.ts';

/**
 * The choices for a table with what was made of its sealed values: ciphertext, blind indexes, and the plain column that must stay
 * empty. Without somebody who holds the keys they stay as they are, and a column that must hold something refuses.
 */
export async function sealedChoices(
  client: pg.ClientBase,
  { ports, tenant }: Ground,
  { table, policy: { facts, mapped } }: SurveyedTable,
  choices: readonly ColumnChoice[],
): Promise<readonly ColumnChoice[]> {
  const made = new Map(choices.map((choice) => [choice.column, choice]));
  for (const { column: sealed } of choices) {
    if (mapped === null || mapped.columns.has(sealed)) continue;
    const field = [...mapped.columns.values()].find((each) => encryptedName(each.name) === sealed);
    if (field === undefined) continue;
    const { name } = field;
    const plain = columnOf(facts, name);
    if (plain === undefined) continue;
    const mask = await ports.opener?.mask(client, { tenant, table, column: name, text: sealedText(field, plain) });
    if (mask === undefined || mask === null) continue;
    const { stored, indexes, isPlainEmpty } = mask;
    const sealedWrite: Write =
      stored === null
        ? { column: sealed, to: 'null' }
        : { column: sealed, to: 'value', text: `\\x${stored.toString('hex')}`, told: 'a sealed mask' };
    const writes: readonly Write[] = [
      sealedWrite,
      ...indexes.map(({ column, value }): Write =>
        value === null ? { column, to: 'null' } : { column, to: 'value', text: value, told: 'index of the mask' },
      ),
      ...(isPlainEmpty ? [{ column: name, to: 'null' } as const] : []),
    ];
    for (const write of writes) made.set(write.column, { column: write.column, candidates: [write], fixed: true });
  }
  return [...made.values()];
}
