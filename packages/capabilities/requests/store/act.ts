import { createHmac, randomBytes, randomInt, randomUUID, type KeyObject } from 'node:crypto';
import type pg from 'pg';
import { codeOf, columnOf, dayOf, type TableFacts } from '@safekeep/core';
import type { Check } from '@safekeep/postgres';
import type { Identity, RowKey } from '../model.ts';
import { BYTES_MARK, formOf, RANDOM_BYTES, UUID_MARK, type ColumnChoice, type UniqueMake, type Write } from '../rules/masks.ts';
import type { TableRows } from './rows.ts';
import { identityNames, identityTexts, isOneOf, keysTable, Parameters, quote, quoteTable } from './sql.ts';
import { arrays } from './traverse.ts';

/** A table, and rows of it. */
export type Rows = {
  readonly table: string;
  readonly facts: TableFacts;
  readonly identity: Identity;
  readonly keys: readonly RowKey[];
};

// ---- choosing what to write ----------------------------------------------------------------------------------------------

/** What no candidate can satisfy: the name of the check or type, and the columns. */
export type Unmaskable = { readonly what: string; readonly columns: readonly string[] };

/**
 * For each column the first candidate that its type and every check of the table takes, looked at on the rows themselves.
 * Asks nothing where the table has no checks and the columns no domains.
 */
export async function chooseWrites(
  client: pg.ClientBase,
  rows: Rows,
  choices: readonly ColumnChoice[],
): Promise<{ readonly writes: readonly Write[]; readonly unmaskable: readonly Unmaskable[] }> {
  const chosen = new Map<string, Write>();
  const unmaskable: Unmaskable[] = [];
  for (const choice of choices) {
    const write = await firstThatFits(client, rows.facts, choice);
    if (write === undefined) unmaskable.push({ what: `the type of ${choice.column}`, columns: [choice.column] });
    else chosen.set(choice.column, write);
  }
  // The catalogue's own checks.
  const checks = (rows.facts.checks as readonly Check[]).filter(({ enforced }) => enforced);
  for (const check of checks) {
    const touched = choices.filter(({ column }) => check.columns.includes(column) && chosen.has(column));
    if (touched.length === 0) continue;
    const refused = await findFitting(client, { rows, check, touched }, chosen);
    if (refused) unmaskable.push({ what: check.name, columns: touched.map(({ column }) => column) });
  }
  return { writes: [...chosen.values()], unmaskable };
}

/** Types that take whatever the rules offer them need not be asked. */
async function firstThatFits(
  client: pg.ClientBase,
  facts: TableFacts,
  { column, candidates }: ColumnChoice,
): Promise<Write | undefined> {
  const found = columnOf(facts, column);
  if (found?.domain === null || found === undefined) return candidates[0];
  for (const write of candidates) {
    if (write.to === 'null' ? !found.domain.notNull : await takes(client, found.type, sampleOf(write))) return write;
  }
  return undefined;
}

async function takes(client: pg.ClientBase, type: string, text: string): Promise<boolean> {
  return await tried(client, async () => {
    await client.query(`select ($1::text::${type})::text`, [text]);
  });
}

/** False where the server refuses a value (class 22, 23); what was asked leaves no trace. */
async function tried(client: pg.ClientBase, ask: () => Promise<void>): Promise<boolean> {
  await client.query('savepoint safekeep_try');
  try {
    await ask();
    await client.query('release savepoint safekeep_try');
    return true;
  } catch (error) {
    await client.query('rollback to savepoint safekeep_try');
    const code = codeOf(error);
    if (code?.startsWith('22') === true || code?.startsWith('23') === true) return false;
    throw error;
  }
}

/** Tries the candidates of one column after the other until the check takes them in all rows. True: none does. */
async function findFitting(
  client: pg.ClientBase,
  { rows, check, touched }: { readonly rows: Rows; readonly check: Check; readonly touched: readonly ColumnChoice[] },
  chosen: Map<string, Write>,
): Promise<boolean> {
  if (!(await isRefused(client, { rows, check }, chosen))) return false;
  for (const { column, candidates, fixed } of touched) {
    if (fixed) continue;
    const before = chosen.get(column);
    for (const write of candidates) {
      chosen.set(column, write);
      if (!(await isRefused(client, { rows, check }, chosen))) return false;
    }
    if (before !== undefined) chosen.set(column, before);
  }
  return true;
}

