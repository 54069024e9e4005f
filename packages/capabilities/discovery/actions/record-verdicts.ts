import { readFile } from 'node:fs/promises';
import Schema from 'typebox/schema';
import { parse } from 'yaml';
import { categoryOf, columnName, SafekeepError, suggestCategory, tableName, type Clock } from '@safekeep/core';
import { type Database, inTenant } from '@safekeep/postgres';
import { VerdictFile, type Verdict } from '../model.ts';
import { attributeHash, insertVerdict } from '../store/findings.ts';
import type { Scan } from './scan.ts';
import { writeVerdicts } from './write-map.ts';

/** A file of verdicts is reviewed like code; nobody writes one of this size. */
const FILE_BYTES_AT_MOST = 16 * 1024 * 1024;

/** `verdicts: [{ column: public.patients.note, category: none, note: … }]`, as YAML or JSON. */
export async function readVerdictFile(path: string): Promise<readonly Verdict[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new SafekeepError(
      'file-unreadable',
      { path, reason: cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason' },
      { cause },
    );
  });
  if (text.length > FILE_BYTES_AT_MOST) throw new SafekeepError('verdicts-invalid', { path, reason: 'it is longer than 16 MB' });
  let read: unknown;
  try {
    read = parse(text, { maxAliasCount: 0 });
  } catch (cause) {
    throw new SafekeepError('verdicts-invalid', { path, reason: 'it is neither YAML nor JSON' }, { cause });
  }
  if (!Schema.Check(VerdictFile, read))
    throw new SafekeepError('verdicts-invalid', { path, reason: 'it must be verdicts: [{ column, category, note }]' });
  return read.verdicts;
}

export type Recording = {
  readonly verdicts: readonly Verdict[];
  readonly tenant: string;
  readonly by: string;
  readonly clock: Clock;
  readonly mapFile: string;
};

/**
 * Keeps verdicts, all or none, and puts them into the map where a scan wrote the column. Returns how many columns of the map
 * changed. Throws `verdict-unfit` for a column that is not there and for a category that is none.
 */
export async function recordVerdicts(
  database: Database,
  { catalog }: Scan,
  { verdicts, tenant, by, clock, mapFile }: Recording,
): Promise<number> {
  if (verdicts.length === 0) return 0;
  const columns = new Map(
    catalog.tables.flatMap((table) =>
      table.columns.map((column) => [
        columnName(table, column.name),
        { hash: attributeHash(table, column), table: tableName(table), name: column.name },
      ]),
    ),
  );
  const known = verdicts.map((verdict) => {
    const column = columns.get(verdict.column);
    if (column === undefined)
      throw new SafekeepError('verdict-unfit', { column: verdict.column, reason: 'there is no such column' });
    if (verdict.category !== 'none' && categoryOf(verdict.category) === undefined) {
      const meant = suggestCategory(verdict.category);
      throw new SafekeepError('verdict-unfit', {
        column: verdict.column,
        reason: `${verdict.category} is no category${meant === undefined ? '' : `; did you mean ${meant}?`}`,
      });
    }
    return { ...verdict, ...column, note: verdict.note ?? null };
  });
  await inTenant(database, tenant, async (client) => {
    for (const { column, hash, category, note } of known)
      await insertVerdict(client, tenant, { column, attributeHash: hash, category, note, by, at: clock.now() });
  });
  return writeVerdicts(mapFile, known);
}
