import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { createSigningKey, signingKeyFromPem } from '@safekeep/crypto';
import { seeded } from '@safekeep/postgres/testing';
import { readLog } from './read-log.ts';
import { workbench } from './workbench.ts';

type Ending = { readonly after: (run: () => Promise<void>) => void };

export type Storm = { readonly seed: number; readonly writers: number; readonly transactions: number; readonly kills: number };

const MOMENTS = ['copied', 'moved', 'signed', 'written', 'published', 'emptied'] as const;
/** Each waits at a lock of the server; ten thousand of them are minutes. */
const CALLS_AT_MOST = 10_000;

/** What was committed, as it must stand in the log: the action and the value that came or went. */
type Expected = string[];

/**
 * Many writers at once, with savepoints, rollbacks and transactions that stay open, while sequencers are killed at every moment of theirs:
 * each committed change is in the log exactly once, in the order of its row, and nothing else is.
 */
export async function survivesStorm(t: Ending, { seed, writers, transactions, kills }: Storm): Promise<void> {
  const random = seeded(seed);
  const bench = await workbench(t, {
    setUp: `create table things (id integer primary key, value text, at timestamptz default now());
            create table parts (id integer primary key, thing_id integer not null references things on delete cascade, value text)`,
  });
  const pem = createSigningKey();
  await writeFile(join(bench.home, 'signing.pem'), pem, { mode: 0o600 });
  const plain = { category: 'none', note: 'looked at' };
  await bench.capture({
    'public.things': { of: 'none', note: 'x', columns: { id: plain, value: plain, at: plain } },
    'public.parts': { of: 'none', note: 'x', columns: { id: plain, thing_id: plain, value: plain } },
  });
  const expected: Expected = [];
  const state = { writing: true };
  const written = Promise.all(
    Array.from({ length: writers }, (_, place) =>
      write(bench.pool, { place, transactions, random: seeded(seed * 1000 + place), expected }),
    ),
  ).finally(() => {
    state.writing = false;
  });
  const signer = signingKeyFromPem(pem, 'safekeep-test');
  for (let killed = 0; killed < kills; killed += 1) {
    const fatal = MOMENTS[Math.floor(random() * MOMENTS.length)] ?? 'moved';
    const child = fork(
      join(import.meta.dirname, 'sequencer.test-process.ts'),
      [bench.url.reveal(), bench.home, fatal, String(1 + Math.floor(random() * 6))],
      { stdio: 'inherit' },
    );
    const ended = once(child, 'exit');
    // A moment may never be reached (an inbox is emptied once in ten minutes): then it is killed wherever it stands when the writers are done.
    await Promise.race([ended, written]);
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  }
  // Two of them here, in batches that end anywhere.
  while (state.writing) await Promise.all([bench.sequence({ signer, batch: 17 }), bench.sequence({ signer, batch: 7 })]);
  await written;
  // The server may take a moment to notice that a killed one is gone.
  for (let answer = 'busy', calls = 0; answer === 'busy'; calls += 1) {
    assert.ok(calls < CALLS_AT_MOST);
    answer = (await bench.sequence({ signer })).state;
  }
  const events = (await bench.events()).filter(({ kind }) => kind === 'change');
  const found = events.map(({ action, table, details }) => {
    const { old, new: made } = JSON.parse(details ?? '{}') as { old?: { value?: string }; new?: { value?: string } };
    return `${table} ${action} ${action === 'delete' ? old?.value : made?.value}`;
  });
  const doubled = found.filter((each, at) => found.indexOf(each) !== at);
  const [known, seen] = [new Set(expected), new Set(found)];
  assert.deepEqual(
    { seed, doubled, lost: expected.filter((each) => !seen.has(each)), invented: found.filter((each) => !known.has(each)) },
    { seed, doubled: [], lost: [], invented: [] },
  );
  assert.ok(expected.length > 0);
  assertOrdered(events.map(({ table, record, action }) => ({ row: `${table} ${record}`, action })));
  const log = await readLog(bench.pool);
  assert.deepEqual(log.faults, []);
  assert.equal(log.size, events.length);
  const { rows } = await bench.pool.query<{ eras: number }>('select count(*)::int as eras from safekeep.audit_trees');
  assert.equal(rows[0]?.eras, 1, 'no kill looks like a restore');
}

/** A row is inserted before it is changed, and deleted last. */
function assertOrdered(events: readonly { readonly row: string; readonly action: string }[]): void {
  const standing = new Map<string, boolean>();
  for (const { row, action } of events) {
    assert.equal(standing.get(row) ?? false, action !== 'insert', `${action} of ${row} out of order`);
    standing.set(row, action !== 'delete');
  }
}

type Writer = { readonly place: number; readonly transactions: number; readonly random: () => number; readonly expected: Expected };

async function write(pool: pg.Pool, { place, transactions, random, expected }: Writer): Promise<void> {
  const client = await pool.connect();
  let counter = 0;
  /** Own rows and their values, as committed. */
  let rows = new Map<number, { value: string; part: string | null }>();
  try {
    for (let at = 0; at < transactions; at += 1) {
      const done: string[] = [];
      const now = new Map(rows);
      await client.query('begin');
      for (let step = 0, steps = 1 + Math.floor(random() * 6); step < steps; step += 1) {
        const before = { done: done.length, now: new Map(now) };
        await client.query('savepoint s');
        await change();
        if (random() < 0.25) {
          await client.query('rollback to savepoint s');
          done.length = before.done;
          now.clear();
          for (const [id, row] of before.now) now.set(id, row);
        } else if (random() < 0.5) await client.query('release savepoint s');
      }
      // Some stay open while others commit and are sequenced.
      if (random() < 0.2) await client.query(`select pg_sleep($1)`, [random() * 0.15]);
      if (random() < 0.2) await client.query('rollback');
      else {
        await client.query('commit');
        expected.push(...done);
        rows = new Map(now);
      }

      async function change(): Promise<void> {
        const ids = [...now.keys()];
        const chosen = ids[Math.floor(random() * ids.length)];
        const dice = random();
        counter += 1;
        const value = `${place}-${counter}`;
        const row = chosen === undefined ? undefined : now.get(chosen);
        if (chosen === undefined || row === undefined || dice < 0.4) {
          const id = place * 100_000 + counter;
          await client.query('insert into public.things (id, value) values ($1, $2)', [id, value]);
          await client.query('insert into public.parts values ($1, $1, $2)', [id, `p${value}`]);
          done.push(`public.things insert ${value}`, `public.parts insert p${value}`);
          now.set(id, { value, part: `p${value}` });
        } else if (dice < 0.8) {
          await client.query('update public.things set value = $2 where id = $1', [chosen, value]);
          done.push(`public.things update ${value}`);
          now.set(chosen, { ...row, value });
        } else {
          await client.query('delete from public.things where id = $1', [chosen]);
          done.push(`public.things delete ${row.value}`, `public.parts delete ${row.part}`);
          now.delete(chosen);
        }
      }
    }
  } finally {
    client.release();
  }
}
