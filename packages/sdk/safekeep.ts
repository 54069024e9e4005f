import { formatColumnName, LEASE_MS, parseColumnName, parseTableName, SafekeepError, type SearchKind } from '@safekeep/core/values';
import { FOUND_BY_NOTHING, indexTexts, openTexts, sealTexts, type DataKeys } from '@safekeep/crypto';
import { compoundNumbers, compoundsOf, givenAlone } from './compounds.ts';
import {
  isLeaving,
  partsOf,
  searchedBy,
  sealedField,
  textOf,
  writesPlaintext,
  writtenIndexes,
  type OwnIndex,
  type SealedField,
} from './field.ts';
import { leasedKeys } from './leased-keys.ts';
import { monotonic, type Queryable, type SafekeepOptions } from './model.ts';
import { SealedParameter, type SealedAs } from './parameters.ts';
import { readFields, type KnownFields } from './store.ts';

/** What is known of the encrypted fields of a database, for a minute at most. */
export type Fields = {
  readonly all: readonly SealedField[];
  /** What results are opened by, also of partitions by their own names, and on the last stretch of the way back, when nobody names ciphertext. */
  readonly read: readonly SealedField[];
  /** Besides these what the database itself seals: a view shows it, the SDK only keeps statements from asking its table. */
  readonly guarded: readonly SealedField[];
  /** By `schema.table.column`, as an outsider writes it. @throws `field-unknown` */
  readonly named: (name: string) => SealedField;
};

/** Columns and what to write into them. */
export type SealedRow = Readonly<Record<string, unknown>>;

/** What `safekeep map types` writes as EncryptedColumns: by external name what a column holds and can be searched by. */
export type ColumnTypes<Columns> = { readonly [Name in keyof Columns]: { readonly value: unknown; readonly search: string } };
/** Without declarations any column is taken, and checked when it is used. */
export type AnyColumn = Readonly<Record<string, { readonly value: unknown; readonly search: SearchKind }>>;

/** What wrappers of the SDK need of it, whatever is declared of the columns. */
export type SealingContext = Omit<Safekeep, 'seal' | 'sealAll' | 'open' | 'openAll' | 'sealRow' | 'sealRows' | 'search'>;

type Name<Columns> = keyof Columns & string;
/** NULL is a value of every column until it is written: what may not be empty the database says. */
type ValueOf<Columns extends ColumnTypes<Columns>, Column extends keyof Columns> = Columns[Column]['value'] | null | undefined;

/** The SDK over one database and tenant; with declarations of the columns a wrong name, value or search is an error of the compiler. */
export type Safekeep<Columns extends ColumnTypes<Columns> = AnyColumn> = {
  readonly tenant: string;
  readonly keys: DataKeys;
  /** Asks the database again once the lease is over, or now (`anew`); on this connection where one is given. */
  readonly fields: (on?: Queryable, anew?: 'anew') => Promise<Fields>;
  /** What is known within the lease, without asking. @throws `field-lease-expired`, and asks in the background */
  readonly knownFields: () => Fields;
  /** Asks again before each lease ends, until what it answers is called. Keeps no process alive. */
  readonly keepFresh: () => () => void;
  /** Forgets what is known of the fields, so that it is asked for anew: after an error that a moved field explains. */
  readonly forget: () => void;
  readonly seal: <Column extends Name<Columns>>(field: Column, value: ValueOf<Columns, Column>) => Promise<Buffer | null>;
  readonly sealAll: <Column extends Name<Columns>>(
    field: Column,
    values: readonly ValueOf<Columns, Column>[],
  ) => Promise<readonly (Buffer | null)[]>;
  /** The text that PostgreSQL would print. @throws `sealed-tampered`, `sealed-wrong-key`, `erased` and the like */
  readonly open: (field: Name<Columns>, sealed: Uint8Array | null) => Promise<string | null>;
  readonly openAll: (field: Name<Columns>, sealed: readonly (Uint8Array | null)[]) => Promise<readonly (string | null)[]>;
  /** All columns to write for a value, by name: its ciphertext, its indexes, and the plaintext as long as others read that. */
  readonly sealRow: <Column extends Name<Columns>>(field: Column, value: ValueOf<Columns, Column>) => Promise<SealedRow>;
  readonly sealRows: <Column extends Name<Columns>>(
    field: Column,
    values: readonly ValueOf<Columns, Column>[],
  ) => Promise<readonly SealedRow[]>;
  /** What to look for, and in which column; null where the term has nothing to be found by. @throws `field-not-served` without such an index */
  readonly search: <Column extends Name<Columns>>(
    field: Column,
    kind: Columns[Column]['search'] & SearchKind,
    term: unknown,
  ) => Promise<{ readonly column: string; readonly number: string } | null>;
  /**
   * All columns to write for values of several columns of a table, by column: as sealRow, with the indexes over several of them. A
   * value of null takes a row out of those. @throws `field-value-refused` where a column of such an index is given without the others
   */
  readonly sealColumns: (table: string, values: Readonly<Record<string, unknown>>) => Promise<SealedRow>;
  /** The number of rows in which these columns have these values. @throws `field-not-served` without an index over just these */
  readonly searchTogether: (
    table: string,
    terms: Readonly<Record<string, unknown>>,
  ) => Promise<{ readonly column: string; readonly number: string } | null>;
  /** Parameters as they are sent: what was to be sealed is. */
  readonly resolve: (values: readonly unknown[]) => Promise<unknown[]>;
};

