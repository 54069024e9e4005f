import { formatColumnName, parseColumnName, SafekeepError, type SearchKind } from '@safekeep/core';
import { indexTexts, openTexts, sealTexts, type DataKeys } from '@safekeep/crypto';
import { sealedField, textOf, type SealedField } from './field.ts';
import { leasedKeys } from './leased-keys.ts';
import { LEASE_MS, monotonic, type Queryable, type SafekeepOptions } from './model.ts';
import { SealedParameter } from './parameters.ts';
import { readFields } from './store.ts';

/** What is known of the encrypted fields of a database, for a minute at most. */
export type Fields = {
  readonly all: readonly SealedField[];
  /** By `schema.table.column`, as an outsider writes it. @throws `field-unknown` */
  readonly named: (name: string) => SealedField;
};

/** The SDK over one database and tenant. */
export type Safekeep = {
  readonly tenant: string;
  readonly keys: DataKeys;
  /** Asks the database again once the lease is over. */
  readonly fields: () => Promise<Fields>;
  /** What is known within the lease, without asking. @throws `field-lease-expired`, and asks in the background */
  readonly knownFields: () => Fields;
  /** Asks again before each lease ends, until what it answers is called. Keeps no process alive. */
  readonly keepFresh: () => () => void;
  /** Forgets what is known of the fields, so that it is asked for anew: after an error that a moved field explains. */
  readonly forget: () => void;
  readonly seal: (field: string, value: unknown) => Promise<Buffer | null>;
  readonly sealAll: (field: string, values: readonly unknown[]) => Promise<readonly (Buffer | null)[]>;
  /** The text that PostgreSQL would print. @throws `sealed-tampered`, `sealed-wrong-key`, `erased` and the like */
  readonly open: (field: string, sealed: Uint8Array | null) => Promise<string | null>;
  readonly openAll: (field: string, sealed: readonly (Uint8Array | null)[]) => Promise<readonly (string | null)[]>;
  /** The number to look for in the index column of that kind. @throws `field-not-served` where there is none */
  readonly index: (field: string, kind: SearchKind, value: unknown) => Promise<string | null>;
  /** Parameters as they are sent: what was to be sealed is. */
  readonly resolve: (values: readonly unknown[]) => Promise<unknown[]>;
};

/** `queryable`: a pool or client whose login may read safekeep.fields. Keys come from whoever holds them; never the database. */
export function safekeep(queryable: Connecting, options: SafekeepOptions): Safekeep {
  const { tenant, clock = monotonic } = options;
  const leaseMs = Math.min(options.leaseMs ?? LEASE_MS, LEASE_MS);
  const keys = leasedKeys(options.keys, { leaseMs, clock });
  let known: { readonly fields: Fields; readonly untilMs: number } | undefined;
  let asking: Promise<Fields> | undefined;

  const ask = async (): Promise<Fields> => {
    const client = await queryable.connect();
    try {
      const fields = fieldsOf((await readFields(client, tenant)).map((row) => sealedField(row, tenant)));
      known = { fields, untilMs: clock.elapsedMs() + leaseMs };
      return fields;
    } finally {
      client.release();
      asking = undefined;
    }
  };
  const fields = async (): Promise<Fields> => {
    if (known !== undefined && known.untilMs > clock.elapsedMs()) return known.fields;
    asking ??= ask();
    return await asking;
  };
  const named = async (name: string): Promise<SealedField> => (await fields()).named(name);

  const sealAll = async (name: string, values: readonly unknown[]): Promise<readonly (Buffer | null)[]> =>
    await sealValues(keys, await named(name), values);
  const openAll = async (name: string, sealed: readonly (Uint8Array | null)[]): Promise<readonly (string | null)[]> =>
    await openValues(keys, await named(name), sealed);

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
      const timer = setInterval(() => void ask().catch(() => undefined), leaseMs / 2).unref();
      return () => clearInterval(timer);
    },
    forget: () => {
      known = undefined;
    },
    sealAll,
    openAll,
    seal: async (name, value) => (await sealAll(name, [value]))[0] ?? null,
    open: async (name, sealed) => (await openAll(name, [sealed]))[0] ?? null,
    index: async (name, kind, value) =>
      await indexValue(keys, await named(name), { as: kind === 'exact' ? 'index' : 'term', kind, value }),
    resolve: (values) => resolve(keys, values),
  };
}

export type Connecting = { readonly connect: () => Promise<Queryable & { readonly release: () => void }> };

function fieldsOf(all: readonly SealedField[]): Fields {
  const byName = new Map(all.map((field) => [field.name, field]));
  return {
    all,
    named: (name) => {
      const found = byName.get(formatColumnName(parseColumnName(name)));
      if (found === undefined) throw new SafekeepError('field-unknown', { field: name });
      return found;
    },
  };
}

async function sealValues(keys: DataKeys, field: SealedField, values: readonly unknown[]): Promise<readonly (Buffer | null)[]> {
  const texts = values.map((value) => (value === null || value === undefined ? null : textOf(field, value)));
  const sealed = await sealTexts(
    keys,
    field,
    texts.filter((text) => text !== null),
  );
  let place = 0;
  return texts.map((text) => (text === null ? null : (sealed[place++] ?? null)));
}

export async function openValues(
  keys: DataKeys,
  field: SealedField,
  sealed: readonly (Uint8Array | null)[],
): Promise<readonly (string | null)[]> {
  const opened = await openTexts(
    keys,
    field,
    sealed.filter((bytes) => bytes !== null),
  );
  let place = 0;
  return sealed.map((bytes) => (bytes === null ? null : (opened[place++] ?? null)));
}

type Indexed = { readonly as: 'index' | 'term'; readonly kind: SearchKind; readonly value: unknown };

async function indexValue(keys: DataKeys, field: SealedField, { as, kind, value }: Indexed): Promise<string | null> {
  const index = field.indexes.findLast((each) => each.kind === kind);
  if (index === undefined) throw notServed(field, `it has no index to search it by ${kind}`, kind);
  if (value === null || value === undefined) return null;
  // What is looked for by its last four or its beginning is no whole value, and not checked as one.
  const text = as === 'index' || typeof value !== 'string' ? textOf(field, value) : value;
  const [number = null] = await indexTexts(keys, field, index, [text]);
  return number;
}

async function resolve(keys: DataKeys, values: readonly unknown[]): Promise<unknown[]> {
  const resolved = [...values];
  // One call for each field and purpose: an insert of a thousand rows asks for its key once.
  const groups = Map.groupBy(
    values.flatMap((value, place) => (value instanceof SealedParameter ? [{ value, place }] : [])),
    ({ value: { field, form } }) => `${field.id} ${form.as}`,
  );
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    if (first.value.form.as === 'ciphertext') {
      const sealed = await sealValues(
        keys,
        first.value.field,
        group.map(({ value }) => value.value),
      );
      for (const [order, { place }] of group.entries()) resolved[place] = sealed[order];
      continue;
    }
    for (const {
      value: { field, value, form },
      place,
    } of group)
      if (form.as !== 'ciphertext') resolved[place] = await indexValue(keys, field, { ...form, value });
  }
  return resolved;
}

/** What to say where a query cannot be served, with the index to add. */
export function notServed(field: SealedField, reason: string, kind?: SearchKind): SafekeepError {
  const index =
    kind === undefined
      ? 'Read the rows by something else and filter after decryption.'
      : `Add the index: safekeep encrypt ${field.name} --search ${[...field.indexes.map((each) => each.kind), kind].join(',')}`;
  return new SafekeepError('field-not-served', { field: field.name, reason, index });
}
