import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fixedClock, indexSchema, readMap } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { readCatalog } from '@safekeep/postgres';
import { testDatabase, testServers, type TestDatabase, type TestServer } from '@safekeep/postgres/testing';
import { parseTarget, placeHold, type HoldId } from '../../holds/index.ts';
import { openLedger } from '../../ledger/index.ts';
import type { ExecuteOptions } from '../actions/erasing.ts';
import { executeErasure } from '../actions/execute-erasure.ts';
import { findPerson, type ErasureGround } from '../actions/ground.ts';
import { planErasure } from '../actions/plan-erasure.ts';
import type { ErasureDone, ErasureMode, ErasurePlan, RequestPorts } from '../model.ts';

/** Anything that runs a function at the end of a test: the context of node:test. */
type Ending = { readonly after: (run: () => Promise<void>) => void };

export type Workbench = TestDatabase & {
  readonly folder: string;
  readonly pem: string;
  readonly clock: ReturnType<typeof fixedClock>;
  readonly ground: ErasureGround;
  /** The structure as it stands now, with another map perhaps. */
  readonly refresh: (map?: object, ports?: RequestPorts) => Promise<ErasureGround>;
  readonly plan: (subject: string, mode?: ErasureMode, ground?: ErasureGround) => Promise<ErasurePlan>;
  readonly approve: (
    subject: string,
    hash: string,
    options?: ExecuteOptions & { readonly by?: string; readonly ground?: ErasureGround },
  ) => Promise<ErasureDone>;
  /** Plans and carries out. */
  readonly erase: (subject: string, mode?: ErasureMode, ground?: ErasureGround) => Promise<ErasureDone>;
  /** A hold on a person or a row, as `hold place` takes its target. */
  readonly hold: (target: string) => Promise<HoldId>;
  /** Every row of a table as text, sorted. */
  readonly rows: (table: string, where?: string) => Promise<readonly string[]>;
};

/** A database of the given schema and a ground to erase on. */
export async function workbench(
  t: Ending,
  {
    schema,
    map,
    server = testServers()[0],
    ports = { participants: [] },
  }: { readonly schema: string; readonly map: object; readonly server?: TestServer; readonly ports?: RequestPorts },
): Promise<Workbench> {
  const made = await testDatabase(t, { migrated: true, server });
  await made.pool.query(schema);
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-requests-'));
  const pem = createSigningKey();
  const signer = signingKeyFromPem(pem, 'home-1');
  const clock = fixedClock('2026-11-21T10:00:00Z');
  const ledger = await openLedger({
    directory: join(folder, 'ledger'),
    keyFile: join(folder, 'keys', 'ledger.key'),
    signer,
    clock,
  });
  t.after(async () => {
    ledger.close();
    await rm(folder, { recursive: true });
  });
  const refresh = async (newMap: object = map, newPorts: RequestPorts = ports): Promise<ErasureGround> => {
    const catalog = await readCatalog(made.pool);
    const text = JSON.stringify(newMap);
    return {
      database: made.database,
      tenant: 'default',
      clock,
      map: mapOf(newMap),
      mapSha256: createHash('sha256').update(text).digest('hex'),
      catalog,
      schema: indexSchema(catalog),
      ports: newPorts,
      ledger,
      signer,
      certificateDirectory: join(folder, 'certificates'),
      approval: 'any',
    };
  };
  const ground = await refresh();
  const plan: Workbench['plan'] = async (subject, mode = 'anonymise', on = ground) =>
    await planErasure(on, { ...(await findPerson(on, subject)), mode }, 'ann');
  const approve: Workbench['approve'] = async (subject, hash, { by = 'ben', ground: on = ground, ...options } = {}) =>
    await executeErasure(on, await findPerson(on, subject), { hash, by }, options);
  return {
    ...made,
    folder,
    pem,
    clock,
    ground,
    refresh,
    plan,
    approve,
    erase: async (subject, mode = 'anonymise', on = ground) =>
      await approve(subject, (await plan(subject, mode, on)).hash, { ground: on }),
    hold: async (text) => {
      const { subjects } = ground.map;
      const target = parseTarget(text, undefined, [...subjects.keys()]);
      const order = { target, reason: 'claim', owner: 'legal', reviewBy: '2027-06-30', by: 'ann' };
      return (await placeHold(made.database, { tenant: 'default', clock, subjects }, order)).id;
    },
    rows: async (table, where = 'true') => {
      const { rows } = await made.pool.query<{ text: string }>(
        `select t::text as text from ${table} as t where ${where} order by 1`,
      );
      return rows.map(({ text }) => text);
    },
  };
}

