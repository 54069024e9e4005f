import type { Subject } from '@safekeep/core';
import { type Database, inTenant } from '@safekeep/postgres';
import type { Person, RecordKey } from '../model.ts';
import { formatPerson, parseKey } from '../rules/key.ts';
import { writtenKey } from '../store/keys.ts';
import { writeValuesInOneForm } from '../store/transaction.ts';

/**
 * The key of a person as the database itself writes it, whoever typed it: `042`, ` 42` and an id in capitals name the same row as `42`,
 * and holds, marks, keys and the log know people by the text of their key. Everything that takes a person from outside asks this first.
 * Undefined for what is no value of the key's types. Where there is no such row (any more) it is what its types make of it.
 */
export async function ownKey(
  database: Database,
  tenant: string,
  { subject, key }: { readonly subject: Pick<Subject, 'table' | 'key'>; readonly key: RecordKey },
): Promise<RecordKey | undefined> {
  return await inTenant(database, tenant, async (client) => {
    await writeValuesInOneForm(client);
    return await writtenKey(client, subject, key);
  });
}

/** `patient:042` as everything else of Safekeep writes it: `patient:42`. What the map or the database cannot read stays as it is. */
export async function ownName(
  database: Database,
  tenant: string,
  { subjects, name }: { readonly subjects: ReadonlyMap<string, Subject>; readonly name: string },
): Promise<string> {
  const person = personIn(name);
  const subject = subjects.get(person?.type ?? '');
  if (person === undefined || subject === undefined) return name;
  const key = await ownKey(database, tenant, { subject, key: person.key });
  return key === undefined ? name : formatPerson({ ...person, key });
}

function personIn(name: string): Person | undefined {
  const colon = name.indexOf(':');
  const key = colon < 1 ? undefined : parseKey(name.slice(colon + 1));
  return key === undefined || 'fault' in key ? undefined : { type: name.slice(0, colon), key };
}