/** `queryable`: a pool or client of pg whose login may read safekeep.fields. Keys come from whoever holds them; never the database. */
export function safekeep<Columns extends ColumnTypes<Columns> = AnyColumn>(
  queryable: Queryable,
  options: SafekeepOptions,
): Safekeep<Columns> {
  const { tenant, clock = monotonic } = options;
  const leaseMs = Math.min(options.leaseMs ?? LEASE_MS, LEASE_MS);
  const keys = leasedKeys(options.keys, { leaseMs, clock });
  let known: { readonly fields: Fields; readonly untilMs: number } | undefined;
  let asking: Promise<Fields> | undefined;

  const ask = async (on: Queryable): Promise<Fields> => {
    // From before the question on: what the answer says may be past when it comes.
    const askedMs = clock.elapsedMs();
    const answer = await readFields(on, tenant);
    const fields = fieldsOf(answer, options);
    const untilMs = askedMs + leaseMs - answer.ageMs;
    if (known === undefined || known.untilMs < untilMs) known = { fields, untilMs };
    if (known.untilMs <= clock.elapsedMs()) throw new SafekeepError('field-lease-expired');
    return known.fields;
  };
  const asked = async (): Promise<Fields> => {
    asking ??= ask(queryable).finally(() => {
      asking = undefined;
    });
    return await asking;
  };
  const fields = async (on?: Queryable, anew?: 'anew'): Promise<Fields> => {
    const leftMs = known === undefined || anew !== undefined ? 0 : known.untilMs - clock.elapsedMs();
    // A connection that somebody holds is never made to wait for another one: all of the pool may be held. It asks by itself, and
    // early, since who knows only what is known (see knownFields) cannot.
    if (known !== undefined && leftMs > (on === undefined ? 0 : leaseMs / 2)) return known.fields;
    return on === undefined ? await asked() : await ask(on);
  };
  const named = async (name: string): Promise<SealedField> => (await fields()).named(name);

  const sealAll = async (name: string, values: readonly unknown[]): Promise<readonly (Buffer | null)[]> =>
    await sealValues(keys, await named(name), values);
  const openAll = async (name: string, sealed: readonly (Uint8Array | null)[]): Promise<readonly (string | null)[]> =>
    await openValues(keys, await named(name), sealed);
  const sealRows = async (name: string, values: readonly unknown[]): Promise<readonly SealedRow[]> =>
    await sealRowsOf(keys, await named(name), values);

  return {
    tenant,
    keys,
    fields,
    knownFields: () => {
      if (known !== undefined && known.untilMs > clock.elapsedMs()) return known.fields;
      // Told to the next caller, should it fail again.
      fields().catch(() => undefined);
      throw new SafekeepError('field-lease-expired');
    },
    keepFresh: () => {
      // A failure leaves what is known to its lease; the query that comes after it is told.
      const timer = setInterval(() => void asked().catch(() => undefined), leaseMs / 2).unref();
      return () => clearInterval(timer);
    },
    forget: () => {
      known = undefined;
    },
    sealAll,
    openAll,
    seal: async (name, value) => (await sealAll(name, [value]))[0] ?? null,
    open: async (name, sealed) => (await openAll(name, [sealed]))[0] ?? null,
    sealRows,
    sealRow: async (name, value) => (await sealRows(name, [value]))[0] ?? {},
    sealColumns: async (table, values) => await sealColumns(keys, await fields(), { table, values }),
    searchTogether: async (table, terms) => await searchTogether(keys, await fields(), { table, terms }),
    search: async (name, kind, term) => await searchTerm(keys, await named(name), { kind, term }),
    resolve: (values) => resolve(keys, values),
  };
}

