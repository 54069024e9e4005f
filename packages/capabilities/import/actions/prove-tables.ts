import { operationFailure, type Database } from '@safekeep/postgres';
import type { Difference } from '../model.ts';
import type { DigestForm, TableDigest } from '../prove/digest-form.ts';
import { targetDigest } from '../prove/target-digest.ts';
import { locateDifferences } from '../prove/locate.ts';
import type { TableReading } from '../source/open-table.ts';
import type { SourceSnapshot } from '../source/snapshot.ts';
import { countRows } from '../store/build-schema.ts';
import { countSourceRows } from '../source/table-facts.ts';
import { openRows } from './prepare.ts';
import type { Source } from './with-source.ts';

/** One table on both sides. */
export type Pair = {
  readonly source: string;
  readonly target: string;
  readonly form: DigestForm;
  /** Where its rows stand in the file; null where the file is not at hand. */
  readonly reading: TableReading | null;
  /** Places of rows in quarantine, which the target does not have. */
  readonly skip: ReadonlySet<number>;
};

export type ProvenPair = Pair & {
  readonly sourceDigest: TableDigest | null;
  readonly targetDigest: TableDigest | null;
  readonly sourceRows: number;
  readonly targetRows: number;
};

export type Proof = { readonly tables: readonly ProvenPair[]; readonly differences: readonly Difference[] };

/** The digests of the source side, already under way in another thread. */
export type SourceDigests = ReadonlyMap<string, Promise<TableDigest>>;

export type TargetSide = { readonly database: Database; readonly schema: string };

/** Reads every table back from the server, compares, and where a table differs finds the rows. */
export async function proveTables(
  snapshot: SourceSnapshot,
  pairs: readonly Pair[],
  digests: SourceDigests,
  target: TargetSide,
): Promise<Proof> {
  const tables: ProvenPair[] = [];
  const differences: Difference[] = [];
  for (const pair of pairs) {
    const found = await readBack(target, pair);
    const wanted = await digests.get(pair.source);
    if (wanted === undefined) throw new Error(`${pair.source} has no digest of the source`);
    tables.push({ ...pair, sourceDigest: wanted, targetDigest: found, sourceRows: wanted.rows, targetRows: found.rows });
    if (wanted.sha256 !== found.sha256) differences.push(...(await locate(snapshot, pair, target)));
  }
  return { tables, differences };
}

/** The digests of the target side alone. */
export async function digestTables(pairs: readonly Pair[], target: TargetSide): Promise<ReadonlyMap<string, TableDigest>> {
  const digests = new Map<string, TableDigest>();
  for (const pair of pairs) digests.set(pair.source, await readBack(target, pair));
  return digests;
}

/** Compares counts alone. */
export async function countTables(
  snapshot: SourceSnapshot,
  pairs: readonly Pair[],
  { database, schema }: TargetSide,
): Promise<Proof> {
  const tables: ProvenPair[] = [];
  for (const pair of pairs) {
    const targetRows = await database.withClient((client) => countRows(client, schema, pair.target));
    tables.push({
      ...pair,
      sourceDigest: null,
      targetDigest: null,
      sourceRows: countSourceRows(snapshot.sqlite, pair.source) - pair.skip.size,
      targetRows,
    });
  }
  return { tables, differences: [] };
}

/** What a proof found wrong, in words; empty where nothing is. */
export function proofProblems(proof: Proof): string[] {
  return proof.tables.flatMap((table) => {
    if (table.sourceRows !== table.targetRows)
      return [`${table.source}: ${table.sourceRows} rows in the source, ${table.targetRows} in the target`];
    if (table.sourceDigest?.sha256 === table.targetDigest?.sha256) return [];
    const columns = table.form.columns.filter((_, at) => {
      const [one, other] = [table.sourceDigest?.columns[at], table.targetDigest?.columns[at]];
      return one?.sum !== other?.sum || one?.nulls !== other?.nulls;
    });
    return [`${table.source}: the values of ${columns.map(({ source }) => source).join(', ')} differ`];
  });
}

async function readBack({ database, schema }: TargetSide, { target, form }: Pair): Promise<TableDigest> {
  try {
    return await database.withClient((client) => targetDigest(client, { schema, table: target, form }));
  } catch (error) {
    throw operationFailure(error, `reading ${target} back`);
  }
}

/** Asks the other thread for the digests of the source side. */
export function askDigests({ thread }: Source, pairs: readonly Pair[]): SourceDigests {
  const digests = new Map(
    pairs.map(({ source, form, skip, reading }) => {
      if (reading === null) throw new Error(`The rows of ${source} are not at hand`);
      return [source, thread.ask('digest', { table: source, form, skip, reading })];
    }),
  );
  // They are awaited one by one later; until then a failure must not count as one that nobody handles.
  for (const digest of digests.values()) digest.catch(() => undefined);
  return digests;
}

async function locate(snapshot: SourceSnapshot, pair: Pair, { database, schema }: TargetSide): Promise<Difference[]> {
  const { source, target, form, skip, reading } = pair;
  if (reading === null) throw new Error(`The rows of ${source} are not at hand`);
  return await database.withClient((client) =>
    locateDifferences(client, snapshot.sqlite, {
      source: { table: source, form, skip, openPages: () => openRows(snapshot, reading) },
      target: { schema, table: target, form },
    }),
  );
}
