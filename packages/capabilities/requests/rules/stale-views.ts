import { formatName } from '@safekeep/core';
import type { Catalog } from '@safekeep/postgres';

/** Materialized views that read one of these tables, through other views too: they keep old values until they are refreshed. */
export function staleViews({ tables }: Pick<Catalog, 'tables'>, touched: readonly string[]): readonly string[] {
  const reached = new Set(touched);
  const views = tables.flatMap(({ schema, name, kind, view }) =>
    view === null
      ? []
      : [{ name: formatName(schema, name), kind, reads: view.reads.map((read) => formatName(read.schema, read.table)) }],
  );
  for (let before = -1; before < reached.size;) {
    before = reached.size;
    for (const { name, reads } of views) if (reads.some((read) => reached.has(read))) reached.add(name);
  }
  return views.filter(({ name, kind }) => kind === 'materialized-view' && reached.has(name)).map(({ name }) => name);
}
