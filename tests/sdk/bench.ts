import { createHash, randomBytes } from 'node:crypto';
import { Kysely, type KyselyPlugin } from 'kysely';
import pg from 'pg';
import {
  changeIndexes,
  decryptField,
  encryptField,
  fieldKeys,
  finishField,
  type FieldGround,
  type FieldOrder,
  type IndexOrder,
  type KeySource,
} from '@safekeep/capabilities/encryption';
import { parseColumnName, systemClock, type SearchKind } from '@safekeep/core';
import { IndexKey, SealingKey } from '@safekeep/crypto';
import { testDatabase, type TestDatabase } from '@safekeep/postgres/testing';
import { safekeep, sealedPool, type SafekeepOptions, type SealedPool, type Safekeep } from '@safekeep/sdk';
import { sealedDialect, sealedKysely } from '@safekeep/sdk/kysely';

/** Anything that runs a function at the end of a test: the context of node:test. */
type Ending = { readonly after: (run: () => Promise<void>) => void };

/** The keys of fields in memory; what `safekeep keys` keeps in files. */
function memoryKeys(): KeySource {
  const bytes = (name: string): Buffer => createHash('sha256').update(`sdk ${name}`).digest();
  const keyOf = (id: string): SealingKey => new SealingKey(id, bytes(id));
  const idOf = (scope: string): string => bytes(scope).toString('hex').slice(0, 16);
  return {
    current: async (_tenant, scope) => keyOf(idOf(scope)),
    byId: async (_tenant, ids) => new Map(ids.map((id) => [id, keyOf(id)])),
    index: async (_tenant, scope) => new IndexKey(bytes(`index ${scope}`)),
    prepare: async () => undefined,
    rotate: async () => undefined,
  };
}

/** One that uses the SDK over a database, with what it knows by itself. */
type Client<Tables> = {
  readonly sealed: SealedPool;
  readonly sdk: Safekeep;
  readonly kysely: Kysely<Tables>;
};

export type Application<Tables> = Client<Tables> & {
  /** As somebody who knows nothing of keys sees the database. */
  readonly pool: pg.Pool;
  readonly encrypt: (
    column: string,
    search?: readonly SearchKind[],
    options?: Moved & Partial<Pick<FieldOrder, 'mode'>>,
  ) => Promise<void>;
  readonly finish: (column: string) => Promise<void>;
  readonly indexes: (column: string, order: Partial<IndexOrder>) => Promise<void>;
  /** Another process of the same application. */
  readonly another: (options?: ClientOptions) => Promise<Application<Tables>>;
  /** `silently`: the application does not learn of it at once. */
  readonly decrypt: (column: string, options?: Moved & { readonly silently?: boolean }) => Promise<void>;
  /** Learns at once what has changed. */
  readonly refresh: () => Promise<void>;
};

/** `observe` sees the moments of it. */
type Moved = { readonly observe?: FieldGround['observe'] };

type ClientOptions = Partial<Pick<SafekeepOptions, 'tenant' | 'leaseMs' | 'requires' | 'clock'>> & {
  /** Connections at most. */
  readonly max?: number;
  /** Plugins of Kysely's before and after ours. */
  readonly before?: readonly KyselyPlugin[];
  readonly after?: readonly KyselyPlugin[];
};

/** As an application signs in: its own tables, and of Safekeep what `safekeep_client` gives. */
async function clientLogin({ pool, url }: TestDatabase): Promise<URL> {
  const login = `client_${randomBytes(6).toString('hex')}`;
  const tables = 'select, insert, update, delete on tables';
  await pool.query(
    `create role ${login} login password 'client' in role safekeep_client; alter default privileges grant ${tables} to ${login};
     alter default privileges grant usage on schemas to ${login}`,
  );
  const { rows } = await pool.query<{ name: string }>(
    `select nspname as name from pg_namespace where nspname not like 'pg\\_%' and nspname not in ('information_schema', 'safekeep')`,
  );
  for (const schema of rows.map(({ name }) => pg.escapeIdentifier(name)))
    await pool.query(
      `grant usage on schema ${schema} to ${login}; grant select, insert, update, delete on all tables in schema ${schema} to ${login}`,
    );
  const own = new URL(url.reveal());
  [own.username, own.password] = [login, 'client'];
  return own;
}

/** An application of the SDK's over a database with these tables. It believes what it knows for `leaseMs`; moves wait for `waitMs`. */
export async function application<Tables>(
  t: Ending,
  setUp: string,
  { leaseMs, waitMs = leaseMs ?? 0 }: { readonly leaseMs?: number; readonly waitMs?: number } = {},
): Promise<Application<Tables>> {
  const made = await testDatabase(undefined, { migrated: true });
  await made.pool.query(setUp);
  const url = await clientLogin(made);
  const keys = memoryKeys();
  const ground: FieldGround = {
    database: made.database,
    tenant: 'default',
    clock: systemClock,
    signal: new AbortController().signal,
    observe: () => undefined,
    keys: fieldKeys(keys),
    leaseMs: waitMs,
  };
  const agree = async (): Promise<void> => undefined;
  const closing: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const close of closing) await close();
    await made.pool.query(`drop owned by ${url.username}; drop role ${url.username}`);
    await made[Symbol.asyncDispose]();
  });
  const client = async ({ max = 3, before = [], after = [], ...options }: ClientOptions = {}): Promise<Application<Tables>> => {
    const own = new pg.Pool({ connectionString: url.href, max });
    closing.push(async () => {
      if (!own.ended) await own.end();
    });
    const sdk = safekeep(own, { tenant: 'default', keys, ...(leaseMs === undefined ? {} : { leaseMs }), ...options });
    const sealed = sealedPool(own, sdk);
    const plugin = await sealedKysely(sdk);
    const kysely = new Kysely<Tables>({
      dialect: sealedDialect(sealed, plugin),
      plugins: [...before, plugin, ...after],
    });
    closing.unshift(async () => {
      plugin.close();
      // It ends only a pool that it has used.
      await kysely.destroy();
    });
    const refresh = async (): Promise<void> => {
      sdk.forget();
      await sdk.fields();
    };
    return {
      pool: made.pool,
      sealed,
      sdk,
      kysely,
      another: client,
      refresh,
      encrypt: async (column, search = [], { mode = 'client', observe = ground.observe } = {}) => {
        const order: FieldOrder = { column: parseColumnName(column), mode, search, card: null, acceptLeak: true };
        await encryptField({ ...ground, observe }, order, agree);
        await refresh();
      },
      finish: async (column) => {
        await finishField(ground, parseColumnName(column), agree);
        await refresh();
      },
      decrypt: async (column, { silently = false, observe = ground.observe } = {}) => {
        await decryptField({ ...ground, observe }, parseColumnName(column), agree);
        if (!silently) await refresh();
      },
      indexes: async (column, order) => {
        await changeIndexes(ground, parseColumnName(column), { ...order, acceptLeak: false, agree });
        await refresh();
      },
    };
  };
  return await client();
}
