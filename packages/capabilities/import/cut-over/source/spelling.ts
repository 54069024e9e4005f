import type { DatabaseSync } from 'node:sqlite';
import { TemporalText } from '../../encode/temporal.ts';
import type { ColumnForm } from '../../prove/digest-form.ts';
import { quoteSqlite } from '../../source/quote.ts';
import type { Spelling } from '../model.ts';

const TEMPORAL_TYPES: ReadonlySet<string> = new Set(['date', 'time', 'timestamp', 'timestamptz']);

/** As the first text of the column is written. Only new values are ever spelled by it: what did not change is not touched. */
export function spellingOf(sqlite: DatabaseSync, table: string, { source, type, epoch }: ColumnForm): Spelling | null {
  if (epoch !== null || !(TEMPORAL_TYPES.has(type) || type === 'boolean' || type === 'bytea')) return null;
  const name = quoteSqlite(source);
  const first = sqlite.prepare(`SELECT ${name} AS value FROM ${quoteSqlite(table)} WHERE typeof(${name}) = 'text' LIMIT 1`).get();
  const text = first?.['value'];
  if (typeof text !== 'string') return null;
  if (type === 'bytea') return { texts: true };
  if (type === 'boolean') return { words: wordsLike(text) };
  const temporal = new TemporalText();
  const bytes = Buffer.from(text);
  const shape = temporal.read(bytes, 0, bytes.length) ? temporal.shape() : undefined;
  return shape === undefined ? null : { shape };
}

function wordsLike(text: string): readonly [no: string, yes: string] {
  if (text === text.toUpperCase()) return ['FALSE', 'TRUE'];
  return /^[TF]/.test(text) ? ['False', 'True'] : ['false', 'true'];
}
