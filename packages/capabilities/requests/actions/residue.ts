import { columnOf, encryptedName, runThatKeeps } from '@safekeep/core';
import type { CertificateBody, Residue } from '../model.ts';
import { staleViews } from '../rules/stale-views.ts';
import { deadRows, type Stale } from '../store/residue.ts';
import { tableOf } from '../store/traverse.ts';
import { inTransaction } from '../store/session.ts';
import type { ErasureGround } from './ground.ts';

type Written = {
  readonly written: readonly Stale[];
  /** Statistics that could not be made anew. */
  readonly refused: readonly Stale[];
  readonly vacuum: boolean;
  readonly document: Pick<CertificateBody, 'tables' | 'participants'>;
};

/**
 * What can still be read by whoever reads the files of the server, or its statistics: told from what was written and not from what the server
 * counts, which is a guess. An UPDATE and a DELETE leave the old version of the row where it was.
 */
export async function residueOf(ground: ErasureGround, parts: Written): Promise<readonly Residue[]> {
  const { written, refused, vacuum, document } = parts;
  const names = written.map(({ table }) => table);
  const dead = await inTransaction(ground.database, { tenant: ground.tenant }, (client) => deadRows(client, names));
  const failed = new Set(refused.map(({ table }) => table));
  const old = written.flatMap((stale) => {
    const { table } = stale;
    const left = dead.get(table) ?? 0;
    // VACUUM tells exactly what it had to leave.
    const isVacuumed = vacuum && left === 0 && !failed.has(table);
    const count = rowsWritten(document, table) || left;
    return count === 0 ? [] : [isVacuumed ? freedOf(table, count) : oldVersionsOf(table, count, kindsOf(ground, stale))];
  });
  const rows = old.reduce((sum, { count }) => sum + count, 0);
  return [
    ...old,
    ...refused.map(statisticsOf),
    ...viewsOf(ground, names),
    ...setAside(ground),
    ...(rows === 0 ? [] : [logOf(rows)]),
  ];
}

/** What imports replaced and keep: the person may stand in it as they were. */
function setAside({ catalog }: ErasureGround): readonly Residue[] {
  return [...Map.groupBy(catalog.tables, ({ schema }) => schema)].flatMap(([schema, tables]) => {
    const run = runThatKeeps(schema);
    if (run === undefined) return [];
    return {
      place: schema,
      what: 'tables that an import with --replace put aside; nobody was looked for in them',
      count: tables.length,
      remedy: `safekeep import discard ${run} deletes them.`,
    };
  });
}

function rowsWritten({ tables, participants }: Written['document'], table: string): number {
  const own = tables.filter((each) => each.table === table);
  const others = participants.map(({ counts }) => counts[table] ?? 0);
  return (
    own.reduce((sum, { masked, deleted, detached }) => sum + masked + deleted + detached, 0) + others.reduce((a, b) => a + b, 0)
  );
}

/** What stood there: in the clear, or as ciphertext alone. */
function kindsOf({ map, schema }: ErasureGround, { table, columns }: Stale): string {
  const mapped = map.tables.get(table);
  if (mapped === undefined) return '';
  const facts = tableOf(schema, table);
  const names = [...mapped.columns.values()]
    .filter(({ name, categories }) => columns?.includes(name) ?? categories.length > 0)
    .map(({ name }) => name);
  const isSealed = (name: string): boolean =>
    columnOf(facts, name) === undefined && columnOf(facts, encryptedName(name)) !== undefined;
  const sealed = names.filter(isSealed);
  const plain = names.filter((name) => !isSealed(name));
  const told = [
    ...(plain.length === 0 ? [] : [`in the clear: ${plain.join(', ')}`]),
    ...(sealed.length === 0 ? [] : [`encrypted: ${sealed.join(', ')}`]),
  ];
  return told.length === 0 ? '' : ` (${told.join('; ')})`;
}

function oldVersionsOf(place: string, count: number, kinds: string): Residue {
  return {
    place,
    what: `old versions of rows in heap and indexes, readable by whoever reads the files${kinds}`,
    count,
    remedy: 'VACUUM (erase with --vacuum), which waits for nobody and leaves what an open transaction may still see.',
  };
}

function freedOf(place: string, count: number): Residue {
  return {
    place,
    what: 'rows whose old versions VACUUM took out; their bytes stay in the free space of the pages until something is written over them',
    count,
    remedy: 'VACUUM FULL writes the table anew, and locks it meanwhile.',
  };
}

function statisticsOf({ table, columns }: Stale): Residue {
  return {
    place: table,
    what: `columns whose statistics may still hold values, readable in pg_stats${columns === null ? '' : `: ${columns.join(', ')}`}`,
    count: columns?.length ?? 1,
    remedy: 'This login may not ANALYZE the table: let its owner do it.',
  };
}

function viewsOf({ catalog }: ErasureGround, tables: readonly string[]): readonly Residue[] {
  return staleViews(catalog, tables).map((place) => ({
    place,
    what: 'materialized view that holds what its tables held when it was last refreshed',
    count: 1,
    remedy: 'REFRESH MATERIALIZED VIEW.',
  }));
}

function logOf(count: number): Residue {
  return {
    place: 'write-ahead log',
    what: 'rows whose old values stand in the log of the server, in its replicas and its backups',
    count,
    remedy: 'It ends when the log is recycled, and when archives, slots and backups have expired.',
  };
}