export function mapOf(map: unknown): ErasureGround['map'] {
  const reading = readMap(map);
  if (!('map' in reading)) throw new Error(`The map is none: ${JSON.stringify(reading.faults)}`);
  return reading.map;
}

/** A small practice with every difficulty that a schema can have. */
export const DIFFICULT = `
  create domain public.mail as text check (value ~ '^[^@ ]+@[^@ ]+$');
  create type public.sex as enum ('f', 'm', 'x');
  create table public.patients (
    id bigint generated by default as identity primary key,
    full_name varchar(40) not null check (length(full_name) >= 2),
    email public.mail not null unique,
    phone text check (phone ~ '^[0-9+ ]+$'),
    born date not null check (born > '1890-01-01'),
    sex public.sex not null,
    code char(4) not null check (code ~ '^[A-Z]{2}[0-9]{2}$'),
    guardian_id bigint references public.patients,
    primary_visit bigint,
    deleted_at timestamptz,
    created_at timestamptz not null default now());
  create table public.visits (
    tenant integer not null default 1, id bigint not null, patient_id bigint not null references public.patients,
    reason text not null, prior bigint, primary key (tenant, id),
    foreign key (tenant, prior) references public.visits (tenant, id));
  create index on public.visits (patient_id);
  create table public.notes (tenant integer not null, visit_id bigint not null, n integer not null, body text, parent integer,
    primary key (tenant, visit_id, n), foreign key (tenant, visit_id) references public.visits on delete cascade,
    foreign key (tenant, visit_id, parent) references public.notes);
  create table public.invoices (id bigint primary key, patient_id bigint not null references public.patients, amount numeric(10,2) not null,
    payer text, note text, issued_at date);
  create table public.messages (id bigint primary key, sender_id bigint not null references public.patients, recipient_id bigint not null references public.patients,
    sender_name text, recipient_name text, body text);
  create table public.visits_log (visit_id bigint not null, at date not null, who text) partition by range (at);
  create table public.visits_log_a partition of public.visits_log for values from ('2020-01-01') to ('2025-01-01');
  create table public.visits_log_b partition of public.visits_log for values from ('2025-01-01') to ('2030-01-01');
  create table public.clicks (patient_id bigint, agent text, at timestamptz default now());
  create table public.staff (id bigint primary key, name text not null);
  create table public.documents (id bigint primary key, patient_id bigint not null references public.patients, author_id bigint references public.staff on delete set null, title text);
  create table public.c1 (id bigint primary key, patient_id bigint references public.patients, c3_id bigint, secret text);
  create table public.c2 (id bigint primary key, c1_id bigint references public.c1, secret text);
  create table public.c3 (id bigint primary key, c2_id bigint references public.c2, secret text);
  alter table public.c1 add foreign key (c3_id) references public.c3;
  insert into public.patients (id, full_name, email, phone, born, sex, code, guardian_id) values
    (42, 'Ada Byron', 'ada@example.org', '0123 456', '1970-12-10', 'f', 'AB12', null),
    (43, 'Ben Cole', 'ben@example.org', null, '1980-01-02', 'm', 'CD34', 42),
    (44, 'Cy Dunn', 'cy@example.org', '555', '1990-03-04', 'x', 'EF56', null);
  insert into public.visits (id, patient_id, reason, prior) select n, 42 + n % 3, 'reason ' || n, case when n > 3 then n - 3 end from generate_series(1, 12) as n;
  insert into public.notes (tenant, visit_id, n, body) select 1, v, n, 'note ' || v || '/' || n from generate_series(1, 12) as v, generate_series(1, 2) as n;
  update public.notes set parent = 1 where n = 2;
  insert into public.invoices select n, 42 + n % 3, n * 10, 'payer ' || n, 'note ' || n, date '2026-01-01' - (n * 400) from generate_series(1, 12) as n;
  insert into public.messages values (1, 42, 43, 'Ada Byron', 'Ben Cole', 'hello'), (2, 43, 42, 'Ben Cole', 'Ada Byron', 'hi'), (3, 43, 44, 'Ben Cole', 'Cy Dunn', 'hey'), (4, 42, 42, 'Ada Byron', 'Ada Byron', 'to me');
  insert into public.visits_log select n, date '2024-06-01' + n * 60, 'who ' || n from generate_series(1, 12) as n;
  insert into public.clicks (patient_id, agent) select 42 + n % 3, 'agent ' || n from generate_series(1, 9) as n;
  insert into public.staff values (1, 'Dr Who');
  insert into public.documents select n, 42 + n % 3, 1, 'title ' || n from generate_series(1, 6) as n;
  insert into public.c1 values (1, 42, null, 's11'), (2, null, null, 's12'), (3, 43, null, 's13');
  insert into public.c2 values (1, 1, 's21'), (2, 2, 's22'), (3, 3, 's23');
  insert into public.c3 values (1, 1, 's31'), (2, 2, 's32'), (3, 3, 's33');
  update public.c1 set c3_id = 1 where id = 2; update public.c1 set c3_id = 2 where id = 1; update public.c1 set c3_id = 3 where id = 3;
  analyze;`;

