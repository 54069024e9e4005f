import type { MappedTable } from './model.ts';
import type { ColumnFacts, TableFacts } from './schema-facts.ts';

/** What is kept of each row of a table that the map asks it for, in the order of safekeep.compliance_fields. */
export const COMPLIANCE_FIELDS = [
  'deleted_at',
  'deleted_by_id',
  'deletion_reason',
  'data_classification',
  'retention_policy_id',
  'retention_expires_at',
  'legal_hold',
  'data_region',
  'last_modified_by_id',
  'version',
] as const;

export type ComplianceField = (typeof COMPLIANCE_FIELDS)[number];

/**
 * Columns of a table that hold what its users put there, so that somebody must say what that is. The compliance fields are ours
 * where the map asked for them as columns. They come and go together: one of those names without the others is the user's own.
 */
export function ownColumns(table: TableFacts, mapped: MappedTable | undefined): readonly ColumnFacts[] {
  const fields: ReadonlySet<string> = new Set(COMPLIANCE_FIELDS);
  const standing = table.columns.filter(({ name }) => fields.has(name));
  if (mapped?.compliance !== 'columns' || standing.length < fields.size) return table.columns;
  return table.columns.filter(({ name }) => !fields.has(name));
}
