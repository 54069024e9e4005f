import { cardRuleOf, encryptedName, formatColumnName, formatTableName, type DataMap, type TenantRule } from '@safekeep/core';
import { findTable, type Column, type Database, type Table } from '@safekeep/postgres';
import type { Contributor, Note, Problem, Refusal } from '../../plan/index.ts';
import { answersFor, upsertAnswer } from './rules/refusals.ts';
import { listFields } from './store/records.ts';
import { begin, rollback } from './store/session.ts';

/**
 * What the map's `protect` means for the database, told at plan time: what stands in the way is a problem with what to do, what
 * will be different is a note. The columns themselves are brought there by `safekeep encrypt`, which takes as long as the table
 * is large and gives the application time between its steps; `plan` says where that is still to be done.
 */
export const encryptedFields: Contributor = ({ map, catalog }) => {
  const problems: Problem[] = [];
  const notes: Note[] = [];
  for (const { table, column, name, mode, search, categories, tenant } of protectedColumns(map, (each) =>
    findTable(catalog, each),
  )) {
    const isBegun = table.columns.some((each) => each.name === encryptedName(column.name));
    if (isBegun) continue;
    const answers = answersFor(catalog, table, { column, asked: { mode, search, card: cardRuleOf(categories), tenant } });
    for (const { object, breaks, remedy } of answers.filter(({ effect }) => effect === 'stops'))
      problems.push({ target: name, reason: `it cannot be encrypted as it is. ${object}: ${breaks}. What to do: ${remedy}` });
    const upsert = upsertAnswer(table, column);
    for (const { object, breaks, remedy } of [
      ...answers.filter(({ effect }) => effect === 'changes'),
      ...(upsert === undefined ? [] : [upsert]),
    ])
      notes.push({ target: name, text: `once it is encrypted: ${object}: ${breaks}. What to do: ${remedy}.` });
    notes.push({ target: name, text: `is not encrypted yet. Run: safekeep encrypt ${name}` });
  }
  return { objects: [], problems, notes };
};

type Protected = {
  readonly table: Table;
  readonly column: Column;
  readonly name: string;
  readonly mode: 'client' | 'database';
  readonly search: Parameters<typeof answersFor>[2]['asked']['search'];
  readonly categories: readonly string[];
  readonly tenant: TenantRule['kind'];
};

function protectedColumns(map: DataMap, find: (name: string) => Table | undefined): readonly Protected[] {
  return [...map.tables].flatMap(([tableName, mapped]) => {
    const table = find(tableName);
    return [...mapped.columns.values()].flatMap(({ name, protect, search, categories }) => {
      const column = table?.columns.find((each) => each.name === name);
      // What is not there is the comments' problem to tell.
      if (protect === 'none' || table === undefined || column === undefined) return [];
      const full = formatColumnName({ schema: table.schema, table: table.name, column: name });
      const tenant = (mapped.tenant ?? map.tenant).kind;
      return [{ table, column, name: full, mode: protect, search, categories, tenant }];
    });
  });
}

/** Taking Safekeep out would leave ciphertext that nobody opens: `decrypt` comes first. */
export async function refuseWhileEncrypted(database: Database, tenant: string): Promise<readonly Refusal[]> {
  return await database.withClient(async (client) => {
    await begin(client, tenant);
    const fields = await listFields(client, tenant);
    await rollback(client);
    return fields.map(({ table, column }) => {
      const name = formatColumnName({ ...table, column });
      return {
        target: formatTableName(table),
        reason: `${name} is encrypted`,
        remedy: `Bring its plaintext back: \`safekeep decrypt ${name}\`.`,
      };
    });
  });
}
