import { formatName, formatTableName } from '@safekeep/core';
import type { Catalog } from '@safekeep/postgres';

/**
 * Materialized views that read one of these tables, a part of one (a partition, an heir) or what one is a part of, through other views too: they
 * keep old values until they are refreshed.
 */
export function staleViews({ tables }: Pick<Catalog, 'tables'>, touched: readonly string[]): readonly string[] {
  const parts = tables.flatMap(({ schema, name, inherits, partition }) =>
    [...inherits, ...(partition === null ? [] : [partition.parent])].map((parent) => ({
      part: formatName(schema, name),
      of: formatTableName(parent),
    })),
  );
  const below = reachedFrom(
    touched,
    parts.map(({ part, of }) => ({ from: of, to: part })),
  );
  const above = reachedFrom(
    touched,
    parts.map(({ part, of }) => ({ from: part, to: of })),
  );
  const reads = tables.flatMap(({ schema, name, view }) =>
    (view?.reads ?? []).map((read) => ({ from: formatName(read.schema, read.table), to: formatName(schema, name) })),
  );
  const reached = reachedFrom([...below, ...above], reads);
  return tables
    .filter(({ kind, schema, name }) => kind === 'materialized-view' && reached.has(formatName(schema, name)))
    .map(({ schema, name }) => formatName(schema, name));
}

function reachedFrom(
  start: readonly string[],
  steps: readonly { readonly from: string; readonly to: string }[],
): ReadonlySet<string> {
  const reached = new Set(start);
  for (let before = -1; before < reached.size;) {
    before = reached.size;
    for (const { from, to } of steps) if (reached.has(from)) reached.add(to);
  }
  return reached;
}
