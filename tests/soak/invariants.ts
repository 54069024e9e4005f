import assert from 'node:assert/strict';
import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { HELD, type Soaked } from './mixed-load.ts';

type Erasure = { readonly id: string; readonly state: string; readonly error: string | null };

/** The eight invariants of the product, one by one, after whatever happened. */
export async function assertInvariants(soaked: Soaked): Promise<void> {
  const { call, connect, home, confirmed, erased, asked } = soaked;
  const done = async (...args: string[]) => {
    const { code, result, stderr } = await call(...args);
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}${JSON.stringify(result)}`);
    return result;
  };
  const client = await connect();
  const one = async (statement: string, values: readonly unknown[] = []): Promise<Record<string, unknown>> =>
    (await client.query<Record<string, unknown>>(statement, [...values])).rows[0] ?? {};
  try {
    await endErasures(soaked, client);
    await done('audit', 'sequence', '--once');

    // 1. Nothing is lost.
    const { rows } = await client.query<{ id: number; name: string }>('select id, name from customer where id >= 1000000');
    assert.deepEqual(
      new Map(rows.map(({ id, name }) => [id, name])),
      new Map([...confirmed].toSorted(([a], [b]) => a - b).map(([id, name]) => [id, name])),
    );
    assert.equal((await done('status'))['ok'], true);

    // 2. No fail-open: what cannot be opened is not passed over.
    const { code, result } = await call(
      'subject',
      'export',
      'patient:1',
      '--home',
      join(home, 'reports'),
      '--out',
      join(soaked.folder, 'no.zip'),
    );
    assert.notEqual(code, 0, JSON.stringify(result));

    // 3. Every event is in the tree exactly once.
    assert.equal((await done('audit', 'verify'))['ok'], true);
    const counted = await one(
      `select count(*)::integer as events, count(distinct record)::integer as records from safekeep.audit_events
        where table_name = 'public.customer' and action = 'insert'`,
    );
    assert.deepEqual(counted, { events: confirmed.size, records: confirmed.size });

    // 4. An export and an erasure are of the same rows.
    for (const id of HELD) {
      const exported = await done('subject', 'export', `patient:${id}`, '--out', join(soaked.folder, `soak-${id}.zip`));
      const planned = (await call('subject', 'erase', `patient:${id}`, '--plan')).result;
      assert.deepEqual(rowsByTable(planned['tables']), rowsByTable(exported['tables']));
    }

    // 5. What is held survives.
    for (const id of HELD) {
      assert.deepEqual(await one('select full_name, email from patients where id = $1', [id]), {
        full_name: `Patient ${id}`,
        email: `patient${id}@example.org`,
      });
    }

    // 6. Keys and values stand in no log.
    for (const file of globSync(['log/**', 'embedded/log/**'], { cwd: home }).filter((name) => statSync(join(home, name)).isFile()))
      assert.doesNotMatch(
        readFileSync(join(home, file), 'utf8'),
        /536-90-1\d{3}|patient\d+@example|AGE-SECRET|BEGIN PRIVATE/,
        file,
      );

    // 7. Another tenant sees nothing.
    await client.query(`begin; set local role safekeep_app; select set_config('safekeep.tenant', 'other', true)`);
    for (const table of ['audit_events', 'fields', 'encryption_epochs', 'holds', 'erasures', 'jobs'])
      assert.deepEqual(await one(`select count(tenant_id)::integer as n from safekeep.${table}`), { n: 0 }, table);
    await client.query('rollback');

    // 8. The erased stay erased, also when a backup brings one of them back.
    assert.ok(erased.size > 0);
    const id = [...erased][0] ?? 0;
    await client.query(`set session_replication_role = 'replica'`);
    await client.query(`update patients set full_name = $2, email = $3 where id = $1`, [
      id,
      `Patient ${id}`,
      `patient${id}@example.org`,
    ]);
    // A backup from before knows nothing of the erasure either.
    await client.query('delete from safekeep.erasure_calls; delete from safekeep.erasures');
    await client.query(`set session_replication_role = 'origin'`);
    const replayed = await call('ledger', 'replay');
    const persons = replayed.result['persons'] as readonly { readonly subject: string; readonly state: string }[]; // As docs/cli.md says.
    // Whom the application changed meanwhile may be somebody else under the same number: a person has to say that it is not.
    const doubted = persons.filter(({ state }) => state === 'ambiguous').map(({ subject }) => subject);
    for (const subject of doubted) assert.ok(asked.has(Number(subject.replace('patient:', ''))), subject);
    await done('ledger', 'replay', ...doubted.flatMap((subject) => ['--also', subject]));
    for (const each of erased)
      assert.notEqual(
        (await one('select email from patients where id = $1', [each]))['email'],
        `patient${each}@example.org`,
        `patient ${each}`,
      );
    assert.equal((await done('ledger', 'verify'))['ok'], true);
  } finally {
    await client.end();
  }
  // And all of it goes out again.
  await done('decrypt', 'patients.ssn', '--no-wait');
  await done('stop');
}

/** Goes on with what was interrupted; of whom the application has written since, as it does all the while here, somebody has to approve it again. */
async function endErasures({ call }: Soaked, client: pg.Client): Promise<void> {
  const run = async (): Promise<readonly Erasure[]> => {
    const { result, stderr } = await call('subject', 'erasures', '--run');
    const erasures = result['erasures'] as readonly Erasure[]; // As docs/cli.md says.
    assert.deepEqual(
      erasures.filter(({ error }) => error !== null),
      [],
      stderr,
    );
    return erasures.filter(({ state }) => state === 'unfulfilled');
  };
  const { rows } = await client.query<{ key: string }>(
    'select distinct subject_key as key from safekeep.erasures where erasure_id = any ($1::uuid[])',
    [(await run()).map(({ id }) => id)],
  );
  for (const { key } of rows) {
    const plan = await call('subject', 'erase', `patient:${key}`, '--plan');
    const { code, stderr } = await call('subject', 'erase', `patient:${key}`, '--approve', String(plan.result['hash']));
    assert.equal(code, 0, stderr);
  }
  assert.deepEqual(await run(), []);
}

function rowsByTable(tables: unknown): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  // Both commands print a list of tables with their rows; an erasure one for each way that rows are treated.
  for (const { table, rows } of tables as readonly { readonly table: string; readonly rows: number }[])
    if (rows > 0) counts.set(table, (counts.get(table) ?? 0) + rows);
  return new Map([...counts].toSorted(([a], [b]) => a.localeCompare(b)));
}
