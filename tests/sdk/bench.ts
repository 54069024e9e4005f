import { createHash } from 'node:crypto';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { encryptField, fieldKeys, finishField, type FieldGround, type KeySource } from '@safekeep/capabilities/encryption';
import { parseColumnName, systemClock, type SearchKind } from '@safekeep/core';
import { IndexKey, SealingKey } from '@safekeep/crypto';
import { testDatabase } from '@safekeep/postgres/testing';
import { safekeep, sealedPool, type SealedPool, type Safekeep } from '@safekeep/sdk';
import { kyselyPool, sealedKysely } from '@safekeep/sdk/kysely';

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

export type Application<Tables> = {
  /** As somebody who knows nothing of keys sees the database. */
  readonly pool: pg.Pool;
  readonly sealed: SealedPool;
  readonly sdk: Safekeep;
  readonly kysely: Kysely<Tables>;
  readonly encrypt: (column: string, search?: readonly SearchKind[], card?: 'number') => Promise<void>;
  readonly finish: (column: string) => Promise<void>;
};

/** An application of the SDK's over a database with these tables. `leaseMs` 0: the fields are asked for before every query. */
export async function application<Tables>(t: Ending, setUp: string): Promise<Application<Tables>> {
  const made = await testDatabase(undefined, { migrated: true });
  await made.pool.query(setUp);
  const keys = memoryKeys();
  const ground: FieldGround = {
    database: made.database,
    tenant: 'default',
    clock: systemClock,
    signal: new AbortController().signal,
    observe: () => undefined,
    keys: fieldKeys(keys),
    leaseMs: 0,
  };
  const agree = async (): Promise<void> => undefined;
  const own = new pg.Pool({ connectionString: made.url.reveal(), max: 3 });
  const sdk = safekeep(own, { tenant: 'default', keys });
  const sealed = sealedPool(own, sdk);
  const plugin = await sealedKysely(sdk);
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: kyselyPool(sealed) }), plugins: [plugin] });
  t.after(async () => {
    plugin.close();
    await kysely.destroy();
    await made[Symbol.asyncDispose]();
  });
  return {
    pool: made.pool,
    sealed,
    sdk,
    kysely,
    encrypt: async (column, search = [], card) => {
      await encryptField(
        ground,
        { column: parseColumnName(column), mode: 'client', search, card: card ?? null, acceptLeak: true },
        agree,
      );
      sdk.forget();
      await sdk.fields();
    },
    finish: async (column) => {
      await finishField(ground, parseColumnName(column), agree);
      sdk.forget();
      await sdk.fields();
    },
  };
}