async function isRefused(
  client: pg.ClientBase,
  { rows, check }: { readonly rows: Rows; readonly check: Check },
  chosen: ReadonlyMap<string, Write>,
): Promise<boolean> {
  const parameters = new Parameters();
  const columns = check.columns.map((name) => {
    const write = chosen.get(name);
    const type = columnOf(rows.facts, name)?.type ?? 'text';
    if (write === undefined) return `t.${quote(name)}`;
    return `${write.to === 'null' ? 'null' : parameters.add(sampleOf(write))}::${write.to === 'null' ? '' : 'text::'}${type} as ${quote(name)}`;
  });
  const where = isOneOf(rows.identity, 't', rows.keys, parameters);
  let refused = true;
  await tried(client, async () => {
    const found = await arrays(
      client,
      // The expression is the server's own, over the bare names of the columns.
      `select 1::text from (select ${columns.join(', ')} from ${quoteTable(rows.table)} as t where ${where}) as t where (${check.expression}) is false limit 1`,
      parameters,
    );
    refused = found.length > 0;
  });
  return refused;
}

function sampleOf(write: Write): string {
  if (write.to === 'value') return write.text;
  if (write.to === 'unique') return uniqueValue(write.make);
  return write.to === 'hash' ? '0'.repeat(write.length) : '';
}

function uniqueValue(make: UniqueMake): string {
  if (make.kind === 'uuid') {
    const id = randomUUID();
    return make.isMarked ? `${UUID_MARK}${id.slice(8, 14)}8${id.slice(15)}` : id;
  }
  if (make.kind === 'bytes') return `${BYTES_MARK}${randomBytes(RANDOM_BYTES).toString('hex')}`;
  if (make.kind === 'integer') {
    const half = 2 ** (make.bits - 1);
    return String(make.above ? half + randomInt(half) : -randomInt(1, half * 2));
  }
  if (make.kind === 'day') {
    const day = new Date(`${make.from}T00:00:00Z`);
    day.setUTCDate(day.getUTCDate() + randomInt(make.days));
    return dayOf(day);
  }
  if (make.kind === 'time') return new Date(randomInt(86_400_000)).toISOString().slice(11, 23);
  if (make.kind === 'address') return `100::${randomBytes(8).toString('hex').match(/.{4}/g)?.join(':') ?? ''}`;
  return `${make.before}${randomBytes(Math.ceil(make.digits / 2))
    .toString('hex')
    .slice(0, make.digits)}${make.after}`;
}

/** The more are taken the more often one draws in vain; whoever gets none after so many draws has no room left. */
const DRAWS = 30;
/** At first only a few more than are needed; mostly none of them is taken. */
const SPARE = 2;
/** After that at least so many: where most are taken, the last ones would else be drawn for one by one. */
const DRAWN_AT_ONCE = 1_000;

/** As SQLSTATE 23505: there is no value left that no other row has. */
class NothingFree extends Error {
  readonly code = '23505';
}

/** 80 bits: among a thousand million masks the chance of two alike is below one in a million, and the index would refuse the second. */
const SURE_DIGITS = 20;

function isSure(make: UniqueMake): boolean {
  return make.kind === 'uuid' || make.kind === 'bytes' || (make.kind === 'text' && make.digits >= SURE_DIGITS);
}

