import type pg from 'pg';
import { canonicalForm, compoundForm, formatTableName, SafekeepError } from '@safekeep/core';
import type { Field, FieldIndex, PageRange } from '../model.ts';
import type { Writing } from '../store/columns.ts';
import {
  compoundWriting,
  indexesWriting,
  nulledWriting,
  openedWriting,
  placesThatDiffer,
  readBoth,
  readLeftBoth,
  readLeftUnindexed,
  readLeftUnopened,
  readLeftUnsealed,
  readLeftUnderOtherKeys,
  readParts,
  readUnderOtherKeys,
  readUnindexed,
  readUnopened,
  readUnsealed,
  resealedWriting,
  sealedWriting,
  type BesideRow,
  type BothRow,
  type Left,
  type Pair,
  type PartsRow,
  type PlainRow,
  type SealedRow,
  type SealedWrite,
} from '../store/rows.ts';
import { nameOf, type Ground } from './ground.ts';

/** One kind of work over all rows of a table, for one column or for several at once. */
export type Pass<Row> = {
  /** Column by column. */
  readonly read: (client: pg.ClientBase, fields: readonly Field[], range: PageRange) => Promise<readonly (readonly Row[])[]>;
  /** What is left of a column wherever it lies, once the pages were walked. */
  readonly readLeft: (client: pg.ClientBase, field: Field, limit: number) => Promise<Left<Row>>;
  /** What a stretch of pages that others had locked would miss is found by `readLeft`: a pass that also compares what stands has to see all. */
  readonly isSwept: boolean;
  /** What is to be written of a column, checked before. */
  readonly prepare: (client: pg.ClientBase, field: Field, batch: Batch<Row>) => Promise<Prepared>;
};

type Batch<Row> = { readonly ground: Ground; readonly rows: readonly Row[] };
/** `alike`: rows that stand as they should already, which was held against the database. */
export type Prepared = { readonly writing?: Writing; readonly alike?: number };

/**
 * Rows without ciphertext get it. Before a batch is committed its ciphertext was opened and compared with the plaintext, and the
 * server has said of every row that it stands as it was given.
 */
export const sealing: Pass<PlainRow> = {
  read: readUnsealed,
  readLeft: readLeftUnsealed,
  isSwept: true,
  prepare: async (_client, field, { ground, rows }) => {
    const writes = await sealedWrites(ground, field, rows);
    const plains = rows.map(({ plain }) => plain);
    requireEqual(field, plains, await openedOf(ground, field, writes));
    ground.observe('sealed', field, { done: field.done, total: field.total });
    return { writing: sealedWriting(field, writes) };
  },
};

/**
 * Rows whose plaintext is missing get it back, and what is stored prints as what was opened. Where another stands there somebody wrote past
 * our triggers, which a partition loses while it is detached: which of both counts is not ours to say.
 */
export const opening: Pass<BesideRow> = {
  read: readUnopened,
  readLeft: readLeftUnopened,
  isSwept: false,
  prepare: async (client, field, { ground, rows }) => {
    const opened = await openedOf(ground, field, rows);
    const both = rows.map((row, place) => ({
      place: row.place,
      sealed: row.sealed,
      before: row.plain,
      plain: opened[place] ?? '',
    }));
    await requireAlike(client, field, both);
    const writes = both.filter(({ before }) => before === null);
    return { writing: openedWriting(field, writes), alike: rows.length - writes.length };
  },
};

/** Writes nothing: where both stand they are held against each other. */
export const comparing: Pass<BothRow> = {
  read: readBoth,
  readLeft: async () => ({ rows: [], found: 0 }),
  isSwept: false,
  prepare: async (client, field, { ground, rows }) => {
    const opened = await openedOf(ground, field, rows);
    await requireAlike(
      client,
      field,
      rows.map(({ place, plain }, at) => ({ place, before: plain, plain: opened[at] ?? '' })),
    );
    return {};
  },
};

/** The places that a person is told of; the same command tells of the next. */
const PLACES_TOLD = 20;

/** What only prints otherwise, as after a new version of PostgreSQL, is the same. @throws `field-values-differ` */
async function requireAlike(client: pg.ClientBase, field: Field, pairs: readonly Pair[]): Promise<void> {
  const places = await placesThatDiffer(
    client,
    field,
    pairs.filter(({ before, plain }) => before !== null && before !== plain),
  );
  if (places.length === 0) return;
  const told = { field: nameOf(field), table: formatTableName(field.table), rows: places.length };
  throw new SafekeepError('field-values-differ', { ...told, places: places.slice(0, PLACES_TOLD).join(' ') });
}

/** Plaintext goes from a row only after its ciphertext was opened and is the same. */
export const nulling: Pass<BothRow> = {
  read: readBoth,
  readLeft: readLeftBoth,
  isSwept: true,
  prepare: async (_client, field, { ground, rows }) => {
    const plains = rows.map(({ plain }) => plain);
    requireEqual(field, plains, await openedOf(ground, field, rows));
    return { writing: nulledWriting(field, rows) };
  },
};

