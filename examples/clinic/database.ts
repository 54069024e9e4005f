import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { CompiledQuery, Kysely, type Generated, type Transaction } from 'kysely';
import pg from 'pg';
import { fieldKeySource, keysOfHome } from '@safekeep/capabilities/encryption';
import { readConfiguration, SafekeepError, systemClock } from '@safekeep/core';
import { openDatabase } from '@safekeep/postgres';
import { actAs, safekeep, sealedPool, type Actor, type ActorSecret } from '@safekeep/sdk';
import { sealedDialect, sealedKysely } from '@safekeep/sdk/kysely';

/** The tables as they were before anything was encrypted: the queries have not changed either. */
export type Tables = {
  readonly patients: {
    readonly id: Generated<number>;
    readonly full_name: string;
    readonly email: string;
    readonly ssn: string | null;
  };
  readonly visits: {
    readonly id: Generated<number>;
    readonly patient_id: number;
    readonly day: string;
    readonly note: string;
  };
};

export type Clinic = {
  readonly db: Kysely<Tables>;
  /** One transaction in which everything is done by this person for this purpose, with proof; the log keeps both. */
  readonly as: <Result>(who: Actor, run: (transaction: Transaction<Tables>) => Promise<Result>) => Promise<Result>;
  readonly close: () => Promise<void>;
};

/** Opens the clinic by the settings of Safekeep: `SAFEKEEP_DATABASE_URL`, `SAFEKEEP_HOME`, how the keys are opened. */
export async function openClinic(environment: NodeJS.ProcessEnv, actorKey: ActorSecret): Promise<Clinic> {
  const configuration = readConfiguration({ flags: {}, environment, file: {}, readFile: (path) => readFileSync(path, 'utf8') });
  const { databaseUrl, tenant } = configuration;
  if (databaseUrl === undefined) throw new SafekeepError('usage', { problem: 'SAFEKEEP_DATABASE_URL is not set.' });
  const keyTable = await openDatabase(databaseUrl, { applicationName: 'clinic keys', poolMax: 2 });
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const home = resolve(configuration.home);
  const ring = keysOfHome({ home, configuration, clock: systemClock, say }, keyTable);
  const pool = new pg.Pool({ connectionString: databaseUrl.reveal(), application_name: 'clinic', max: 10 });
  const sdk = safekeep(pool, { tenant, keys: fieldKeySource(ring) });
  const plugin = await sealedKysely(sdk);
  const db = new Kysely<Tables>({ dialect: sealedDialect(sealedPool(pool, sdk), plugin), plugins: [plugin] });
  return {
    db,
    as: (who, run) =>
      db.transaction().execute(async (transaction) => {
        const query = (text: string, values: readonly unknown[] = []) =>
          transaction.executeQuery(CompiledQuery.raw(text, [...values]));
        await actAs({ query }, who, actorKey);
        return await run(transaction);
      }),
    close: async () => {
      plugin.close();
      await db.destroy();
      await ring.close();
      await keyTable.close();
    },
  };
}