/** A value for each row that no other row of the table has, nor one of these. */
async function drawUnique(
  client: pg.ClientBase,
  { table, facts, keys }: Rows,
  { column, make }: Extract<Write, { to: 'unique' }>,
): Promise<readonly string[]> {
  const free = new Set<string>();
  if (isSure(make)) {
    while (free.size < keys.length) free.add(uniqueValue(make));
    return [...free];
  }
  const type = columnOf(facts, column)?.type ?? 'text';
  const value = columnOf(facts, column)?.baseType === 'bytea' ? `decode(d.v, 'hex')` : `d.v::${type}`;
  for (let draw = 0; free.size < keys.length; draw += 1) {
    if (draw === DRAWS) throw new NothingFree(`No unique mask is free for ${column}`);
    const missing = keys.length - free.size;
    const drawn = new Set(
      Array.from({ length: draw === 0 ? missing + SPARE : Math.max(DRAWN_AT_ONCE, missing) }, () => uniqueValue(make)),
    );
    const parameters = new Parameters();
    const taken = await arrays(
      client,
      `select d.v from unnest(${parameters.add([...drawn])}::text[]) as d (v)
        where exists (select from ${quoteTable(table)} as t where t.${quote(column)} = ${value})`,
      parameters,
    );
    for (const [text] of taken) drawn.delete(text ?? '');
    for (const text of drawn) free.add(text);
  }
  return [...free].slice(0, keys.length);
}

// ---- writing ---------------------------------------------------------------------------------------------------------------

/** What was written, so that it can be looked at afterwards. */
/** A value of `perRow` is null where nothing stood that could be hashed. */
export type Written = {
  readonly rows: Rows;
  readonly writes: readonly Write[];
  readonly perRow: readonly (readonly (string | null)[])[];
};

/** Sets columns of rows in one statement. Returns how many rows it found. */
export async function updateRows(
  client: pg.ClientBase,
  rows: Rows,
  { writes, hashKey }: { readonly writes: readonly Write[]; readonly hashKey: KeyObject },
): Promise<{ readonly count: number; readonly written: Written }> {
  const { rows: found, perRow } = await perRowValues(client, rows, writes, hashKey);
  const parameters = new Parameters();
  const sets = assignments(found, writes, parameters);
  const alias = 't';
  const target = `update ${quoteTable(rows.table)} as ${alias} set ${sets.join(', ')}`;
  let text: string;
  if (perRow.length === 0) {
    text = `${target} where ${isOneOf(rows.identity, alias, rows.keys, parameters)}`;
  } else {
    const { from, on } = keysTable(rows.identity, { alias, keys: rows.keys, beside: perRow }, parameters);
    text = `${target} from ${from} where ${on}`;
  }
  // A row that moves to another partition has another place; rows without a key are returned with the new one.
  const places = rows.identity.kind === 'place' ? ` returning ${identityTexts(rows.identity, alias).join(', ')}` : '';
  const result = await client.query<string[]>({ text: `${text}${places}`, values: parameters.values, rowMode: 'array' });
  const keys = rows.identity.kind === 'place' ? result.rows : rows.keys;
  return { count: result.rowCount ?? 0, written: { rows: { ...rows, keys }, writes, perRow } };
}

function assignments(rows: Rows, writes: readonly Write[], parameters: Parameters): readonly string[] {
  let beside = 0;
  return writes.map((write) => `${quote(write.column)} = ${valueOf(rows, write, () => (beside += 1), parameters)}`);
}

function valueOf({ facts }: Rows, write: Write, nextBeside: () => number, parameters: Parameters): string {
  const type = columnOf(facts, write.column)?.type ?? 'text';
  if (write.to === 'null') return 'null';
  if (write.to === 'value') return `${parameters.add(write.text)}::text::${type}`;
  const text = `k.v${nextBeside()}`;
  return columnOf(facts, write.column)?.baseType === 'bytea' ? `decode(${text}, 'hex')::${type}` : `${text}::${type}`;
}

