import type pg from 'pg';
import {
  columnName,
  formatTableName,
  isCompanion,
  isMappable,
  isOwnSchema,
  tableName,
  type Clock,
  type DataMap,
  type MappedTable,
} from '@safekeep/core';
import {
  type Catalog,
  type Column,
  type Database,
  inTenant,
  readCatalogAroundLocks,
  shrinkNursery,
  type Table,
} from '@safekeep/postgres';
import type { ColumnFinding, ProposedSubject, TableProblem, Unused } from '../model.ts';
import { conclude, type Finding, type SchemaKnowledge } from '../rules/decide.ts';
import { familyOf } from '../rules/families.ts';
import { rolesOf } from '../rules/roles.ts';
import { proposeSubjects } from '../rules/subjects.ts';
import { forgetValues } from '../rules/values.ts';
import { isReadable, isUndecided, weighColumn, type Observed } from '../rules/weigh.ts';
import { speechOf } from '../rules/words.ts';
import {
  attributeHash,
  keepsFindings,
  readFindings,
  readVerdicts,
  replaceFindings,
  type StoredFinding,
  type StoredVerdict,
} from '../store/findings.ts';
import { beginReading, endReading, hiddenTables } from '../store/reading.ts';
import { countFilled, sampleTable, type TableTrouble } from '../store/sample.ts';
import { readStatistics, readUse, type ColumnStatistics } from '../store/statistics.ts';

export type ScanOrder = {
  readonly tenant: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Exact names; all but the system's and Safekeep's own without it. */
  readonly schemas?: readonly string[];
  /** Where there is one: what `safekeep encrypt` put beside columns by it is not the user's, and no finding. */
  readonly map?: DataMap | undefined;
  /** Looks only at what is new or changed since the last scan that was kept. */
  readonly sinceLast?: boolean;
  /** Of the sample. The same database and seed give the same result. */
  readonly seed?: number;
  readonly onProgress?: (done: number, total: number) => void;
};

export type Scan = {
  readonly catalog: Catalog;
  readonly columns: readonly ColumnFinding[];
  readonly subjects: readonly ProposedSubject[];
  readonly problems: readonly TableProblem[];
  /** Columns judged without the values that were wanted; they stay new for the next scan. */
  readonly unlooked: ReadonlySet<string>;
  readonly unused: readonly Unused[];
  readonly known: SchemaKnowledge;
};

const SEED = 20_261_129;
/** Patience of a whole scan with counting the values of columns that seem empty, and the largest table that is counted. */
const FILLED_PATIENCE_MS = 1_000;
const FILLED_PAGES = 10_000;

/**
 * Judges every column. Reads the catalogue, then the server's statistics in one statement for some dozen tables, then some rows of
 * those tables alone in which columns are still undecided; all over one connection, in read-only transactions, holding nothing
 * stronger than ACCESS SHARE and that for one table at a time. What cannot be looked at is told and judged by its names.
 *
 * Verdicts of people stand above what is found, as long as the column is the one they were about. Where Safekeep's schema stands
 * the findings are kept for `sinceLast`.
 */
export async function scanDatabase(database: Database, order: ScanOrder): Promise<Scan> {
  shrinkNursery();
  const kept = await keepsFindings(poolOf(database));
  const { verdicts, before } = kept ? await remembered(database, order.tenant) : { verdicts: new Map(), before: new Map() };
  try {
    const scan = await database.withClient((client) => look(client, order, { verdicts, before }));
    if (kept) await keep(database, order, scan);
    return scan;
  } finally {
    forgetValues();
  }
}

/** A database as something that answers one statement. */
function poolOf(database: Database) {
  return {
    query: (text: string, values?: readonly unknown[]) =>
      database.withClient(async (client) => ({ rows: (await client.query(text, [...(values ?? [])])).rows })),
  };
}

type Memory = { readonly verdicts: ReadonlyMap<string, StoredVerdict>; readonly before: ReadonlyMap<string, StoredFinding> };

async function remembered(database: Database, tenant: string): Promise<Memory> {
  return inTenant(database, tenant, async (client) => ({
    verdicts: await readVerdicts(client, tenant),
    before: await readFindings(client, tenant),
  }));
}

