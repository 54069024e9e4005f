import pg from 'pg';
import { codeOf, displayKinds, SafekeepError, type IndexKind } from '@safekeep/core/values';
import { beginsSealed } from '@safekeep/crypto';
import { notServed, openValues, type Fields, type SealingContext } from './safekeep.ts';
import { holdsPlaintext, isLeaving, type SealedField } from './field.ts';
import { guardStatement, selectsEmpty } from './statement-guard.ts';
import { FILTER_PREFIX, pairedWrongly, pairsOf } from './statement-pairs.ts';
import { statementsOf } from './statement-words.ts';

type Rows = pg.QueryResult<Record<string, unknown>>;

/** The tags of commands that Kysely tells apart; pg answers any other as well. */
type Command = 'COMMIT' | 'DELETE' | 'INSERT' | 'MERGE' | 'ROLLBACK' | 'SELECT' | 'UPDATE';
type Result = Omit<Rows, 'command' | 'rowCount'> & { command: Command; rowCount: number };

/** A pool as pg's, for promises: results come opened, parameters go sealed. */
export type SealedPool = {
  readonly connect: () => Promise<SealedClient>;
  readonly query: (text: string, values?: readonly unknown[]) => Promise<Result>;
  readonly end: () => Promise<void>;
  readonly options: pg.PoolOptions;
};

export type SealedClient = {
  readonly query: (text: string, values?: readonly unknown[]) => Promise<Result>;
  readonly release: (destroy?: boolean) => void;
  readonly processID?: number;
};

/**
 * Wraps a pool of pg. A result column of an encrypted field comes opened under the name of the plaintext's column, wherever the
 * query selected the ciphertext (`select *` does); its index columns are left out. A query that selects only the empty column
 * raises instead of giving NULL for every row, and so does SQL that compares, sorts or computes by it: see {@link guardStatement}.
 * Cursors and callbacks are not taken.
 */
export function sealedPool(pool: pg.Pool, sdk: SealingContext): SealedPool {
  /** Connections on which a statement failed for what was known, and on which nothing could be asked since: their transaction takes no question. */
  const unaware = new WeakSet<object>();
  const control = async (client: pg.Pool | pg.PoolClient, text: string): Promise<Result> => {
    const result = (await client.query<Record<string, unknown>>(text)) as Result; // As below.
    // What it ended is ended, so a question that fails is asked once more before the next statement.
    if (unaware.has(client) && !isFailed(client)) await learn(client);
    return result;
  };
  /** Why a statement failed is what its caller is to hear, and not that nothing new could be asked then. */
  const learn = async (client: pg.Pool | pg.PoolClient): Promise<void> => {
    unaware.add(client);
    await sdk.fields(client === pool ? undefined : client, 'anew').then(
      () => unaware.delete(client),
      () => undefined,
    );
  };
  const run = async (client: pg.Pool | pg.PoolClient, text: string, values: readonly unknown[] = []): Promise<Result> => {
    if (typeof text !== 'string') throw new SafekeepError('sealed-query-unfit');
    // These ask no table, and a transaction that failed takes nothing else any more.
    if (CONTROL.test(text)) return await control(client, text);
    if (endsTransaction(text)) throw new SafekeepError('sealed-query-unfit');
    const on = client === pool ? undefined : client;
    const anew = (): Promise<Fields> => sdk.fields(on, 'anew');
    const known = unaware.has(client) ? await anew() : await sdk.fields(on);
    unaware.delete(client);
    await believing(known, anew, ({ guarded }) => guardStatement(text, guarded)).catch(rememberUnrun);
    const sent = await sdk.resolve(values);
    try {
      // Several statements in one text have several results, in spite of its type.
      const result: Rows | readonly Rows[] = await client.query<Record<string, unknown>>(text, sent);
      const open = (each: Rows): Promise<Rows> => believing(known, anew, async (fields) => await openResult(sdk, fields, each));
      const opened = Array.isArray(result) ? await Promise.all(result.map(open)) : await open(result);
      // Kysely compares the tag and takes any other for none; where rows are counted there is a count.
      return opened as Result;
    } catch (error) {
      const moved = movedField(known, error);
      if (moved === undefined) throw error;
      // pg raises before it has read that the transaction failed, so this may be refused as well.
      if (isFailed(client)) unaware.add(client);
      else await learn(client);
      throw unrun(new SafekeepError('field-moved', { field: moved.name }, { cause: error }));
    }
  };
  return {
    query: (text, values) => run(pool, text, values),
    connect: async () => {
      const client = await pool.connect();
      return {
        query: (text, values) => run(client, text, values),
        release: (destroy) => client.release(destroy),
        // Undocumented by pg; Kysely asks for it to cancel a query and does without where it is not.
        ...('processID' in client && typeof client.processID === 'number' ? { processID: client.processID } : {}),
      };
    },
    end: () => pool.end(),
    options: pool.options,
  };
}

