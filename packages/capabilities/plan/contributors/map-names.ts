import { formatPath, indexSchema, resolveEdge, type DataMap, type SchemaIndex } from '@safekeep/core';
import type { Contributor, Problem } from '../model.ts';

/**
 * Makes nothing: says which names of the map are not there of those that lead to people. Of a table or column that is mapped itself the
 * comments tell.
 */
export const mapNames: Contributor = ({ map, catalog }) => {
  const schema = indexSchema(catalog);
  return { objects: [], problems: [...subjectProblems(map, schema), ...pathProblems(map, schema)], notes: [] };
};

function subjectProblems(map: DataMap, schema: SchemaIndex): readonly Problem[] {
  return [...map.subjects.values()].flatMap(({ name, table, key }): readonly Problem[] => {
    const known = schema.byName.get(table);
    if (known === undefined) return [{ target: table, reason: `the subject ${name} of the map names a table that is not there` }];
    const columns = new Set(known.columns.map((column) => column.name));
    return key
      .filter((column) => !columns.has(column))
      .map((column) => ({ target: table, reason: `the key of the subject ${name} names ${column}, a column that is not there` }));
  });
}

/** Of two ways that a path may mean `map check` asks; nothing of the plan depends on it. */
function pathProblems(map: DataMap, schema: SchemaIndex): readonly Problem[] {
  return [...map.tables.values()]
    .filter(({ name }) => schema.byName.has(name))
    .flatMap(({ name, of }) =>
      of.flatMap((edge): readonly Problem[] => {
        const resolved = resolveEdge(map, schema, name, edge);
        if (!('kind' in resolved) || resolved.kind !== 'broken') return [];
        const { message, remedy } = resolved;
        return [
          {
            target: name,
            reason: `the path ${formatPath(edge.path)} of the map leads to no ${edge.subject}: ${message}. ${remedy}`,
          },
        ];
      }),
    );
}