async function look(client: pg.PoolClient, order: ScanOrder, memory: Memory): Promise<Scan> {
  const { catalog, held } = await readCatalogAroundLocks(client, order.schemas === undefined ? {} : { schemas: order.schemas });
  const { map } = order;
  const all = catalog.tables.filter(({ schema, extension }) => extension === null && !isOwnSchema(schema));
  const mapped = (table: Table): MappedTable | undefined => (map === undefined ? undefined : mappedAs(table, all, map));
  const tables = all.map((table) => withoutCompanions(table, mapped(table)));
  const speech = speechOf(tables.flatMap((table) => [table.name, ...table.columns.map(({ name }) => name)]));
  const known: SchemaKnowledge = { ...rolesOf(tables, speech), speech };
  const judge = new Judge(known, order, { memory, mapped, held: new Set(held.map(formatTableName)) });
  await beginReading(client);
  try {
    await judge.byStatistics(client, tables);
    await judge.bySamples(client, tables);
    const unused = await judge.unused(client, tables);
    const columns = tables.flatMap((table) => judge.findings(table));
    const subjects = proposeSubjects(tables.filter(isMappable), known, columns);
    return { catalog, columns, subjects, problems: judge.problems, unlooked: judge.unlooked, unused, known };
  } finally {
    await endReading(client);
  }
}

function withoutCompanions(table: Table, mapped: MappedTable | undefined): Table {
  return mapped === undefined ? table : { ...table, columns: table.columns.filter((column) => !isCompanion(column, mapped)) };
}

/** A partition is mapped as the table it hangs at. */
function mappedAs(table: Table, tables: readonly Table[], map: DataMap): MappedTable | undefined {
  const { partition } = table;
  const mapped = map.tables.get(tableName(table));
  if (mapped !== undefined || partition === null) return mapped;
  const parent = tables.find(({ schema, name }) => schema === partition.parent.schema && name === partition.parent.table);
  return parent === undefined ? undefined : mappedAs(parent, tables, map);
}

/** What is found while a scan goes on. */
class Judge {
  readonly problems: TableProblem[] = [];
  /** Columns whose values were wanted and not to be had. */
  readonly unlooked = new Set<string>();
  readonly #known: SchemaKnowledge;
  readonly #order: ScanOrder;
  readonly #memory: Memory;
  /** Tables of which another session lets nobody see more than the columns. */
  readonly #held: ReadonlySet<string>;
  readonly #mapped: (table: Table) => MappedTable | undefined;
  readonly #found = new Map<string, Finding>();
  /** Columns of which statistics gave values: no row need be read for them. */
  readonly #seen = new Set<string>();
  /** Columns of which the server saw no value in its sample. */
  readonly #unfilled = new Map<Table, readonly Column[]>();

  constructor(
    known: SchemaKnowledge,
    order: ScanOrder,
    {
      memory,
      held,
      mapped,
    }: {
      readonly memory: Memory;
      readonly held: ReadonlySet<string>;
      readonly mapped: (table: Table) => MappedTable | undefined;
    },
  ) {
    this.#known = known;
    this.#order = order;
    this.#memory = memory;
    this.#held = held;
    this.#mapped = mapped;
  }

