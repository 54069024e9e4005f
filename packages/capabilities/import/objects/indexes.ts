import { quoteName } from '@safekeep/postgres';
import { quotedColumn, targetOf, type Translation } from './context.ts';
import { conditionFor, indexExpressionFor, type Translated } from './expression/constraints.ts';
import { folded, foldingReason, isFolding, type TargetKeys } from './keys.ts';
import type { IndexPart, SourceIndex, SourceTable } from './model.ts';
import { changed, combine, migrated, notMigrated } from './report.ts';
import { findingOf } from './tables.ts';

const BUILT_IN_COLLATIONS: ReadonlySet<string> = new Set(['BINARY', 'NOCASE', 'RTRIM']);

/** Indexes made by CREATE INDEX; the automatic ones come with their constraints. */
export function translateIndexes(context: Translation, table: SourceTable, keys: TargetKeys): void {
  for (const index of table.indexes) {
    if (index.origin === 'create-index') translateIndex(context, table, { index, keys });
  }
}

type Piece = Translated & { readonly part: IndexPart | null };

function translateIndex(
  context: Translation,
  table: SourceTable,
  { index, keys }: { readonly index: SourceIndex; readonly keys: TargetKeys },
): void {
  const parts = index.parts.map((part): Piece => ({ ...translatePart(context, table, part), part }));
  const predicate: Piece | null =
    index.predicate === null ? null : { ...conditionFor(context, table, index.predicate, { immutable: true }), part: null };
  const pieces = predicate === null ? parts : [...parts, predicate];
  const refused = pieces.find((piece) => !piece.ok);
  if (refused?.ok === false) {
    context.inventory.add('index', index.name, notMigrated(refused.reason), index.sql);
    return;
  }
  const folding = index.parts.filter((part) => isFolding(context, table, part));
  const name = context.names.index('index', index.name, index.name);
  const object = context.inventory.add(
    'index',
    index.name,
    combine([
      name === index.name ? migrated : changed(`named ${name} in PostgreSQL`),
      folding.length > 0 ? changed(foldingReason(folding).replace('a unique index', 'an index')) : migrated,
      ...pieces.flatMap((piece) => (piece.ok ? [findingOf(piece)] : [])),
    ]),
    index.sql,
  );
  const columns = index.parts.flatMap((part) => part.column ?? []);
  if (index.unique && predicate === null && folding.length === 0 && columns.length === index.parts.length) keys.add(table, columns);
  context.statements.push({
    kind: index.unique ? 'unique' : 'index',
    table: context.names.table(table.name),
    sql: [
      `CREATE ${index.unique ? 'UNIQUE ' : ''}INDEX ${quoteName(name)} ON ${targetOf(context, table)}`,
      ` (${parts.map(sqlOf).join(', ')})`,
      predicate === null ? '' : ` WHERE ${sqlOf(predicate)}`,
    ].join(''),
    object,
    parallel: true,
    violated: null,
  });
}

function sqlOf(piece: Piece): string {
  return `${piece.ok ? piece.sql : ''}${piece.part?.descending === true ? ' DESC' : ''}`;
}

function translatePart(context: Translation, table: SourceTable, part: IndexPart): Translated {
  if (!BUILT_IN_COLLATIONS.has(part.collation)) {
    return { ok: false, reason: `it sorts by the collation ${part.collation}, which only the application knows` };
  }
  if (part.column !== null) {
    const column = quotedColumn(context, table, part.column);
    return { ok: true, sql: isFolding(context, table, part) ? folded(column, part.collation) : column, notes: [], remarks: [] };
  }
  if (part.expression === null) return { ok: false, reason: 'its expression could not be read' };
  return indexExpressionFor(context, table, part);
}