async function perRowValues(
  client: pg.ClientBase,
  rows: Rows,
  writes: readonly Write[],
  hashKey: KeyObject,
): Promise<{ readonly rows: Rows; readonly perRow: readonly (readonly (string | null)[])[] }> {
  const hashed = writes.filter((write) => write.to === 'hash');
  const old =
    hashed.length === 0
      ? undefined
      : await oldTexts(
          client,
          rows,
          hashed.map(({ column }) => column),
        );
  const perRow: (readonly (string | null)[])[] = [];
  for (const write of writes) {
    if (write.to === 'unique') perRow.push(await drawUnique(client, rows, write));
    if (write.to !== 'hash') continue;
    const place = hashed.indexOf(write);
    perRow.push(
      rows.keys.map((key) => {
        const text = old?.get(JSON.stringify(key))?.[place] ?? null;
        // Where nothing stood nothing stands afterwards.
        if (text === null) return null;
        return createHmac('sha256', hashKey).update(`${rows.table} ${write.column} ${text}`).digest('hex').slice(0, write.length);
      }),
    );
  }
  return { rows, perRow };
}

async function oldTexts(
  client: pg.ClientBase,
  rows: Rows,
  columns: readonly string[],
): Promise<ReadonlyMap<string, readonly (string | null)[]>> {
  const parameters = new Parameters();
  const parts = identityTexts(rows.identity, 't');
  const where = isOneOf(rows.identity, 't', rows.keys, parameters);
  const list = [...parts, ...columns.map((column) => `t.${quote(column)}::text`)];
  const found = await arrays(client, `select ${list.join(', ')} from ${quoteTable(rows.table)} as t where ${where}`, parameters);
  return new Map(found.map((row) => [JSON.stringify(row.slice(0, parts.length)), row.slice(parts.length)]));
}

/** Rows in which something else stands than was written: a trigger put it back. */
export async function countUnlike(client: pg.ClientBase, { rows, writes, perRow }: Written): Promise<number> {
  if (writes.length === 0 || rows.keys.length === 0) return 0;
  const parameters = new Parameters();
  const { from, on } = keysTable(rows.identity, { alias: 't', keys: rows.keys, beside: perRow }, parameters);
  let beside = 0;
  const same = writes.map((write) => {
    const value = valueOf(rows, write, () => (beside += 1), parameters);
    const column = `t.${quote(write.column)}::text`;
    return write.to === 'null' ? `${column} is null` : `${column} is not distinct from (${value})::text`;
  });
  const found = await arrays(
    client,
    `select count(*)::text from ${quoteTable(rows.table)} as t, ${from} where ${on} and not (${same.join(' and ')})`,
    parameters,
  );
  return Number(found[0]?.[0] ?? 0);
}

/** That a row looks as these masks leave one. What is never written twice alike, and has no form, says nothing. */
export function looksLike(facts: TableFacts, writes: readonly Write[], parameters: Parameters): string {
  const forms = writes.flatMap((write) => {
    const column = `t.${quote(write.column)}`;
    const found = columnOf(facts, write.column);
    if (write.to === 'null') return [`${column} is null`];
    if (write.to === 'value')
      return write.told === undefined
        ? [`${column}::text = (${parameters.add(write.text)}::text::${found?.type ?? 'text'})::text`]
        : [];
    if (write.to === 'hash') return [`(${column} is null or ${column}::text ~ ${parameters.add(`^[0-9a-f]{${write.length}}$`)})`];
    const form = formOf(write.make);
    return form === undefined ? [] : [`${column}::text ~ ${parameters.add(form)}`];
  });
  return forms.length === 0 ? 'true' : forms.join(' and ');
}

/** Whether the look of a row can say anything. */
export function hasForm(facts: TableFacts, writes: readonly Write[]): boolean {
  return looksLike(facts, writes, new Parameters()) !== 'true';
}

/** Those of these rows of which something holds, said of `t`: the keys that were given. */
export async function rowsWhere(
  client: pg.ClientBase,
  rows: Rows,
  condition: (parameters: Parameters) => string,
): Promise<readonly RowKey[]> {
  if (rows.keys.length === 0) return [];
  const parameters = new Parameters();
  const where = isOneOf(rows.identity, 't', rows.keys, parameters);
  const found = await arrays(
    client,
    `select ${identityTexts(rows.identity, 't').join(', ')} from ${quoteTable(rows.table)} as t where ${where} and ${condition(parameters)}`,
    parameters,
  );
  const keys = new Set(found.map((key) => JSON.stringify(key)));
  return rows.keys.filter((key) => keys.has(JSON.stringify(key)));
}