  async byStatistics(client: pg.PoolClient, tables: readonly Table[]): Promise<void> {
    const byOid = new Map(tables.map((table) => [table.oid, table]));
    for await (const page of readStatistics(client, [...byOid.keys()])) {
      this.#order.signal.throwIfAborted();
      for (const statistics of page) {
        const table = byOid.get(statistics.tableOid);
        const column = table?.columns.find(({ number }) => number === statistics.column);
        if (table === undefined || column === undefined) continue;
        this.#weigh(table, column, observedOf(column, statistics));
        if (statistics.values.length > 0 || statistics.nullShare === 1) this.#seen.add(columnName(table, column.name));
        if (statistics.nullShare === 1 && table.rowEstimate > 0)
          this.#unfilled.set(table, [...(this.#unfilled.get(table) ?? []), column]);
      }
    }
    for (const table of tables)
      for (const column of table.columns)
        if (!this.#found.has(columnName(table, column.name))) this.#weigh(table, column, NOTHING_SEEN);
  }

  async bySamples(client: pg.PoolClient, tables: readonly Table[]): Promise<void> {
    const hidden = await hiddenTables(
      client,
      tables.filter(({ rowSecurity }) => rowSecurity.enabled).map(({ oid }) => oid),
    );
    for (const [done, table] of tables.entries()) {
      this.#order.signal.throwIfAborted();
      this.#order.onProgress?.(done, tables.length);
      const open = this.#undecided(table);
      const readable = open.filter(isReadable);
      const trouble = this.#held.has(tableName(table)) ? LOCKED : (readingTrouble(table, hidden) ?? columnsTrouble(table));
      if (trouble !== undefined) this.#tell(table, trouble);
      const isShut = trouble !== undefined && trouble.code !== 'no-right';
      this.#passOver(table, isShut ? open : open.filter(({ privileges }) => !privileges.select));
      if (readable.length === 0 || isShut) continue;
      const wishes = readable.map((column) => ({ column: column.name, document: familyOf(column) === 'json' || column.isArray }));
      const sample = await sampleTable(client, table, { wishes, seed: this.#order.seed ?? SEED });
      if ('code' in sample) {
        this.#tell(table, sample);
        this.#passOver(table, readable);
        continue;
      }
      for (const column of readable) {
        const values = sample.get(column.name) ?? [];
        this.#weigh(table, column, {
          sample: { values: column.isArray ? elements(values) : values, source: 'sample' },
          averageWidth: null,
        });
      }
    }
  }

  /** Tables that nobody reads, and columns without a value. */
  async unused(client: pg.PoolClient, tables: readonly Table[]): Promise<readonly Unused[]> {
    const byOid = new Map(tables.map((table) => [table.oid, table]));
    const use = await readUse(client, [...byOid.keys()], this.#order.clock.now());
    const unread = use.flatMap(({ tableOid, reads, liveRows, young }): readonly Unused[] => {
      const table = byOid.get(tableOid);
      return table !== undefined && reads === 0 && liveRows > 0 && !young
        ? [{ table: tableName(table), column: null, why: 'never-read' }]
        : [];
    });
    const until = performance.now() + FILLED_PATIENCE_MS;
    const unfilled: Unused[] = [];
    for (const [table, columns] of this.#unfilled) {
      const timeoutMs = Math.floor(until - performance.now());
      const counts =
        timeoutMs > 0 && table.pages <= FILLED_PAGES
          ? await countFilled(client, table, { columns: columns.map(({ name }) => name), timeoutMs })
          : new Map<string, number>();
      for (const column of columns) {
        // The values of an encrypted column stand beside it.
        if (this.#isProtected(table, column)) continue;
        const count = 'code' in counts ? undefined : counts.get(column.name);
        // The server's sample may have missed the few rows that have one.
        if (count !== undefined && count > 0) continue;
        unfilled.push({
          table: tableName(table),
          column: columnName(table, column.name),
          why: count === 0 ? 'never-filled' : 'no-value-seen',
        });
      }
    }
    return [...unread, ...unfilled];
  }

  findings(table: Table): readonly ColumnFinding[] {
    return table.columns.map((column) => {
      const name = columnName(table, column.name);
      const finding = this.#found.get(name) ?? conclude([]);
      const verdict = this.#verdict(table, column);
      return {
        table: tableName(table),
        column: name,
        ...(verdict === undefined ? finding : pinnedBy(verdict, finding)),
        evidence: verdict === undefined ? [...finding.evidence] : [`verdict: decided by a person`, ...finding.evidence],
        pinned: verdict !== undefined,
        fresh: !this.#isOld(table, column),
      };
    });
  }

  #isProtected(table: Table, { name }: Column): boolean {
    return (this.#mapped(table)?.columns.get(name)?.protect ?? 'none') !== 'none';
  }

  /** A verdict holds as long as the column is the one it was about. */
  #verdict(table: Table, column: Column): StoredVerdict | undefined {
    const verdict = this.#memory.verdicts.get(columnName(table, column.name));
    return verdict?.attributeHash === attributeHash(table, column) ? verdict : undefined;
  }

  #isOld(table: Table, column: Column): boolean {
    return this.#memory.before.get(columnName(table, column.name))?.attributeHash === attributeHash(table, column);
  }

  #weigh(table: Table, column: Column, observed: Observed): void {
    const name = columnName(table, column.name);
    const before = this.#memory.before.get(name);
    if (this.#order.sinceLast === true && before !== undefined && this.#isOld(table, column)) {
      this.#found.set(name, before);
      return;
    }
    this.#found.set(name, weighColumn(table, column, this.#known, observed));
  }

