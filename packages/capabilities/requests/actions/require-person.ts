import { SafekeepError } from '@safekeep/core';
import { tenancyOf } from '../rules/graph.ts';
import { onePerson } from '../store/people.ts';
import { inTransaction } from '../store/session.ts';
import { findPerson, type Ground } from './ground.ts';

/** Whether `patient:42` is there, before anything is done for their sake. Throws as `findPerson`, and `subject-unknown`. */
export async function requirePerson(ground: Ground, text: string): Promise<void> {
  const { person, subject } = await findPerson(ground, text);
  const { database, tenant, schema } = ground;
  const wanted = { schema, subject, key: person.key, columns: [], tenancy: tenancyOf(ground, subject) };
  const mode = 'isolation level repeatable read, read only';
  const row = await inTransaction(database, { tenant, mode }, (client) => onePerson(client, wanted), 'rollback');
  if (row === undefined) throw new SafekeepError('subject-unknown', { type: person.type });
}
