import { columnName, type DataMap } from '@safekeep/core';
import { findTable, readCatalog, type Database } from '@safekeep/postgres';
import type { DeclaredColumn } from '../rules/declarations.ts';
import { typeOf } from '../rules/types.ts';

/** The columns that the map protects, with what the database says of their values. Only reads. */
export async function declaredColumns(database: Database, map: DataMap): Promise<readonly DeclaredColumn[]> {
  const catalog = await database.withClient((client) => readCatalog(client));
  return [...map.tables].flatMap(([tableName, mapped]) => {
    const table = findTable(catalog, tableName);
    return [...mapped.columns.values()].flatMap(({ name, protect, search }) => {
      const column = table?.columns.find((each) => each.name === name);
      const type = column === undefined ? undefined : typeOf(column);
      if (protect === 'none' || table === undefined || column === undefined || type === undefined) return [];
      const full = columnName(table, name);
      // Once the plaintext is gone the column itself may be empty; whether a value must be there its table says no longer.
      return [{ name: full, type, nullable: !column.notNull, mode: protect, search }];
    });
  });
}