  #undecided(table: Table): readonly Column[] {
    // A view shows what stands in tables; a partition is looked at through its parent; what never held a row has none to show.
    if (table.kind === 'view' || table.partition !== null || (table.kind === 'table' && table.sizeBytes === 0)) return [];
    return table.columns.filter((column) => {
      const name = columnName(table, column.name);
      const finding = this.#found.get(name);
      if (finding === undefined || this.#seen.has(name) || this.#verdict(table, column) !== undefined) return false;
      if (this.#order.sinceLast === true && this.#isOld(table, column)) return false;
      return isUndecided(column, finding);
    });
  }

  #passOver(table: Table, columns: readonly Column[]): void {
    for (const column of columns) this.unlooked.add(columnName(table, column.name));
  }

  #tell(table: Table, { code, message }: TableTrouble): void {
    this.problems.push({ table: tableName(table), code, message });
  }
}

const LOCKED: TableTrouble = {
  code: 'locked',
  message: 'somebody else holds it, or what it reads, locked: its rows were not looked at',
};

const NOTHING_SEEN: Observed = { sample: undefined, averageWidth: null };

function observedOf({ isArray }: Column, { values, averageWidth }: ColumnStatistics): Observed {
  // Of arrays the server keeps whole ones and single elements.
  const single = isArray ? values.flatMap((value) => (value.startsWith('{') ? elements([value]) : [value])) : values;
  return { sample: single.length === 0 ? undefined : { values: single, source: 'statistics' }, averageWidth };
}

function pinnedBy(
  { category }: StoredVerdict,
  { freeText }: Finding,
): Pick<ColumnFinding, 'category' | 'confidence' | 'decision' | 'freeText'> {
  return { category, confidence: 1, decision: category === 'none' ? 'none' : 'certain', freeText };
}

function readingTrouble(table: Table, hidden: ReadonlySet<number>): TableTrouble | undefined {
  if (table.kind === 'view') return undefined;
  if (hidden.has(table.oid))
    return { code: 'row-security', message: 'row security hides rows from this login: none was looked at' };
  if (!table.columns.some(({ privileges }) => privileges.select))
    return { code: 'no-right', message: 'this login may not read it' };
  return undefined;
}

/** More are not named one by one. */
const NAMED_AT_MOST = 10;

function columnsTrouble(table: Table): TableTrouble | undefined {
  const shut = table.columns.filter(({ privileges }) => !privileges.select).map(({ name }) => name);
  if (table.kind === 'view' || shut.length === 0) return undefined;
  const more = shut.length > NAMED_AT_MOST ? ` and ${shut.length - NAMED_AT_MOST} more` : '';
  return { code: 'no-right', message: `this login may not read its columns ${shut.slice(0, NAMED_AT_MOST).join(', ')}${more}` };
}

/** The elements of arrays as PostgreSQL prints them: `{a,"b c"}`. */
function elements(values: readonly string[]): readonly string[] {
  return [
    ...new Set(
      values.flatMap((value) =>
        [...value.replaceAll(/^\{|\}$/g, '').matchAll(/"((?:[^"\\]|\\.)*)"|([^,{}"]+)/g)].map(([, quoted, bare]) =>
          (quoted ?? bare ?? '').replaceAll(/\\(.)/g, '$1'),
        ),
      ),
    ),
  ];
}

async function keep(database: Database, { tenant, clock }: ScanOrder, { catalog, columns, unlooked }: Scan): Promise<void> {
  // What could not be looked at is not known: the next scan of what is new takes it up again.
  const byName = new Map(columns.filter(({ column }) => !unlooked.has(column)).map((finding) => [finding.column, finding]));
  const findings = catalog.tables.flatMap((table) =>
    table.columns.flatMap((column) => {
      const name = columnName(table, column.name);
      const found = byName.get(name);
      return found === undefined
        ? []
        : [{ ...found, schema: table.schema, column: name, attributeHash: attributeHash(table, column) }];
    }),
  );
  const schemas = [...new Set(catalog.schemas.map(({ name }) => name))];
  await inTenant(database, tenant, (client) => replaceFindings(client, tenant, { findings, schemas, at: clock.now() }));
}
