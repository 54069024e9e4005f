import { actionProblems, categoryProblems } from './check/columns.ts';
import { coverageProblems } from './check/coverage.ts';
import { outsideProblems } from './check/outside.ts';
import { peopleProblems, subjectNameProblems } from './check/people.ts';
import { periodProblems, purposeProblems } from './check/purposes.ts';
import type { DataMap } from './model.ts';
import type { MapProblem } from './problems.ts';
import { indexSchema, type SchemaFacts } from './schema-facts.ts';

/** What can be said against a map without a database: words that mean nothing, and what the law asks for and is missing. */
export function checkMapAlone(map: DataMap): readonly MapProblem[] {
  return [...subjectNameProblems(map), ...purposeProblems(map), ...categoryProblems(map), ...outsideProblems(map)];
}

/**
 * Everything that can be said against a map and a database. Empty: every column is classified, every path leads to a person,
 * and the database will let happen what the map says (the server itself still has to be asked about `erasureValues`).
 */
export function checkMap(map: DataMap, facts: SchemaFacts): readonly MapProblem[] {
  const schema = indexSchema(facts);
  return [
    ...checkMapAlone(map),
    ...coverageProblems(map, schema),
    ...peopleProblems(map, schema),
    ...periodProblems(map, schema),
    ...actionProblems(map, schema),
  ];
}
