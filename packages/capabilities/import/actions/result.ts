import type { ImportOptions, ImportResult, TableResult } from '../model.ts';
import { qualifiedForPeople } from '../rules.ts';
import type { ObjectReport, TargetTable } from '../objects/index.ts';
import type { SourceSnapshot } from '../source/snapshot.ts';
import type { Built } from './build.ts';
import { describeRejected, type Preparation, type PreparedTable } from './prepare.ts';
import type { Proof } from './prove-tables.ts';

/** The result of a run as far as it goes; each step below adds what it has found out. */
export function newResult(runId: string, options: ImportOptions, snapshot: SourceSnapshot): ImportResult {
  return {
    runId,
    state: 'planned',
    source: {
      file: snapshot.file,
      sha256: '',
      sizeBytes: snapshot.sizeBytes,
      walBytes: snapshot.walBytes,
      mode: snapshot.address.mode,
      checks: [],
    },
    schema: options.schema,
    verify: options.verify,
    tables: [],
    objects: [],
    names: [],
    relations: [],
    rejected: 0,
    rejectedRows: [],
    differences: [],
    problems: [],
    seconds: 0,
    phases: {},
    rowsPerSecond: 0,
  };
}

export function withPreparation(result: ImportResult, preparation: Preparation): ImportResult {
  const rejectedRows = preparation.tables.flatMap(describeRejected);
  return {
    ...result,
    tables: preparation.tables.map((prepared) => plannedTable(result.schema, prepared, targetOf(preparation, prepared))),
    objects: objectResults(preparation.plan.objects),
    names: preparation.plan.names.map(({ kind, source, target }) => ({ kind, source, target })),
    rejected: rejectedRows.length,
    rejectedRows,
  };
}

export function withBuilt(result: ImportResult, built: Built): ImportResult {
  const loaded = new Map(built.tables.map((table) => [table.prepared.source.name, table.loaded]));
  return {
    ...result,
    objects: objectResults(built.objects),
    tables: result.tables.map((table) => {
      const counts = loaded.get(table.source);
      return counts === undefined
        ? table
        : { ...table, rowsRead: counts.read, rowsWritten: counts.taken, quarantined: counts.read - counts.sent };
    }),
  };
}

export function withProof(result: ImportResult, proof: Proof): ImportResult {
  const digests = new Map(proof.tables.map((table) => [table.source, table]));
  return {
    ...result,
    differences: [...proof.differences],
    tables: result.tables.map((table) => ({
      ...table,
      sourceDigest: digests.get(table.source)?.sourceDigest?.sha256 ?? null,
      targetDigest: digests.get(table.source)?.targetDigest?.sha256 ?? null,
    })),
  };
}

function targetOf(preparation: Preparation, prepared: PreparedTable): TargetTable {
  const target = preparation.plan.tables.find(({ source }) => source === prepared.source.name);
  if (target === undefined) throw new Error(`${prepared.source.name} was not planned`);
  return target;
}

function plannedTable(schema: string, { source, facts, types, rejected }: PreparedTable, target: TargetTable): TableResult {
  const columns = target.columns.map((column) => {
    const decided = types.get(column.source);
    const declared = source.columns.find(({ name }) => name === column.source)?.declaredType ?? '';
    const proposal = decided?.proposal;
    return {
      source: column.source,
      target: column.name,
      declaredType: declared,
      type: column.type,
      reason: decided?.reason ?? '',
      ...(proposal === null || proposal === undefined
        ? {}
        : { proposal: `${proposal.type}${proposal.epoch === null ? '' : `:${proposal.epoch}`} (${proposal.reason})` }),
    };
  });
  return {
    source: source.name,
    target: qualifiedForPeople(schema, target.name),
    rowsRead: facts.rows,
    rowsWritten: 0,
    quarantined: 0,
    sourceDigest: null,
    targetDigest: null,
    notes: [
      ...target.columns.flatMap((column) => {
        const decided = types.get(column.source);
        return decided?.changed === true ? [`${column.source}: ${decided.type}, ${decided.reason}`] : [];
      }),
      ...(rejected.length > 0 ? [`${rejected.length} row(s) hold texts that PostgreSQL cannot hold (NUL, or no valid UTF-8)`] : []),
    ],
    columns,
  };
}

function objectResults(objects: readonly ObjectReport[]): ImportResult['objects'] {
  return objects.map(({ kind, name, state, reason, source }) => ({
    kind,
    name,
    state,
    reason,
    ...(source === null ? {} : { source }),
  }));
}
