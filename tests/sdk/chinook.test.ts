import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Kysely, type Generated } from 'kysely';
import pg from 'pg';
import {
  decryptField,
  encryptField,
  fieldKeys,
  fieldKeySource,
  fieldStatus,
  finishField,
  keysOfHome,
  rotateField,
  type FieldGround,
  type KeySource,
} from '@safekeep/capabilities/encryption';
import { isSafekeepError, parseColumnName, readConfiguration, systemClock } from '@safekeep/core';
import { fingerprint, readCatalog } from '@safekeep/postgres';
import { testDatabase } from '@safekeep/postgres/testing';
import { safekeep, sealedPool, unlock } from '@safekeep/sdk';
import { sealedDialect, sealedKysely } from '@safekeep/sdk/kysely';

const FILE = join(import.meta.dirname, '../../../shared/data/sqlite/chinook.sqlite');
const COLUMNS = ['public."Customer"."Email"', 'public."Customer"."Phone"'];
const skip = existsSync(FILE) ? false : 'skipped: ../shared/data not present';

type Customer = { CustomerId: number; FirstName: string; Email: string; Phone: string | null };
type Tables = { Customer: Omit<Customer, 'CustomerId'> & { CustomerId: Generated<number> } };

/** What an application does with its customers, through whatever protects them. */
type Access = {
  readonly read: (id: number) => Promise<Pick<Customer, 'Email' | 'Phone'> | undefined>;
  readonly write: (id: number, values: Partial<Customer>) => Promise<unknown>;
  readonly close: () => Promise<void>;
};

function customers(): readonly Customer[] {
  const source = new DatabaseSync(new URL(`${pathToFileURL(FILE).href}?immutable=1`), { readOnly: true });
  const rows = source.prepare('SELECT CustomerId, FirstName, Email, Phone FROM Customer ORDER BY CustomerId').all();
  source.close();
  // The columns of that file.
  return rows.map((row) => ({ ...row })) as unknown as readonly Customer[];
}

/** Writes and reads all the time, and compares every value that it reads with the one it last wrote. */
class Application {
  readonly known: Map<number, Pick<Customer, 'Email' | 'Phone'>>;
  readonly #access: Access;
  #running: Promise<void> | undefined;
  #stop = false;
  compared = 0;
  writes = 0;
  failure: Error | undefined;

  constructor(rows: readonly Customer[], access: Access) {
    this.known = new Map(rows.map(({ CustomerId, Email, Phone }) => [CustomerId, { Email, Phone }]));
    this.#access = access;
  }

  start(): void {
    this.#running = this.#run();
    this.#running.catch((error: unknown) => {
      this.failure = error instanceof Error ? error : new Error(String(error));
    });
  }

  async stop(): Promise<void> {
    this.#stop = true;
    await this.#running;
    await this.#access.close();
  }

  async #run(): Promise<void> {
    const ids = [...this.known.keys()];
    for (let turn = 0; !this.#stop; turn += 1) {
      const id = ids[Math.floor(Math.random() * ids.length)] ?? 1;
      const before = this.known.get(id);
      assert.deepEqual(await this.#access.read(id), before, `customer ${id}, turn ${turn}`);
      this.compared += 1;
      const values =
        turn % 3 === 0 ? { Email: `turn${turn}@example.org` } : turn % 3 === 1 ? { Phone: turn % 6 === 1 ? null : `+${turn}` } : {};
      await this.#access.write(id, { FirstName: `name${turn}`, ...values });
      if (before !== undefined) this.known.set(id, { ...before, ...values });
      this.writes += 1;
    }
  }
}

/** Through the SDK: the database never holds a key. */
async function clientAccess(own: pg.Pool, keys: KeySource): Promise<Access> {
  const sdk = safekeep(own, { tenant: 'default', keys, leaseMs: 150 });
  const plugin = await sealedKysely(sdk);
  const kysely = new Kysely<Tables>({
    dialect: sealedDialect(sealedPool(own, sdk), plugin),
    plugins: [plugin],
  });
  const again = async <Result>(run: () => Promise<Result>): Promise<Result> => {
    // A busy machine may let its lease end between the two; nothing else ever fails.
    for (let tries = 0; ; tries += 1) {
      try {
        await sdk.fields();
        return await run();
      } catch (error) {
        const passing = isSafekeepError(error, 'field-lease-expired');
        if (!passing || tries === 200) throw error;
      }
    }
  };
  return {
    read: (id) =>
      again(() => kysely.selectFrom('Customer').select(['Email', 'Phone']).where('CustomerId', '=', id).executeTakeFirst()),
    write: (id, values) => again(() => kysely.updateTable('Customer').set(values).where('CustomerId', '=', id).execute()),
    close: async () => {
      plugin.close();
      await kysely.destroy();
    },
  };
}

