import type pg from 'pg';
import { formatPerson, type Person } from '../../holds/index.ts';
import { tenancyOf } from '../rules/graph.ts';
import { somePeople } from '../store/people.ts';
import type { Ground } from './ground.ts';

/**
 * The same human under every kind of subject that the map has for the table of their row, the name they were asked for by first: a hold on
 * the employee holds the customer.
 */
export type NamesOf = (person: Person) => readonly Person[];

export async function otherNames(client: pg.ClientBase, ground: Ground, people: readonly Person[]): Promise<NamesOf> {
  const names = new Map<string, Person[]>();
  const note = (person: Person, other: Person): void => {
    const text = formatPerson(person);
    names.set(text, [...(names.get(text) ?? [person]), other]);
  };
  for (const [type, same] of Map.groupBy(people, (person) => person.type)) {
    const subject = ground.map.subjects.get(type);
    if (subject === undefined) continue;
    const distinct = [...new Map(same.map((person) => [formatPerson(person), person])).values()];
    for (const other of ground.map.subjects.values()) {
      if (other.name === type || other.table !== subject.table) continue;
      if (other.key.length === subject.key.length && other.key.every((column, place) => column === subject.key[place])) {
        for (const person of distinct) note(person, { type: other.name, key: person.key });
        continue;
      }
      const rows = await somePeople(client, {
        schema: ground.schema,
        subject,
        keys: distinct.map(({ key }) => key),
        columns: other.key,
        tenancy: tenancyOf(ground, subject),
      });
      // A part that is null names nobody.
      for (const { key, values } of rows)
        if (values.every((value) => value !== null)) note({ type, key }, { type: other.name, key: values.map(String) });
    }
  }
  return (person) => names.get(formatPerson(person)) ?? [person];
}
