import { createHash } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { openLedger, type Ledger } from '@safekeep/capabilities/ledger';
import { groundOf, type ErasureGround } from '@safekeep/capabilities/requests';
import { readMap, Secret, systemClock } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { migrateUp, openDatabase } from '@safekeep/postgres';
import type { Stage } from '../measure/bench.ts';
import { debianCluster, initialise, removeCluster, start, stop } from './debian-cluster.ts';
import { makeFolder, removeFolder } from './folder.ts';

export type PeopleFixture = { readonly url: string };

const TABLES = ['bookings', 'treatments', 'invoices', 'messages'] as const;

/**
 * People with rows in five tables on a server that waits for the disk, as an application's does: `rows` in all, most of them
 * those of ordinary people (52 each), and `large` persons with `each` rows. Two paths of the map have two steps.
 */
export async function stagePeople({
  rows,
  large,
  each,
}: {
  readonly rows: number;
  readonly large: number;
  readonly each: number;
}): Promise<Stage<PeopleFixture>> {
  const cluster = await debianCluster(await makeFolder());
  await initialise(cluster);
  const url = await start(cluster, ['shared_preload_libraries=pg_stat_statements']);
  const database = await openDatabase(new Secret(url));
  await migrateUp(database);
  await database.close();
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  const ordinary = Math.max(100, Math.ceil((rows - large * each) / 52));
  const [bookings, treatments, invoices, messages] = [0.3, 0.3, 0.2, 0.2].map((share) => Math.round(each * share));
  await pool.query(`
    create extension pg_stat_statements;
    create table people (id bigint primary key, name text not null, email text not null unique, phone text, born date);
    insert into people select n, 'Name ' || n, 'p' || n || '@example.org', '555 ' || n, date '1950-01-01' + (n % 20000)::int from generate_series(1, ${ordinary + large}) as n;
    create table bookings (id bigint primary key, person_id bigint not null references people, at timestamptz not null, reason text);
    create table treatments (id bigint primary key, booking_id bigint not null references bookings, what text, note text);
    create table invoices (id bigint primary key, person_id bigint not null references people, amount numeric(10,2) not null, payer text);
    create table messages (id bigint primary key, person_id bigint not null references people, body text, sent_at timestamptz);
    create temp table owners as
      select p, n from generate_series(1, ${large}) as p, generate_series(1, ${bookings}) as n
      union all select p, n from generate_series(${large + 1}, ${large + ordinary}) as p, generate_series(1, 15) as n;
    insert into bookings select row_number() over (), p, now() - n * interval '1 day', 'reason ' || n from owners;
    insert into treatments select id, id, 'treatment ' || id, 'a note of some length about the treatment ' || id from bookings;
    insert into invoices select row_number() over (), p, n, 'payer ' || p from generate_series(1, ${large}) as p, generate_series(1, ${invoices}) as n;
    insert into invoices select 100000000 + row_number() over (), p, n, 'payer ' || p from generate_series(${large + 1}, ${large + ordinary}) as p, generate_series(1, 10) as n;
    insert into messages select row_number() over (), p, 'message body ' || n, now() from generate_series(1, ${large}) as p, generate_series(1, ${messages}) as n;
    insert into messages select 100000000 + row_number() over (), p, 'message body ' || n, now() from generate_series(${large + 1}, ${large + ordinary}) as p, generate_series(1, 11) as n;
    create index on bookings (person_id); create index on treatments (booking_id); create index on invoices (person_id); create index on messages (person_id);`);
  await pool.query('vacuum analyze');
  // Else the checkpoint of the load runs beside what is measured, and each commit waits for it.
  await pool.query('checkpoint');
  await pool.end();
  if (treatments === undefined) throw new Error('Every share has its table');
  return {
    fixture: { url },
    version: 'PostgreSQL 15 (Debian), waiting for the disk',
    close: async () => {
      await stop(cluster);
      await removeCluster(cluster);
    },
  };
}

const personal = (category: string): object => ({ category });
const none = { category: 'none' };

export const PEOPLE_MAP = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['email'], label: 'name' } },
  tables: {
    'public.people': {
      columns: {
        id: personal('user.unique_id'),
        name: personal('user.name'),
        email: personal('user.contact.email'),
        phone: personal('user.contact.phone_number'),
        born: personal('user.demographic.date_of_birth'),
      },
    },
    'public.bookings': {
      of: { person: 'person_id' },
      columns: { id: none, person_id: none, at: none, reason: personal('user.health_and_medical') },
    },
    'public.treatments': {
      of: { person: 'booking_id -> bookings.person_id' },
      columns: { id: none, booking_id: none, what: personal('user.health_and_medical'), note: personal('user.health_and_medical') },
    },
    'public.invoices': {
      of: { person: 'person_id' },
      columns: { id: none, person_id: none, amount: none, payer: personal('user.name') },
    },
    'public.messages': {
      of: { person: 'person_id' },
      columns: { id: none, person_id: none, body: personal('user.content.private'), sent_at: none },
    },
  },
};

/** What an erasure stands on, with a ledger and a key of its own, and the parts of others in it. */
export async function erasureGround(
  url: string,
  ports: ErasureGround['ports'] = { participants: [] },
): Promise<{ readonly ground: ErasureGround; readonly close: () => Promise<void> }> {
  const database = await openDatabase(new Secret(url), { poolMax: 3, applicationName: 'bench erasure' });
  const reading = readMap(PEOPLE_MAP);
  if (!('map' in reading)) throw new Error('The map is none');
  const folder = await makeFolder();
  const signer = signingKeyFromPem(createSigningKey(), 'bench');
  const ledger: Ledger = await openLedger({
    directory: join(folder, 'ledger'),
    keyFile: join(folder, 'keys', 'ledger.key'),
    signer,
    clock: systemClock,
  });
  const mapSha256 = createHash('sha256').update(JSON.stringify(PEOPLE_MAP)).digest('hex');
  const ground = await groundOf({
    database,
    tenant: 'default',
    clock: systemClock,
    map: reading.map,
    mapSha256,
    ports,
  });
  return {
    ground: { ...ground, ledger, signer, certificateDirectory: join(folder, 'certificates'), approval: 'any' },
    close: async () => {
      ledger.close();
      await database.close();
      await removeFolder(folder);
    },
  };
}

/** Every row of a person, by table: what an erasure that goes row by row would list first. */
export async function idsOfPerson(client: pg.Client, person: number): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for (const table of TABLES) {
    const where = table === 'treatments' ? 'booking_id in (select id from bookings where person_id = $1)' : 'person_id = $1';
    const { rows } = await client.query<{ id: string }>(`select id::text from ${table} where ${where}`, [person]);
    found.set(
      table,
      rows.map(({ id }) => id),
    );
  }
  return found;
}