/** By transactions that unlock the key, through the view as soon as it stands. */
function databaseAccess(own: pg.Pool, keys: KeySource): Access {
  const within = async <Result>(run: (client: pg.PoolClient, table: string) => Promise<Result>): Promise<Result> => {
    for (let tries = 0; ; tries += 1) {
      const client = await own.connect();
      try {
        await client.query('begin');
        await unlock(client, { tenant: 'default', keys });
        const { rows } = await client.query<{ view: string | null }>(`select to_regclass('"Customer_decrypted"')::text as view`);
        const result = await run(client, rows[0]?.view ?? '"Customer"');
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback');
        // The view went or came in between, or (40001) a row was sealed between the statement's reading and writing it, which the guide
        // says to run again. A deadlock (40P01) is never to be the application's: our locks give way.
        const passing =
          error instanceof Error &&
          'code' in error &&
          ['40001', '42P01', '42703', '55000', 'XX000', '42809'].includes(String(error.code));
        if (!passing || tries === 200) throw error;
      } finally {
        client.release();
      }
    }
  };
  return {
    read: (id) =>
      within(
        async (client, table) =>
          (await client.query(`select "Email", "Phone" from ${table} where "CustomerId" = $1`, [id])).rows[0],
      ),
    write: (id, values) =>
      within(async (client, table) => {
        const names = Object.keys(values);
        const sets = names.map((name, place) => `"${name}" = $${place + 2}`).join(', ');
        return await client.query(`update ${table} set ${sets} where "CustomerId" = $1`, [id, ...Object.values(values)]);
      }),
    close: () => own.end(),
  };
}

for (const mode of ['client', 'database'] as const) {
  test(
    `customers of a real database are encrypted in ${mode} mode under a writing application, rotated, and decrypted again`,
    { skip },
    async (t) => {
      const made = await testDatabase(undefined, { migrated: true });
      const directory = await mkdtemp(join(tmpdir(), 'safekeep-chinook-'));
      const rows = customers();
      await made.pool.query(
        'create table "Customer" ("CustomerId" integer generated by default as identity primary key, "FirstName" text not null, "Email" varchar(60) not null, "Phone" varchar(24), "Note" text)',
      );
      for (const { CustomerId, FirstName, Email, Phone } of rows)
        await made.pool.query('insert into "Customer" values ($1, $2, $3, $4)', [CustomerId, FirstName, Email, Phone]);
      const structure = async () => fingerprint(await readCatalog(made.pool, { schemas: ['public'] }));
      const before = await structure();
      const configuration = readConfiguration({ flags: {}, environment: {}, file: {}, readFile: () => '' });
      const ring = keysOfHome({ home: directory, configuration, clock: systemClock, say: () => undefined }, made.database);
      const keys = fieldKeySource(ring);
      const ground: FieldGround = {
        database: made.database,
        tenant: 'default',
        clock: systemClock,
        signal: new AbortController().signal,
        observe: () => undefined,
        keys: fieldKeys(keys),
        leaseMs: 1_500,
      };
      const agree = async (): Promise<void> => undefined;
      const own = new pg.Pool({ connectionString: made.url.reveal(), max: 2 });
      const application = new Application(rows, mode === 'client' ? await clientAccess(own, keys) : databaseAccess(own, keys));
      const compared = async (): Promise<void> => {
        const from = application.compared;
        // The application must go on for a while in each phase; it fails by itself on the first value that is another.
        while (application.compared < from + 15 && application.failure === undefined) await made.pool.query('select 1');
        if (application.failure !== undefined) throw application.failure;
      };
      t.after(async () => {
        await ring.close();
        await made[Symbol.asyncDispose]();
        await rm(directory, { recursive: true, force: true });
      });
      application.start();
      try {
        for (const name of COLUMNS) {
          await encryptField(ground, { column: parseColumnName(name), mode, search: [], card: null, acceptLeak: false }, agree);
          await compared();
        }
        for (const name of COLUMNS) {
          await finishField(ground, parseColumnName(name), agree);
          await compared();
        }
        const { rows: plain } = await made.pool.query(
          'select count("Email")::integer + count("Phone")::integer as n from "Customer"',
        );
        assert.deepEqual(plain, [{ n: 0 }]);
        for (const name of COLUMNS) {
          const { census, currentKeyId } = await rotateField(ground, parseColumnName(name), { agree, resume: false });
          assert.deepEqual(
            census.map(({ keyId }) => keyId),
            [currentKeyId],
          );
          await compared();
        }
        assert.deepEqual(
          (await fieldStatus(ground)).map(({ unsealed, phase }) => [unsealed, phase]),
          [
            [0, 'finished'],
            [0, 'finished'],
          ],
        );
        for (const name of COLUMNS) {
          await decryptField(ground, parseColumnName(name), agree);
          await compared();
        }
      } finally {
        await application.stop();
      }
      assert.ok(application.writes > 100);
      const { rows: after } = await made.pool.query<Customer>('select "CustomerId", "Email", "Phone" from "Customer"');
      assert.deepEqual(new Map(after.map(({ CustomerId, Email, Phone }) => [CustomerId, { Email, Phone }])), application.known);
      assert.equal(await structure(), before);
    },
  );
}