/** @throws `tenant-unknown`, `field-renamed`, `field-not-sealed` rather than to take an encrypted column for a plain one. */
function fieldsOf(answer: KnownFields, { tenant, requires = [] }: Pick<SafekeepOptions, 'tenant' | 'requires'>): Fields {
  if (!answer.isTenant) throw new SafekeepError('tenant-unknown', { tenant });
  const known = answer.fields.map((row) => sealedField(row, tenant));
  const missing = known.find((_, place) => answer.fields[place]?.isMissing);
  if (missing !== undefined) throw new SafekeepError('field-renamed', { field: missing.name });
  const leaving = known.filter((field) => field.mode === 'client' && isLeaving(field));
  const all = known.filter((field) => field.mode === 'client' && !isLeaving(field));
  for (const name of requires.map((each) => formatColumnName(parseColumnName(each))))
    if (all.every((field) => field.name !== name || writesPlaintext(field)))
      throw new SafekeepError('field-not-sealed', { field: name });
  const viewed = known.filter(({ mode }) => mode === 'database');
  const withParts = (fields: readonly SealedField[]): readonly SealedField[] =>
    fields.flatMap((field) => [field, ...partsOf(field)]);
  const byName = new Map(all.map((field) => [field.name, field]));
  return {
    all,
    read: withParts([...all, ...leaving]),
    guarded: withParts([...all, ...leaving, ...viewed]),
    named: (name) => {
      const found = byName.get(formatColumnName(parseColumnName(name)));
      if (found === undefined) throw new SafekeepError('field-unknown', { field: name });
      return found;
    },
  };
}

async function sealValues(keys: DataKeys, field: SealedField, values: readonly unknown[]): Promise<readonly (Buffer | null)[]> {
  return await ofPresent(textsOf(field, values), (texts) => sealTexts(keys, field, texts));
}

export async function openValues(
  keys: DataKeys,
  field: SealedField,
  sealed: readonly (Uint8Array | null)[],
): Promise<readonly (string | null)[]> {
  return await ofPresent(sealed, (present) => openTexts(keys, field, present));
}

function textsOf(field: SealedField, values: readonly unknown[]): readonly (string | null)[] {
  return values.map((value) => (value === null || value === undefined ? null : textOf(field, value)));
}

/** Null stays null. */
async function ofPresent<From, To>(
  values: readonly (From | null)[],
  run: (present: readonly From[]) => Promise<readonly To[]>,
): Promise<readonly (To | null)[]> {
  const present = values.flatMap((value) => (value === null ? [] : [value]));
  const made = present.length === 0 ? [] : await run(present);
  let place = 0;
  return values.map((value) => (value === null ? null : (made[place++] ?? null)));
}

async function sealRowsOf(keys: DataKeys, field: SealedField, values: readonly unknown[]): Promise<readonly SealedRow[]> {
  const sealed = await sealValues(keys, field, values);
  const numbers = await Promise.all(writtenIndexes(field).map((index) => indexValues(keys, field, { index, values })));
  return values.map((value, place) => ({
    ...(writesPlaintext(field) ? { [field.column]: value } : {}),
    [field.encrypted]: sealed[place] ?? null,
    ...Object.fromEntries(writtenIndexes(field).map(({ column }, at) => [column, numbers[at]?.[place] ?? null])),
  }));
}

type Indexing = { readonly index: OwnIndex; readonly values: readonly unknown[] };

async function indexValues(keys: DataKeys, field: SealedField, { index, values }: Indexing): Promise<readonly (string | null)[]> {
  return await ofPresent(textsOf(field, values), (texts) => indexTexts(keys, field, index, texts));
}

async function searchTerm(
  keys: DataKeys,
  field: SealedField,
  { kind, term }: { readonly kind: SearchKind; readonly term: unknown },
): Promise<{ readonly column: string; readonly number: string } | null> {
  const index = searchedBy(field, kind);
  requireSwitched(field);
  if (index === undefined) throw notServed(field, `it has no index to search it by ${kind}`, { kind });
  if (term === null || term === undefined) return null;
  // What is looked for by its last four or its beginning is no whole value, and not checked as one.
  const isWhole = kind === 'exact' || kind === 'unique' || typeof term !== 'string';
  const [number = FOUND_BY_NOTHING] = await indexTexts(keys, field, index, [isWhole ? textOf(field, term) : term]);
  return number === FOUND_BY_NOTHING ? null : { column: index.column, number };
}

/** Before, an index says nothing of the rows that stood there. */
function requireSwitched(field: SealedField): void {
  if (['dual-write', 'backfilling', 'verified'].includes(field.phase))
    throw notServed(field, 'not all of its rows are in the index yet', {
      index: `Ask ${field.column} itself until \`encrypt\` is done.`,
    });
}