/** Those of these rows that do not look as masks leave them. */
export async function findUnlike(client: pg.ClientBase, rows: Rows, writes: readonly Write[]): Promise<readonly RowKey[]> {
  return await rowsWhere(client, rows, (parameters) => `(${looksLike(rows.facts, writes, parameters)}) is not true`);
}

/**
 * Deletes rows of tables that refer to each other in a circle in one statement, so that their references are checked when all
 * of them are gone. Returns the counts in the order of the tables.
 */
export async function deleteRows(client: pg.ClientBase, group: readonly Rows[]): Promise<readonly number[]> {
  const parameters = new Parameters();
  const parts = group.map((rows, place) => {
    const where = isOneOf(rows.identity, 't', rows.keys, parameters);
    return `d${place} as (delete from ${quoteTable(rows.table)} as t where ${where} returning 1)`;
  });
  const counts = group.map((_, place) => `(select count(*) from d${place})::text`);
  const found = await arrays(client, `with ${parts.join(', ')} select ${counts.join(', ')}`, parameters);
  return group.map((_, place) => Number(found[0]?.[place] ?? 0));
}

/** The large objects that these columns of rows name. Their bytes stand in the server's own table, and go with no row. */
export async function objectsOf(client: pg.ClientBase, rows: Rows, columns: readonly string[]): Promise<readonly string[]> {
  if (columns.length === 0 || rows.keys.length === 0) return [];
  const parameters = new Parameters();
  const names = columns.map((column) => `t.${quote(column)}`).join(', ');
  const where = isOneOf(rows.identity, 't', rows.keys, parameters);
  const found = await arrays(
    client,
    `select o.oid::text from ${quoteTable(rows.table)} as t join pg_catalog.pg_largeobject_metadata as o on o.oid in (${names}) where ${where}`,
    parameters,
  );
  return (found as RowKey[]).flat(); // An id is not null.
}

/** How many of these large objects are there. */
export async function countObjects(client: pg.ClientBase, objects: readonly string[]): Promise<number> {
  const parameters = new Parameters();
  const text = `select count(*)::text from pg_catalog.pg_largeobject_metadata where oid = any (${parameters.add(objects)}::text[]::oid[])`;
  return Number((await arrays(client, text, parameters))[0]?.[0] ?? 0);
}

/** How many of these rows are still there. */
export async function countRows(client: pg.ClientBase, rows: Rows): Promise<number> {
  const parameters = new Parameters();
  const where = isOneOf(rows.identity, 't', rows.keys, parameters);
  const found = await arrays(client, `select count(*)::text from ${quoteTable(rows.table)} as t where ${where}`, parameters);
  return Number(found[0]?.[0] ?? 0);
}

// ---- who refers to what is deleted -----------------------------------------------------------------------------------------

export type Referring = {
  readonly table: string;
  readonly columns: readonly string[];
  readonly references: readonly string[];
  /** Rows of that table that are deleted too. */
  readonly deleted: Rows | undefined;
  /** Where the rows of the person in that table are dealt with in other transactions: those of them that stay. The others are gone by then. */
  readonly beside: { readonly asked: TableRows; readonly stay: readonly RowKey[] } | undefined;
};

/** Which of these rows are referred to by rows that stay; with `only` by one of those alone. */
export async function referredTo(
  client: pg.ClientBase,
  rows: Rows,
  by: Referring,
  only?: Pick<Rows, 'identity' | 'keys'>,
): Promise<readonly RowKey[]> {
  const parameters = new Parameters();
  const where = isOneOf(rows.identity, 't', rows.keys, parameters);
  const among = only === undefined ? '' : ` and ${isOneOf(only.identity, 'r', only.keys, parameters)}`;
  const found = await arrays(
    client,
    `select ${identityTexts(rows.identity, 't').join(', ')} from ${quoteTable(rows.table)} as t
      where ${where} and exists (select from ${quoteTable(by.table)} as r where ${refersAndStays(by, parameters)}${among})`,
    parameters,
  );
  return found as readonly RowKey[]; // Columns of a key are not null.
}

