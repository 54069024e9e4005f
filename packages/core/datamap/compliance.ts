import { isCompanion } from './companions.ts';
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
 * Columns of a table that hold what its users put there, so that somebody must say what that is. Ours are what stands beside an
 * encrypted column, and the compliance fields where the map asked for them as columns. Those come and go together: one of their
 * names without the others is the user's own.
 */
export function ownColumns(table: TableFacts, mapped: MappedTable | undefined): readonly ColumnFacts[] {
  const fields: ReadonlySet<string> = new Set(COMPLIANCE_FIELDS);
  const standing = table.columns.filter(({ name }) => fields.has(name));
  const areFieldsOurs = mapped?.compliance === 'columns' && standing.length === fields.size;
  return table.columns.filter((column) => !(areFieldsOurs && fields.has(column.name)) && !isCompanion(column, mapped));
}