/** Of the fields of a table, those that are named. @throws `field-unknown` */
function fieldsNamed({ named }: Fields, table: string, columns: readonly string[]): readonly SealedField[] {
  const place = parseTableName(table);
  return columns.map((column) => named(formatColumnName({ ...place, column })));
}

type Columns = { readonly table: string; readonly values: Readonly<Record<string, unknown>> };

async function sealColumns(keys: DataKeys, fields: Fields, { table, values }: Columns): Promise<SealedRow> {
  const given = fieldsNamed(fields, table, Object.keys(values));
  const rows: SealedRow[] = await Promise.all(
    given.map(async (field) => (await sealRowsOf(keys, field, [values[field.column]]))[0] ?? {}),
  );
  const [first] = given;
  for (const compound of first === undefined ? [] : compoundsOf(fields.all, first)) {
    const { parts, index } = compound;
    const own = parts.filter((part) => given.includes(part));
    if (own.length === 0) continue;
    const isTakenOut = own.some(({ column }) => values[column] === null || values[column] === undefined);
    if (own.length < parts.length && !isTakenOut) throw givenAlone(compound);
    const numbers = isTakenOut ? [] : await compoundNumbers(keys, compound, [parts.map(({ column }) => values[column])]);
    rows.push({ [index.column]: numbers[0] ?? null });
  }
  return Object.fromEntries(rows.flatMap((row) => Object.entries(row)));
}

type Terms = { readonly table: string; readonly terms: Readonly<Record<string, unknown>> };

async function searchTogether(
  keys: DataKeys,
  fields: Fields,
  { table, terms }: Terms,
): Promise<{ readonly column: string; readonly number: string } | null> {
  const asked = fieldsNamed(fields, table, Object.keys(terms));
  const [first, ...others] = asked;
  if (first === undefined) throw new SafekeepError('field-unknown', { field: table });
  for (const field of asked) requireSwitched(field);
  const compound = compoundsOf(fields.all, first).findLast(
    ({ index, parts }) => index.state === 'serving' && parts.length === asked.length && parts.every((part) => asked.includes(part)),
  );
  if (compound === undefined) {
    const names = others.map(({ column }) => column).join(',');
    throw notServed(first, `it has no index to search it together with ${names}`, {
      index: `Add the index: safekeep encrypt ${first.name} --with ${names}`,
    });
  }
  const [number = null] = await compoundNumbers(keys, compound, [compound.parts.map(({ column }) => terms[column])]);
  return number === null ? null : { column: compound.index.column, number };
}

async function resolve(keys: DataKeys, values: readonly unknown[]): Promise<unknown[]> {
  const resolved = [...values];
  // One call for each field and purpose: an insert of a thousand rows asks for its key once.
  const groups = Map.groupBy(
    values.flatMap((value, place) => (value instanceof SealedParameter ? [{ value, place }] : [])),
    ({ value: { field, form } }) => `${field.id} ${indexColumnOf(form)}`,
  );
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const { field, form } = first.value;
    const own = group.map(({ value }) => value.value);
    const sent =
      form.as === 'index'
        ? await indexValues(keys, field, { index: form.index, values: own })
        : form.as === 'compound'
          ? await compoundNumbers(
              keys,
              form.compound,
              group.map(({ value }) => (value.form.as === 'compound' ? value.form.values : [])),
            )
          : await sealValues(keys, field, own);
    for (const [order, { place }] of group.entries()) resolved[place] = sent[order];
  }
  return resolved;
}

function indexColumnOf(form: SealedAs): string {
  if (form.as === 'ciphertext') return '';
  return form.as === 'index' ? form.index.column : form.compound.index.column;
}

/** What to say where a query cannot be served, with the index to add. */
export function notServed(
  field: SealedField,
  reason: string,
  {
    kind,
    outcome = 'Nothing was run.',
    index = remedyOf(field, kind),
  }: { readonly kind?: SearchKind | undefined; readonly outcome?: string | undefined; readonly index?: string } = {},
): SafekeepError {
  return new SafekeepError('field-not-served', { field: field.name, reason, outcome, index });
}

function remedyOf(field: SealedField, kind: SearchKind | undefined): string {
  if (kind === undefined) return 'Read the rows by something else and filter after decryption.';
  if (searchedBy(field, kind) !== undefined)
    return `Ask its index: sdk.search('${field.name}', '${kind}', term) says what to look for in which column; compare the opened values.`;
  const kinds = [...new Set([...writtenIndexes(field).map((each) => each.kind), kind])];
  return `Add the index: safekeep encrypt ${field.name} --search ${kinds.join(',')}`;
}
