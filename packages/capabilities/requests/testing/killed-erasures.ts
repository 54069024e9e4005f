import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runErasures } from '../actions/open-erasures.ts';
import { checkSigned } from '../rules/certificate.ts';
import { mapOf, workbench, type Workbench } from './workbench.ts';

const CHILD = fileURLToPath(new URL('./erase-child.ts', import.meta.url));

const SCHEMA = `
  create table public.people (id bigint primary key, name text not null, email text not null unique);
  create table public.orders (id bigint primary key, person_id bigint not null references people, what text);
  create index on orders (person_id);
  insert into people select n, 'Name ' || n, 'p' || n || '@example.org' from generate_series(1, 100) as n;
  insert into orders select n, 1 + n % 100, 'thing ' || n from generate_series(1, 4000) as n;`;

/** Persons with an even number have few rows and are erased at once; those with an odd one have so many that it takes chunks. */
const MORE = `insert into orders select 10000 + n, 1 + 2 * (n % 50), 'more ' || n from generate_series(1, 6000) as n; analyze`;

const MAP = {
  version: 1,
  tenant: 'fixed',
  subjects: { person: { table: 'public.people', key: 'id', find_by: ['email', 'name'], label: 'name' } },
  tables: {
    'public.people': {
      columns: { id: { category: 'user.unique_id' }, name: { category: 'user.name' }, email: { category: 'user.contact.email' } },
    },
    'public.orders': {
      of: { person: 'person_id' },
      columns: { id: { category: 'none' }, person_id: { category: 'none' }, what: { category: 'user.payment' } },
    },
  },
};

/**
 * Kills erasures at random moments. What was done in one transaction is there whole or not at all; after going on, database,
 * ledger and certificate say the same. Returns how often the kill came before the end.
 */
export async function killAndLook(t: Parameters<typeof workbench>[0], kills: number, random: () => number): Promise<number> {
  const bench = await workbench(t, { schema: SCHEMA + MORE, map: MAP });
  await writeFile(join(bench.folder, 'map.json'), JSON.stringify(MAP));
  await writeFile(join(bench.folder, 'signing.pem'), bench.pem, { mode: 0o600 });
  assert.ok(mapOf(MAP));
  const ground = { ...bench.ground, rowsAtOnce: 50 };
  let longestMs = 400;
  let interrupted = 0;
  for (let person = 1; person <= kills; person += 1) {
    const subject = `person:${person}`;
    const { hash } = await bench.plan(subject, 'anonymise', ground);
    const startedMs = performance.now();
    const isDone = await eraseUntilKilled([CHILD, bench.folder, bench.url.reveal(), subject, hash], random() * longestMs);
    if (isDone) longestMs = Math.max(50, Math.min(longestMs, performance.now() - startedMs) * 0.9);
    else interrupted += 1;
    if (person % 2 === 0) await assertWhole(bench, person);
    await runErasures(ground);
    // What was never begun is begun now; what was begun has ended.
    if ((await maskedOrders(bench, person)).left > 0) assert.equal((await bench.approve(subject, hash, { ground })).state, 'done');
    assert.equal((await maskedOrders(bench, person)).left, 0);
    // As long as the server has not ended the transaction of the one that was killed, its intent counts as being carried out.
    while ((await bench.ground.ledger.openIntents()).length > 0) await runErasures(ground);
  }
  await assertAgreement(bench, kills);
  const { rows } = await bench.pool.query<{ n: number }>(
    `select count(*)::int as n from orders where person_id > $1 and what not like 'thing %' and what not like 'more %'`,
    [kills],
  );
  assert.equal(rows[0]?.n, 0, 'nobody else was touched');
  return interrupted;
}

async function maskedOrders({ pool }: Workbench, person: number): Promise<{ readonly left: number; readonly all: number }> {
  const { rows } = await pool.query<{ left: number; all: number }>(
    `select (select count(*) from orders where person_id = $1 and what is not null)::int + (select count(*) from people where id = $1 and name <> 'erased')::int as left,
            (select count(*) from orders where person_id = $1)::int + 1 as all`,
    [person],
  );
  const [counts] = rows;
  assert.ok(counts);
  return counts;
}

/** The server may still be ending the transaction of the one that was killed. */
async function assertWhole(bench: Workbench, person: number): Promise<void> {
  for (;;) {
    const { rows } = await bench.pool.query<{ n: number }>(
      `select count(*)::int as n from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle' and application_name not like 'test %'`,
    );
    if (rows[0]?.n === 0) break;
  }
  const { left, all } = await maskedOrders(bench, person);
  assert.ok(left === 0 || left === all, `${left} of ${all} rows are left: half an erasure`);
}

async function assertAgreement({ pool, ground, folder }: Workbench, kills: number): Promise<void> {
  const { rows } = await pool.query<{ id: string; state: string; certificate: unknown }>(
    `select erasure_id as id, state, certificate from safekeep.erasures`,
  );
  assert.deepEqual(
    rows.map(({ state }) => state),
    Array.from({ length: kills }, () => 'done'),
  );
  const done = new Set<string>();
  for await (const { entry } of ground.ledger.read())
    if (entry.kind === 'done' && entry.operation === 'erasure') done.add(entry.ids['erasure'] ?? entry.id);
  assert.deepEqual([...done].toSorted(), rows.map(({ id }) => id).toSorted(), 'ledger and database name the same erasures');
  const files = await readdir(join(folder, 'certificates'));
  assert.deepEqual(
    files.filter((name) => name.endsWith('.json')).toSorted(),
    rows.map(({ id }) => `erasure-${id}.json`).toSorted(),
  );
  for (const { id, certificate } of rows) {
    const file: unknown = JSON.parse(await readFile(join(folder, 'certificates', `erasure-${id}.json`), 'utf8'));
    assert.deepEqual(file, certificate);
    assert.deepEqual(checkSigned(file, ground.signer.verifierKey).faults, []);
  }
}

async function eraseUntilKilled(args: readonly string[], afterMs: number): Promise<boolean> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (told += text));
  const ended = once(child, 'close');
  // From its first word on; starting the process is not what is tested.
  await Promise.race([once(child.stdout, 'data'), ended]);
  await Promise.race([wait(afterMs), ended]);
  child.kill('SIGKILL');
  await ended;
  return told.includes('done');
}