/** Values under other keys are opened, sealed under the current one, and what is stored was opened again. */
export function resealing(keyIdOf: (field: Pick<Field, 'id'>) => string): Pass<SealedRow> {
  return {
    read: (client, fields, range) => readUnderOtherKeys(client, fields, { ...range, keyIds: fields.map(keyIdOf) }),
    readLeft: (client, field, limit) => readLeftUnderOtherKeys(client, field, { keyId: keyIdOf(field), limit }),
    isSwept: true,
    prepare: async (_client, field, { ground, rows }) => {
      const opened = await openedOf(ground, field, rows);
      const resealed = await ground.keys.seal(field, opened);
      requireEqual(field, opened, await ground.keys.open(field, resealed));
      const writes = rows.map((row, place) => ({ ...row, resealed: resealed[place] ?? row.sealed }));
      return { writing: resealedWriting(field, writes) };
    },
  };
}

async function openedOf(ground: Ground, field: Field, rows: readonly { readonly sealed: Buffer }[]): Promise<readonly string[]> {
  return await ground.keys.open(
    field,
    rows.map(({ sealed }) => sealed),
  );
}

/** Fills indexes of a column in for values that stand there. */
export function indexing(indexes: readonly FieldIndex[]): Pass<SealedRow> {
  return {
    read: (client, fields, range) => eachOf(fields, (field) => readUnindexed(client, field, { ...range, indexes })),
    readLeft: (client, field, limit) => readLeftUnindexed(client, field, { limit, indexes }),
    isSwept: true,
    prepare: async (_client, field, { ground, rows }) => {
      const numbers = await indexNumbers(ground, field, { indexes, values: await openedOf(ground, field, rows) });
      const writes = rows.map((row, place) => ({ ...row, numbers: numbers.map((each) => each[place] ?? null) }));
      return { writing: indexesWriting(field, { rows: writes, indexes }) };
    },
  };
}

/** Fills an index over several columns in for rows in which all of them have a value. */
export function compounding(index: FieldIndex): Pass<PartsRow> {
  const { parts } = index;
  return {
    read: (client, fields, range) => eachOf(fields, (field) => readParts(client, field, { parts, missing: index, range })),
    readLeft: async (client, field, limit) => {
      const rows = await readParts(client, field, { parts, missing: index, limit });
      return { rows, found: rows.length };
    },
    isSwept: true,
    prepare: async (_client, field, { ground, rows }) => {
      const numbers = await ground.keys.index(field, index, await compoundForms(ground, parts, rows));
      const writes = rows.map((row, place) => ({ ...row, number: numbers[place] ?? null }));
      return { writing: compoundWriting(field, { rows: writes, index }) };
    },
  };
}

/** One after the other: a connection does one thing at a time. */
async function eachOf<Row>(
  fields: readonly Field[],
  read: (field: Field) => Promise<readonly Row[]>,
): Promise<readonly (readonly Row[])[]> {
  const found: (readonly Row[])[] = [];
  for (const field of fields) found.push(await read(field));
  return found;
}

/** What a compound index is made of, row by row. */
export async function compoundForms(
  ground: Pick<Ground, 'keys'>,
  parts: FieldIndex['parts'],
  rows: readonly PartsRow[],
): Promise<readonly (string | null)[]> {
  const columns = await Promise.all(
    parts.map(async (part, place) => {
      const sealed = rows.map((row) => row.parts[place]).filter((each) => each !== undefined);
      return { type: part.valueType, values: await ground.keys.open(part, sealed) };
    }),
  );
  return rows.map((_, row) => compoundForm(columns.map(({ type, values }) => ({ type, value: values[row] }))));
}

/** For each index of the field's own value its number of each. */
async function indexNumbers(
  ground: Ground,
  field: Field,
  { indexes, values }: { readonly indexes: readonly FieldIndex[]; readonly values: readonly string[] },
): Promise<readonly (readonly (string | null)[])[]> {
  return await Promise.all(indexes.map((index) => ground.keys.index(field, index, formsOf(index, values, field.valueType))));
}

function formsOf({ kind }: FieldIndex, values: readonly string[], type: Field['valueType']): readonly (string | null)[] {
  if (kind === 'compound') throw new Error('An index over several columns is not made of one');
  return values.map((value) => canonicalForm(kind, value, type));
}

async function sealedWrites(ground: Ground, field: Field, rows: readonly PlainRow[]): Promise<readonly SealedWrite[]> {
  const values = rows.map(({ plain }) => plain);
  const sealed = await ground.keys.seal(field, values);
  const indexes = await indexNumbers(ground, field, { indexes: field.indexes, values });
  return rows.map((row, place) => {
    const bytes = sealed[place];
    if (bytes === undefined) throw new Error('Fewer values came back than were to be sealed');
    return { ...row, sealed: bytes, indexes: indexes.map((each) => each[place] ?? null) };
  });
}

/** Ciphertext and plaintext tell different things: nothing of this batch is committed. Neither stands in the message. */
function requireEqual(field: Field, one: readonly unknown[], other: readonly unknown[]): void {
  const different = one.findIndex((value, place) => value !== other[place]);
  if (different >= 0 || one.length !== other.length) throw new SafekeepError('field-not-equal', { field: nameOf(field) });
}
