import {
  checkMap,
  checkMapAlone,
  erasureValues,
  indexSchema,
  isMappable,
  ownColumns,
  problemAt,
  severalPeople,
  tableName,
  type MapProblem,
  unconfirmedPurposes,
} from '@safekeep/core';
import { readCatalog, type Catalog, type Database } from '@safekeep/postgres';
import type pg from 'pg';
import type { CheckResult } from '../model.ts';
import { located } from '../rules.ts';
import { countRows, refusalOf } from '../store.ts';
import type { MapText } from '../text/document.ts';

/** Ways whose rows are counted; the rest of a hopeless map is told without figures. */
const COUNTS_AT_MOST = 100;

/** What can be said against a map without a database. */
export function checkWithoutDatabase(map: MapText): CheckResult {
  const problems = checkMapAlone(map.map).map((problem) => located(problem, map));
  const unconfirmed = [...unconfirmedPurposes(map.map)];
  return { ok: problems.length === 0, problems, tables: 0, columns: 0, unconfirmed, several: [] };
}

/** Holds a map against a database: the gate. Reads the catalogue and asks questions; changes nothing, needs no schema of ours. */
export async function checkDatabase(database: Database, map: MapText): Promise<CheckResult & { readonly catalog: Catalog }> {
  return database.withClient(async (client) => {
    const catalog = await readCatalog(client);
    const found = checkMap(map.map, catalog);
    const counted = await withCounts(client, found);
    const problems = [...counted, ...(await refusedValues(client, map, catalog))].map((problem) => located(problem, map));
    const tables = catalog.tables.filter(isMappable);
    const columns = tables.reduce((sum, table) => sum + ownColumns(table, map.map.tables.get(tableName(table))).length, 0);
    const unconfirmed = [...unconfirmedPurposes(map.map)];
    const several = severalPeople(map.map, indexSchema(catalog)).map(({ table, paths, columns: unsaid }) => ({
      table,
      paths: [...paths],
      columns: [...unsaid],
    }));
    return { ok: problems.length === 0, problems, tables: tables.length, columns, unconfirmed, several, catalog };
  });
}

/** Which of several ways is meant is often plain once one knows how many rows each of them has. */
async function withCounts(client: pg.ClientBase, problems: readonly MapProblem[]): Promise<readonly MapProblem[]> {
  const told: MapProblem[] = [];
  let left = COUNTS_AT_MOST;
  for (const problem of problems) {
    const { candidates = [] } = problem;
    if (candidates.length === 0 || candidates.length > left) {
      told.push(problem);
      continue;
    }
    left -= candidates.length;
    const counts: string[] = [];
    for (const candidate of candidates) counts.push(`${(await countRows(client, candidate)) ?? 'too many to count'}`);
    told.push({ ...problem, message: `${problem.message}; rows: ${counts.join('; ')}` });
  }
  return told;
}

async function refusedValues(client: pg.ClientBase, map: MapText, catalog: Catalog): Promise<readonly MapProblem[]> {
  const problems: MapProblem[] = [];
  for (const value of erasureValues(map.map, indexSchema(catalog))) {
    const refusal = await refusalOf(client, value);
    if (refusal === undefined) continue;
    const place = { table: value.table, column: value.column, pointer: ['tables', value.table, ...value.within] };
    problems.push(problemAt('erase-refused', place, `${value.column} of ${value.table}: ${refusal}`));
  }
  return problems;
}