const personal = (category: string): object => ({ category });
const none = { category: 'none' };

export const DIFFICULT_MAP = {
  version: 1,
  tenant: 'fixed',
  purposes: { care: { use: 'essential.service', basis: 'contract', recipients: ['Tax office'] } },
  subjects: {
    patient: { table: 'public.patients', key: 'id', find_by: ['email', 'phone', 'full_name'], label: 'full_name' },
    staff: { table: 'public.staff', key: 'id', find_by: ['name'], label: 'name' },
  },
  tables: {
    'public.patients': {
      of: { patient: { path: 'guardian_id', meaning: 'created_by' } },
      purposes: ['care'],
      columns: {
        id: personal('user.unique_id'),
        full_name: personal('user.name'),
        email: personal('user.contact.email'),
        phone: personal('user.contact.phone_number'),
        born: personal('user.demographic.date_of_birth'),
        sex: personal('user.demographic.gender'),
        code: personal('user.unique_id'),
        guardian_id: personal('user.unique_id'),
        primary_visit: none,
        deleted_at: none,
        created_at: none,
      },
    },
    'public.visits': {
      of: { patient: 'patient_id' },
      columns: {
        tenant: none,
        id: none,
        patient_id: personal('user.unique_id'),
        reason: personal('user.health_and_medical'),
        prior: none,
      },
    },
    'public.notes': {
      of: { patient: '[tenant, visit_id] -> visits.[tenant, id] -> patient_id' },
      columns: { tenant: none, visit_id: none, n: none, body: personal('user.health_and_medical'), parent: none },
    },
    'public.invoices': {
      of: { patient: 'patient_id' },
      on_erasure: { keep: 'legal_obligation', cite: 'tax code', until: 'issued_at + 10y', replace: { note: null } },
      columns: {
        id: none,
        patient_id: personal('user.unique_id'),
        amount: none,
        payer: personal('user.name'),
        note: personal('user'),
        issued_at: none,
      },
    },
    'public.messages': {
      of: { patient: ['sender_id', 'recipient_id'] },
      columns: {
        id: none,
        sender_id: personal('user.unique_id'),
        recipient_id: personal('user.unique_id'),
        sender_name: { category: 'user.name', of: 'sender_id' },
        recipient_name: { category: 'user.name', of: 'recipient_id' },
        body: personal('user.content.private'),
      },
    },
    'public.visits_log': {
      of: { patient: 'visit_id -> visits.id -> patient_id' },
      columns: { visit_id: none, at: none, who: personal('user.name') },
    },
    'public.clicks': {
      of: { patient: 'patient_id' },
      columns: { patient_id: personal('user.unique_id'), agent: personal('user.device'), at: none },
    },
    'public.staff': { columns: { id: none, name: personal('user.name') } },
    'public.documents': {
      of: { patient: 'patient_id', staff: 'author_id' },
      columns: { id: none, patient_id: none, author_id: none, title: { category: 'user.content.private', of: 'patient_id' } },
    },
    'public.c1': {
      of: {
        patient: [
          { path: 'patient_id', meaning: 'owns' },
          { path: 'c3_id -> c3.c2_id -> c2.c1_id -> c1.patient_id', meaning: 'owns' },
        ],
      },
      columns: { id: none, patient_id: none, c3_id: none, secret: personal('user.content.private') },
    },
    'public.c2': {
      of: { patient: { path: 'c1_id -> c1.patient_id', meaning: 'owns' } },
      columns: { id: none, c1_id: none, secret: personal('user.content.private') },
    },
    'public.c3': {
      of: { patient: { path: 'c2_id -> c2.c1_id -> c1.patient_id', meaning: 'owns' } },
      columns: { id: none, c2_id: none, secret: personal('user.content.private') },
    },
  },
};
