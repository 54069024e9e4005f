import type pg from 'pg';
import { formatPerson, type Person } from '../../holds/index.ts';
import { tenancyOf } from '../rules/graph.ts';
import { isMask, isTextual } from '../rules/masks.ts';
import { somePeople } from '../store/people.ts';
import type { Ground } from './ground.ts';
import { policies } from './survey.ts';

type Values = { readonly columns: readonly string[]; readonly values: readonly (string | null)[] };

/** Nobody stands behind a row whose values are masks. Somebody who came back, or was given the number of a row that is gone, has others. */
export function areMasks(ground: Ground, table: string, { columns, values }: Values): boolean {
  const { whole, facts } = policies(ground, table);
  const choices = new Map(whole.choices.map((choice) => [choice.column, choice]));
  const times = new Set(facts.columns.filter(({ baseType }) => baseType.startsWith('timestamp')).map(({ name }) => name));
  const masked = columns.flatMap((column, place) => {
    const choice = choices.get(column);
    // The server writes a time otherwise than the map does.
    return choice === undefined || times.has(column) ? [] : [{ choice, value: values[place] ?? null }];
  });
  return masked.length > 0 && masked.every(({ choice, value }) => choice.candidates.some((write) => isMask(write, value)));
}

/** Those of these people whose own rows have nothing but masks, as `formatPerson` names them; columns `without` are not asked. A row that is gone says nothing. */
export async function maskedAmong(
  client: pg.ClientBase,
  ground: Ground,
  people: readonly Person[],
  without: ReadonlySet<string> = new Set(),
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const [type, same] of Map.groupBy(people, (person) => person.type)) {
    const subject = ground.map.subjects.get(type);
    if (subject === undefined) continue;
    const { whole, facts } = policies(ground, subject.table);
    const masked = facts.columns.filter(({ name }) => !without.has(name) && whole.choices.some(({ column }) => column === name));
    // Numbers and dates are written in more than one way; where there is text, the text says it.
    const texts = masked.filter(isTextual);
    const columns = (texts.length > 0 ? texts : masked).map(({ name }) => name);
    const rows = await somePeople(client, {
      schema: ground.schema,
      subject,
      keys: same.map(({ key }) => key),
      columns,
      tenancy: tenancyOf(ground, subject),
    });
    for (const { key, values } of rows)
      if (areMasks(ground, subject.table, { columns, values })) found.add(formatPerson({ type, key }));
  }
  return found;
}
