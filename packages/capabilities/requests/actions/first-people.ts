import type { Subject } from '@safekeep/core';
import { formatPerson } from '../../holds/index.ts';
import { tenancyOf } from '../rules/graph.ts';
import { everyPerson } from '../store/people.ts';
import { inTransaction } from '../store/session.ts';
import type { Ground } from './ground.ts';

/** Some people of a kind, as `type:key`, for whoever wants to try something on real ones. Their keys and nothing else is read. */
export async function firstPeople(ground: Ground, subject: Subject, count: number): Promise<readonly string[]> {
  const { database, tenant, schema } = ground;
  return await inTransaction(
    database,
    { tenant, mode: 'isolation level repeatable read, read only' },
    async (client) => {
      const people: string[] = [];
      const tenancy = tenancyOf(ground, subject);
      for await (const batch of everyPerson(client, { schema, subject, columns: [], tenancy })) {
        people.push(...batch.map(({ key }) => formatPerson({ type: subject.name, key })));
        if (people.length >= count) break;
      }
      return people.slice(0, count);
    },
    'rollback',
  );
}
