import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret, systemClock } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { auditCapture, auditKeys, baselineHeads, lastCheckpoint, sequence } from '@safekeep/capabilities/audit';
import { openLog } from '@safekeep/log';
import { migrateUp, openDatabase, type Database } from '@safekeep/postgres';
import type { Stage } from '../measure/bench.ts';
import { applyMap } from './apply-map.ts';
import { stageDatabase, type DatabaseFixture } from './database-stage.ts';
import { fileRing } from './file-ring.ts';

export type LogFixture = DatabaseFixture & {
  readonly home: string;
  readonly signingKey: string;
  readonly events: number;
  readonly people: number;
};

/** Of each person: the row is written once and changed nine times. */
const EVENTS_EACH = 10;
const PEOPLE_AT_ONCE = 20_000;

/** A captured table whose changes were sequenced: `size` events about a tenth as many people, signed. */
export async function stageLog(size: number): Promise<Stage<LogFixture>> {
  await using made = new AsyncDisposableStack();
  const stage = await stageDatabase(async (pool) => {
    await pool.query('create table patients (id integer primary key, full_name text, phone text, room integer)');
  });
  made.defer(stage.close);
  const home = await mkdtemp(join(tmpdir(), 'safekeep-bench-audit-'));
  made.defer(() => rm(home, { recursive: true }));
  const signingKey = createSigningKey();
  const people = Math.ceil(size / EVENTS_EACH);
  const database = await openDatabase(new Secret(stage.fixture.url), { poolMax: 2, applicationName: 'bench audit' });
  try {
    await migrateUp(database);
    await capture(database);
    await work(database, people);
    const log = openLog({ directory: join(home, 'log'), level: 'info', clock: systemClock, component: 'bench', environment: {} });
    const signer = signingKeyFromPem(signingKey, 'safekeep');
    const keys = await auditKeys(home, fileRing(database, home));
    const [last, heads] = [lastCheckpoint(home), baselineHeads(home)];
    // A baseline would be an event more than those that are told of.
    await sequence({ database, keys, signer, last, heads, clock: systemClock, log }, { baselines: 'later' });
    await keys.close();
    log.close();
    await database.withClient((client) => client.query('vacuum analyze'));
  } finally {
    await database.close();
  }
  const kept = made.move();
  return {
    ...stage,
    fixture: { ...stage.fixture, home, signingKey, people, events: people * EVENTS_EACH },
    close: () => kept.disposeAsync(),
  };
}

async function capture(database: Database): Promise<void> {
  const personal = { category: 'user.contact.phone_number' };
  const plain = { category: 'none', note: 'no person is told by it' };
  const file = {
    version: 1,
    tenant: 'fixed',
    subjects: { patient: { table: 'public.patients', key: 'id' } },
    tables: {
      'public.patients': { audit: { writes: true }, columns: { id: plain, full_name: personal, phone: personal, room: plain } },
    },
  };
  await applyMap(database, file, [auditCapture]);
}

/** In transactions of a size that an application might have at night. */
async function work(database: Database, people: number): Promise<void> {
  for (let first = 1; first <= people; first += PEOPLE_AT_ONCE) {
    const range = [first, Math.min(people, first + PEOPLE_AT_ONCE - 1)];
    await database.withClient(async (client) => {
      await client.query(
        `insert into public.patients select n, 'Person ' || n, '+43 0 ' || n, n % 20 from generate_series($1::integer, $2::integer) as n`,
        range,
      );
      for (let change = 1; change < EVENTS_EACH; change += 1) {
        const what = change % 2 === 0 ? `room = room + 1` : `phone = '+43 ' || ${change} || ' ' || id`;
        await client.query(`update public.patients set ${what} where id between $1 and $2`, range);
      }
    });
  }
}