/** How many rows that stay refer to these, and how many of them are none of `known`. */
export async function countReferring(
  client: pg.ClientBase,
  rows: Rows,
  by: Referring,
  known?: Pick<Rows, 'identity' | 'keys'>,
): Promise<{ readonly all: number; readonly others: number }> {
  const parameters = new Parameters();
  const where = isOneOf(rows.identity, 't', rows.keys, parameters);
  const isOther =
    known === undefined || known.keys.length === 0
      ? 'true'
      : `not coalesce(${isOneOf(known.identity, 'r', known.keys, parameters)}, false)`;
  const [found] = await arrays(
    client,
    `select count(*)::text, count(*) filter (where ${isOther})::text from ${quoteTable(by.table)} as r
      where exists (select from ${quoteTable(rows.table)} as t where ${where} and ${refersAndStays(by, parameters)})`,
    parameters,
  );
  return { all: Number(found?.[0] ?? 0), others: Number(found?.[1] ?? 0) };
}

function refersAndStays(by: Referring, parameters: Parameters): string {
  const pairs = by.columns.map((column, place) => `r.${quote(column)} = t.${quote(by.references[place] ?? '')}`);
  const stays =
    by.deleted === undefined || by.deleted.keys.length === 0
      ? ''
      : ` and not coalesce(${isOneOf(by.deleted.identity, 'r', by.deleted.keys, parameters)}, false)`;
  return `${pairs.join(' and ')}${stays}${staysBeside(by, parameters)}`;
}

function staysBeside({ table, beside }: Referring, parameters: Parameters): string {
  if (beside === undefined) return '';
  const { identity, isTheirs } = beside.asked;
  const condition = isTheirs(parameters);
  if (condition === undefined) return '';
  const others = identityNames(identity, 'r');
  const isSame = identityNames(identity, 't').map((name, place) => `${name} = ${others[place] ?? ''}`);
  const stays = beside.stay.length === 0 ? '' : `${isOneOf(identity, 'r', beside.stay, parameters)} or `;
  return ` and (${stays}not exists (select from ${quoteTable(table)} as t where ${isSame.join(' and ')} and ${condition}))`;
}

/** The rows at which a step from these arrives. */
export async function linkedRows(
  client: pg.ClientBase,
  from: Pick<Rows, 'table' | 'identity' | 'keys'>,
  hop: {
    readonly to: string;
    readonly columns: readonly string[];
    readonly references: readonly string[];
    readonly identity: Identity;
  },
): Promise<readonly RowKey[]> {
  const parameters = new Parameters();
  const pairs = hop.columns.map((column, place) => `f.${quote(column)} = t.${quote(hop.references[place] ?? '')}`);
  const where = isOneOf(from.identity, 'f', from.keys, parameters);
  const found = await arrays(
    client,
    `select ${identityTexts(hop.identity, 't').join(', ')} from ${quoteTable(hop.to)} as t
      where exists (select from ${quoteTable(from.table)} as f where ${where} and ${pairs.join(' and ')})`,
    parameters,
  );
  return found as readonly RowKey[]; // As above.
}

/** What these rows hold in one text, but for the columns that are written; the same as long as none has changed, come or gone. */
export async function digestOf(client: pg.ClientBase, rows: Rows, written: readonly string[]): Promise<string> {
  const parameters = new Parameters();
  const where = isOneOf(rows.identity, 't', rows.keys, parameters);
  const [found] = await arrays(
    client,
    `select string_agg(d.row, '' order by d.row) from (
       select encode(sha256(convert_to((to_jsonb(t) - ${parameters.add(written)}::text[])::text, 'SQL_ASCII')), 'hex') as row
         from ${quoteTable(rows.table)} as t where ${where}) as d`,
    parameters,
  );
  return found?.[0] ?? '';
}