function isFailed(client: pg.Pool | pg.PoolClient): boolean {
  return 'getTransactionStatus' in client && client.getTransactionStatus() === 'E';
}

const UNRUN = new WeakSet<Error>();

function unrun<Raised extends Error>(error: Raised): Raised {
  UNRUN.add(error);
  return error;
}

function rememberUnrun(error: unknown): never {
  throw error instanceof Error ? unrun(error) : error;
}

/** A statement was refused for what is known, or failed for what was: nothing of it was done, and made anew it may go through. */
export function mayGoAnew(error: unknown): boolean {
  return error instanceof Error && UNRUN.has(error) && ['field-moved', 'field-not-served'].includes(codeOf(error) ?? '');
}

/** On the way back no row is written any more without plaintext, by the name that `decrypt` gives the constraint. */
const PLAINTEXT_WANTED = /^zz_safekeep_again_/;

/**
 * The field that a statement was made for by somebody who knew it as it was: it names a column that went (undefined_column), or writes
 * ciphertext alone where plaintext is wanted again (check_violation). Run once more as it is it would fail once more.
 */
function movedField({ all }: Fields, error: unknown): SealedField | undefined {
  if (!(error instanceof pg.DatabaseError)) return undefined;
  const { code, message, constraint, table, schema } = error;
  if (code === '42703')
    return all.find(({ encrypted, indexes }) =>
      [encrypted, ...indexes.map(({ column }) => column)].some((name) => message.includes(name)),
    );
  if (code !== '23514' || !PLAINTEXT_WANTED.test(constraint ?? '')) return undefined;
  return all.find((field) => field.schema === schema && field.table === table);
}

/** What is refused by what was known a moment ago may be served by now: a column came back to plaintext. It is asked for once more. */
async function believing<Answer>(
  known: Fields,
  anew: () => Promise<Fields>,
  run: (fields: Fields) => Answer | Promise<Answer>,
): Promise<Answer> {
  try {
    return await run(known);
  } catch (error) {
    if (codeOf(error) !== 'field-not-served') throw error;
    return await run(await anew());
  }
}

/** One statement that begins, ends or sets up a transaction: some may come before any query only. */
const CONTROL = /^\s*(?:abort|begin|commit|end|release|rollback|savepoint|set|start)\b[^;]*;?\s*$/i;

/** What begins or ends a transaction among other statements: of what fails behind it a part is done, and would be done twice. */
const AMONG_OTHERS = new Set(['abort', 'begin', 'commit', 'end', 'prepare', 'release', 'rollback', 'savepoint', 'start']);

function endsTransaction(text: string): boolean {
  if (!/;\s*\S/.test(text)) return false;
  const statements = statementsOf(text);
  // END of a function that is written in SQL.
  const isBody = statements.some((words) => words.some((word) => word.text === 'atomic'));
  return (
    statements.length > 1 && statements.some(([first]) => AMONG_OTHERS.has(first?.text ?? '') && !(isBody && first?.text === 'end'))
  );
}

/** A column of a result that is a field's; `isHidden`: a later one of the same name took its place in the rows. */
type Role = { readonly field: SealedField; readonly name: string; readonly isHidden: boolean };

const ANSWERED = 'It was run, and what it wrote stands.';

