import { quoteText } from '@safekeep/postgres';
import type { Translation } from './context.ts';
import { changed, notMigrated, type Finding } from './report.ts';
import { foldName } from './sqlite-syntax.ts';

/** Programs are not translated by guess: the text stays in the report for a person to carry over. */
export function listTriggers(context: Translation): void {
  for (const trigger of context.source.triggers) {
    context.inventory.add('trigger', trigger.name, notMigrated(triggerReason(trigger.name, trigger.table)), trigger.sql);
  }
}

function triggerReason(name: string, table: string): string {
  if (/^(gpkg_|rtree_|trigger_(insert|update|delete)_feature_count_|fgti_|fgtu_|ggi_|ggu_|gii_|giu_)/.test(foldName(name))) {
    return `it keeps ${table} of GeoPackage or SpatiaLite in step inside SQLite; PostGIS does this with its own types and GiST indexes`;
  }
  return `SQLite’s triggers are programs in its own dialect; write trigger ${quoteText(name)} on ${table} anew in PL/pgSQL from the text kept here`;
}

/** Tables whose rows are not loaded, because they hold nothing of their own. */
export function listOtherTables(context: Translation): void {
  for (const table of context.source.tables.filter(({ loadable }) => !loadable)) {
    if (table.kind === 'internal') {
      context.inventory.add('internal-table', table.name, internalFinding(table.name));
    } else if (table.kind === 'shadow') {
      context.inventory.add(
        'shadow-table',
        table.name,
        notMigrated('it is the inner storage of a virtual table; PostgreSQL’s indexes need none'),
      );
    } else {
      context.inventory.add('virtual-table', table.name, notMigrated(virtualReason(table.module)), table.sql);
    }
  }
}

function internalFinding(name: string): Finding {
  if (foldName(name) === 'sqlite_sequence') return changed('its counters became identity sequences');
  return notMigrated('it holds statistics for SQLite’s planner; ANALYZE makes PostgreSQL’s own');
}

function virtualReason(module: string | null): string {
  if (module !== null && /^fts[345]/.test(module)) {
    return 'a full-text index without rows of its own; add a tsvector column GENERATED ALWAYS AS (to_tsvector(…)) STORED to its content table, with a GIN index';
  }
  return `it is computed by the module ${module ?? '(unknown)'} inside SQLite and holds no rows of its own that could be read`;
}
