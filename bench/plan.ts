import { createHash } from 'node:crypto';
import pg from 'pg';
import { readMap, Secret } from '@safekeep/core';
import { columnComments, complianceFields, planDatabase, type ReadMap } from '@safekeep/capabilities/plan';
import { openDatabase, readCatalog } from '@safekeep/postgres';
import { defineBench, type ContenderContext, type Prepared } from './measure/bench.ts';
import { stageDatabase, type DatabaseFixture } from './postgres/database-stage.ts';

/** Six columns each, as tables of applications have them: key, reference, index, comment. */
async function makeTables(pool: pg.Pool, tables: number): Promise<void> {
  for (let number = 1; number <= tables; number += 1) {
    await pool.query(`
      create table table_${number} (
        id bigint primary key,
        parent_id bigint references table_${Math.max(1, number - 1)},
        full_name text not null,
        email varchar(254) unique,
        born date,
        created_at timestamptz not null default now()
      );
      comment on column table_${number}.full_name is 'as on the passport'`);
  }
  await pool.query('vacuum analyze');
}

/** Everything of every table is personal: the most that a plan can have to do. */
function mapOfTables(tables: number): ReadMap {
  const categories = {
    id: 'user.unique_id',
    parent_id: 'user.unique_id',
    full_name: 'user.name',
    email: 'user.contact.email',
    born: 'user.demographic.date_of_birth',
    created_at: 'user',
  };
  const columns = Object.fromEntries(Object.entries(categories).map(([name, category]) => [name, { category }]));
  const file = {
    version: 1,
    tenant: 'fixed',
    tables: Object.fromEntries(Array.from({ length: tables }, (_, place) => [`public.table_${place + 1}`, { columns }])),
  };
  const reading = readMap(file);
  if (!('map' in reading)) throw new Error(`The map is none: ${JSON.stringify(reading.faults.slice(0, 3))}`);
  const text = JSON.stringify(file);
  return { map: reading.map, text, sha256: createHash('sha256').update(text).digest('hex') };
}

async function planning({ fixture, size }: ContenderContext<DatabaseFixture>): Promise<Prepared> {
  const database = await openDatabase(new Secret(fixture.url), { poolMax: 1, applicationName: 'bench plan' });
  const intent = {
    tenant: 'default',
    read: mapOfTables(size),
    contributors: [columnComments, complianceFields(() => 'side-table')],
  };
  return {
    run: async () => {
      const { steps } = await planDatabase(database, intent);
      // Six comments and a trigger for each.
      if (steps.length !== size * 7) throw new Error(`${steps.length} steps for ${size} tables`);
      return { units: size };
    },
    close: database.close,
  };
}

/** No plan without reading the structure. */
async function reading({ fixture }: ContenderContext<DatabaseFixture>): Promise<Prepared> {
  const pool = new pg.Pool({ connectionString: fixture.url, max: 1, idleTimeoutMillis: 0, application_name: 'bench catalog' });
  return { run: async () => ({ units: (await readCatalog(pool)).tables.length }), close: () => pool.end() };
}

export const bench = defineBench<DatabaseFixture>({
  question: 'How long does a plan for a whole database take, from connection to hash, and how much of it is reading the catalogue?',
  unit: 'tables',
  sizes: { small: 100, medium: 1000, large: 5000 },
  warmups: 3,
  stage: ({ size }) => stageDatabase((pool) => makeTables(pool, size)),
  contenders: [
    { name: 'plan', kind: 'ours', isolate: true, prepare: planning },
    { name: 'readCatalog alone', kind: 'limit', isolate: true, prepare: reading },
  ],
  limits: [
    {
      contender: 'plan',
      measure: 'seconds',
      relation: 'at-most',
      bound: 2,
      scales: ['small', 'medium'],
      source: 'issue 5: 1,000 tables planned in < 2 s',
    },
  ],
});
