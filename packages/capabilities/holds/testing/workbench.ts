import type pg from 'pg';
import { fixedClock, type Subject } from '@safekeep/core';
import { testDatabase, testServers, type TestDatabase, type TestServer } from '@safekeep/postgres/testing';
import { heldBy } from '../actions/held-by.ts';
import { placeHold, type HoldGround, type HoldOrder } from '../actions/place-hold.ts';
import type { Hold, HoldQuestion, StandingHold } from '../model.ts';
import { parseTarget } from '../rules/target.ts';

/** Anything that runs a function at the end of a test: the context of node:test. */
type Ending = { readonly after: (run: () => Promise<void>) => void };

type Wish = Partial<Omit<HoldOrder, 'target'>> & {
  readonly query?: string;
  readonly tenant?: string;
  readonly patienceMs?: number;
};

export type Workbench = TestDatabase & {
  readonly ground: HoldGround;
  readonly clock: ReturnType<typeof fixedClock>;
  readonly place: (target: string, wish?: Wish) => Promise<Hold>;
  /** In a transaction of its own, of the tenant. */
  readonly ask: (question: HoldQuestion, tenant?: string) => Promise<readonly StandingHold[]>;
  readonly inTransaction: <Result>(
    run: (client: pg.PoolClient) => Promise<Result>,
    options?: { readonly tenant?: string; readonly mode?: string },
  ) => Promise<Result>;
};

const PATIENTS: Subject = { name: 'patient', table: 'public.patients', key: ['id'], findBy: [], label: null };
const CLIENTS: Subject = { name: 'client', table: 'public.clients', key: ['office', 'code'], findBy: [], label: null };

const SET_UP = `
  create table public.patients (id bigint primary key, name text, ssn text);
  insert into public.patients values (42, 'Ada', '1'), (43, 'Ben', '2'), (7, 'Cy', '3');
  create table public.clients (office integer, code text, note text, primary key (office, code));
  insert into public.clients values (1, 'a,b', null), (1, 'a\\b', null), (2, 'Ünï "q" '';--', null);
  create type public.invoice_state as enum ('open', 'paid');
  create table public.invoices (id bigint primary key, patient_id bigint, state public.invoice_state not null, amount numeric(10, 2), due date, "Odd ""name" text, tags text[]);
  insert into public.invoices select n, 42, case when n % 2 = 0 then 'open' else 'paid' end::public.invoice_state, n * 10, date '2026-01-01' + n::integer, 'v' || n, '{}'
    from generate_series(1, 20) as n;
  insert into safekeep.tenants (tenant_id, name) values ('other', 'Other');`;

/** A database with Safekeep's schema, a few people and their invoices. */
export async function workbench(
  t: Ending,
  { server = testServers()[0] }: { readonly server?: TestServer } = {},
): Promise<Workbench> {
  const made = await testDatabase(t, { migrated: true, server });
  await made.pool.query(SET_UP);
  const clock = fixedClock('2026-11-21T10:00:00Z');
  const subjects = new Map([PATIENTS, CLIENTS].map((subject) => [subject.name, subject]));
  const ground: HoldGround = { tenant: 'default', clock, subjects };
  const inTransaction: Workbench['inTransaction'] = async (run, { tenant = 'default', mode = '' } = {}) => {
    const client = await made.pool.connect();
    try {
      await client.query(`begin ${mode}`);
      await client.query("select set_config('safekeep.tenant', $1, true)", [tenant]);
      return await run(client);
    } finally {
      await client.query('rollback');
      client.release();
    }
  };
  return {
    ...made,
    ground,
    clock,
    place: (target, { query, tenant = 'default', patienceMs, ...wish } = {}) =>
      placeHold(
        made.database,
        { ...ground, tenant, ...(patienceMs === undefined ? {} : { patienceMs }) },
        {
          target: parseTarget(target, query, [...subjects.keys()]),
          reason: 'claim 7 C 12/26',
          owner: 'legal',
          reviewBy: '2027-06-30',
          by: 'ann',
          ...wish,
        },
      ),
    ask: (question, tenant = 'default') => inTransaction((client) => heldBy(client, tenant, question), { tenant }),
    inTransaction,
  };
}