async function openResult(sdk: SealingContext, fields: Fields, result: Rows): Promise<Rows> {
  const { read, guarded } = fields;
  const [known] = guarded;
  if (result.fields === undefined || result.fields.length === 0 || known === undefined) return result;
  const plain: Role[] = [];
  const sealed: Role[] = [];
  const surplus: Role[] = [];
  for (const [place, { name, tableID, columnID }] of result.fields.entries()) {
    const isHidden = result.fields.some((other, at) => at > place && other.name === name);
    for (const field of read.filter(({ tableOid }) => tableOid === tableID)) {
      const role = { field, name, isHidden };
      if (columnID === field.columnNumber) plain.push(role);
      else if (columnID === field.encryptedNumber) sealed.push(role);
      else if (field.indexes.some(({ kind, number }) => number === columnID && !isShown(kind))) surplus.push(role);
    }
  }
  const columns = read.flatMap((field) => columnsOf(field, plain, sealed));
  const hidden = [...columns.flatMap(({ roles }) => roles), ...surplus].find(({ isHidden }) => isHidden);
  if (hidden !== undefined) throw pairedWrongly(hidden.field, ANSWERED);
  const paired = new Set(columns.flatMap(({ roles }) => roles));
  const alone = plain.find((each) => !paired.has(each) && !holdsPlaintext(each.field) && !isLeaving(each.field));
  if (alone !== undefined) throw selectsEmpty(alone.field, ANSWERED);
  const foreign = result.fields.filter((each) => !isBesideValue(each, guarded));
  refuseUnknown({ ...result, fields: foreign }, new Set(sealed.map(({ name }) => name)), known);
  for (const column of columns) await openColumn(sdk, result, column);
  const left = new Set([...surplus.map(({ name }) => name), ...columns.flatMap(({ from, to }) => (from === to ? [] : [from]))]);
  for (const row of result.rows) for (const name of left) delete row[name];
  return { ...result, fields: result.fields.filter(({ name }) => !left.has(name)) };
}

const BYTEA: number = pg.types.builtins.BYTEA;

/** A view, a function or a copy passed on ciphertext, and with it the empty column, which is not to be taken for a value. */
function refuseUnknown({ fields, rows }: Rows, opened: ReadonlySet<string>, known: SealedField): void {
  const names = fields.filter(({ dataTypeID, name }) => dataTypeID === BYTEA && !opened.has(name));
  for (const { name } of names)
    if (rows.some(({ [name]: value }) => value instanceof Uint8Array && beginsSealed(value)))
      throw notServed(known, `${name} is ciphertext that came by way of a view, a function or a copy, and is opened as no column`, {
        outcome: ANSWERED,
        index: 'Ask the table itself for the column and its ciphertext, or read ciphertext by a pool that is not wrapped.',
      });
}

/** Ciphertext that the database itself sealed, beside its value: in our view, and in the table as long as that has it. */
function isBesideValue({ tableID, columnID }: pg.FieldDef, guarded: readonly SealedField[]): boolean {
  return guarded
    .filter(({ mode }) => mode === 'database')
    .flatMap((field) => [holdsPlaintext(field) ? field : null, field.view])
    .some((place) => place?.tableOid === tableID && place.encryptedNumber === columnID);
}

/** What of a field a result has to open, each ciphertext into the plaintext that it belongs to. */
function columnsOf(field: SealedField, plain: readonly Role[], sealed: readonly Role[]): readonly Column[] {
  const own = (role: Role): boolean => role.field === field;
  const pairs = pairsOf(plain.filter(own), sealed.filter(own));
  if (pairs === undefined) throw pairedWrongly(field, ANSWERED);
  return pairs.map((pair) => ({
    field,
    from: pair.sealed.name,
    to: pair.plain?.name ?? pair.sealed.name,
    roles: [pair.sealed, ...(pair.plain === undefined ? [] : [pair.plain])],
  }));
}

/** What of a card number may be shown is there to be selected. */
function isShown(kind: IndexKind): boolean {
  return displayKinds.some((known) => known === kind);
}

/** Ciphertext that comes as `from` and is opened into `to`. */
type Column = { readonly field: SealedField; readonly from: string; readonly to: string; readonly roles: readonly Role[] };

/** Where there is no ciphertext the plaintext beside it is what counts: written by somebody without a key, on the way. */
async function openColumn({ keys }: SealingContext, { rows }: Rows, { field, from, to }: Column): Promise<void> {
  // bytea comes as Buffer unless the application changed pg's parser for it.
  const bytes = rows.map((row) => (row[from] instanceof Uint8Array ? row[from] : null));
  const texts = await openValues(keys, field, bytes);
  const parse = from.startsWith(FILTER_PREFIX) ? (text: string) => text : parserOf(field.typeOid);
  for (const [place, row] of rows.entries()) {
    const text = texts[place] ?? null;
    if (text !== null) row[to] = parse(text);
    else if (to === from) row[to] = null;
  }
}

/** pg answers for every type, with text as it is where it knows none. */
function parserOf(typeOid: number): (text: string) => unknown {
  // Its types list only the numbers of built-in types; it takes any.
  const parsers = pg.types as { readonly getTypeParser: (oid: number, format: 'text') => (text: string) => unknown };
  return parsers.getTypeParser(typeOid, 'text');
}
