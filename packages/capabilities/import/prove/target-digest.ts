import type pg from 'pg';
import { quoteName, quoteTable } from '@safekeep/postgres';
import { copyOut } from '../store/copy-out.ts';
import { keyPlaces, tableDigest, type DigestForm, type TableDigest } from './digest-form.ts';
import { RowKey, TableSums, ValueHash } from './hash.ts';
import type { RowVisitor } from './source-digest.ts';
import { fieldHasher, TargetDecoder, type FieldHasher, type RowTaker } from './target-decoder.ts';

export type TargetTable = { readonly schema: string; readonly table: string; readonly form: DigestForm };

export async function targetDigest(client: pg.ClientBase, target: TargetTable): Promise<TableDigest> {
  const sums = new TableSums(target.form.columns.length);
  await visitTarget(client, target, sums, undefined);
  return tableDigest(target.form, sums);
}

/** Reads every row back from the server. */
export async function visitTarget(
  client: pg.ClientBase,
  { schema, table, form }: TargetTable,
  sums: TableSums,
  visit: RowVisitor | undefined,
): Promise<void> {
  const key = new RowKey();
  const places = keyPlaces(form);
  let place = '';
  const readPlace: FieldHasher = (view, at, length) => {
    place = Buffer.from(view.buffer, view.byteOffset + at, length).toString('latin1');
  };
  const hashers = form.columns.map(fieldHasher);
  const takeRow = (first: Int32Array, second: Int32Array, nulls: Uint8Array): void => {
    for (let column = 0; column < nulls.length; column += 1) sums.nulls[column] = (sums.nulls[column] ?? 0) + (nulls[column] ?? 0);
    key.set(places, first, second);
    sums.add(key, first, second);
    visit?.({ place, key, first, second });
  };
  const placed: RowTaker = (first, second, nulls) => takeRow(first.subarray(1), second.subarray(1), nulls.subarray(1));
  const decoder =
    visit === undefined
      ? new TargetDecoder(hashers, new ValueHash(), takeRow)
      : new TargetDecoder([readPlace, ...hashers], new ValueHash(), placed);
  const columns = form.columns.map((column) => quoteName(column.target)).join(', ');
  await copyOut(
    client,
    `COPY (SELECT ${visit === undefined ? '' : 'ctid::text, '}${columns} FROM ${quoteTable({ schema, table })}) TO STDOUT (FORMAT binary)`,
    decoder,
  );
}
