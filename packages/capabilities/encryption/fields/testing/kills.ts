import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { openTexts } from '@safekeep/crypto';
import { reading } from '../actions/ground.ts';
import { findField } from '../store/records.ts';
import { agreed, workbench, type Workbench } from './workbench.ts';
import { decryptField } from '../actions/decrypt-field.ts';

const PROGRAM = join(import.meta.dirname, 'move.test-process.ts');
const ROWS = 3_000;
const WRITERS = 4;

/** Anything that runs a function at the end of a test: the context of node:test. */
type Ending = { readonly after: (run: () => Promise<void>) => void };

type Ended = { readonly signal: string | null; readonly moments: number; readonly errors: string };

/** Runs one stretch in a process of its own. */
async function move(url: string, stretch: string, { fatal, keyVersion }: { fatal: number; keyVersion: number }): Promise<Ended> {
  return await new Promise((done, failed) => {
    const child = spawn(process.execPath, [PROGRAM, url, stretch, String(fatal), String(keyVersion)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [output, errors] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.once('error', failed);
    child.once('close', (_code, signal) => done({ signal, moments: Number(output), errors }));
  });
}

/** An application that knows nothing of encryption, and remembers every value that it was told is committed. */
class Application {
  readonly values = new Map<number, string | null>();
  readonly #bench: Workbench;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  writes = 0;

  constructor(bench: Workbench) {
    this.#bench = bench;
  }

  start(): void {
    for (let writer = 0; writer < WRITERS; writer += 1) this.#running.push(this.#write(writer));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  /** Each writer has its own rows, so that it knows what must stand in them. */
  async #write(writer: number): Promise<void> {
    const { pool } = this.#bench;
    for (let turn = 0; !this.#stop.signal.aborted; turn += 1) {
      const id = 1 + writer + WRITERS * Math.floor(Math.random() * (ROWS / WRITERS));
      const value = [null, '', `writer${writer}-${turn}@example.org`][Math.min(2, Math.floor(Math.random() * 12))] ?? null;
      const known = this.values.has(id);
      if (known && turn % 10 === 0) {
        await pool.query('delete from people where id = $1', [id]);
        this.values.delete(id);
      } else if (known) {
        await pool.query('update people set email = $2, visits = visits + 1 where id = $1', [id, value]);
        this.values.set(id, value);
      } else {
        await pool.query('insert into people (id, email) values ($1, $2)', [id, value]);
        this.values.set(id, value);
      }
      this.writes += 1;
    }
  }
}

/**
 * Kills the move of a field `kills` times at random moments, all stretches in turn, while four writers go on; in the end every
 * value that was committed stands in the plaintext or opens to it, once, and the way back leaves the schema as it was.
 */
export async function killedMoves(t: Ending, kills: number): Promise<void> {
  const bench = await workbench(t, {
    setUp: `create table people (id integer primary key, email text, visits integer not null default 0);
      insert into people (id, email) select n, 'person' || n || '@example.org' from generate_series(1, ${ROWS}) as n`,
  });
  const before = await bench.fingerprint();
  const application = new Application(bench);
  for (let id = 1; id <= ROWS; id += 1) application.values.set(id, `person${id}@example.org`);
  application.start();
  const url = bench.url.reveal();
  let killed = 0;
  try {
    // Moments of an encryption that was not killed: about three for each phase and three for each batch.
    for (let tries = 0; killed < kills && tries < kills * 3; tries += 1) {
      const { signal, errors } = await move(url, 'encrypt', { fatal: 1 + Math.floor(Math.random() * 20), keyVersion: 1 });
      assert.ok(signal === 'SIGKILL' || errors === '', errors);
      if (signal === 'SIGKILL') killed += 1;
      await untilGone(bench);
      // Where it had come through, all over again.
      if (signal === null) await decryptField(bench.ground, bench.order('public.people.email').column, agreed);
    }
    const whole = await move(url, 'encrypt', { fatal: 0, keyVersion: 1 });
    assert.equal(whole.errors, '');
  } finally {
    await application.stop();
  }
  assert.ok(application.writes > 100);
  await compare(bench, application);
  // Without writers, since these write plaintext, which is refused from here on.
  for (const [stretch, fatal, keyVersion] of [
    ['finish', 2, 1],
    ['finish', 6, 1],
    ['finish', 0, 1],
    ['rotate', 3, 2],
    ['rotate', 0, 2],
  ] as const) {
    const { errors, signal } = await move(url, stretch, { fatal, keyVersion });
    assert.equal(signal, fatal === 0 ? null : 'SIGKILL', errors);
    await untilGone(bench);
  }
  await bench.keys.rotate('default', '');
  await compare(bench, application);
  await move(url, 'decrypt', { fatal: 4, keyVersion: 2 });
  await untilGone(bench);
  const { errors } = await move(url, 'decrypt', { fatal: 0, keyVersion: 2 });
  assert.equal(errors, '');
  const { rows } = await bench.pool.query<{ id: number; email: string | null }>('select id, email from people');
  assert.deepEqual(new Map(rows.map(({ id, email }) => [id, email])), application.values);
  assert.equal(await bench.fingerprint(), before);
}

/** Every value is there once: in plaintext, in ciphertext, or in both and the same. */
async function compare(bench: Workbench, application: Application): Promise<void> {
  const field = await reading(bench.ground, (client) => findField(client, 'default', bench.order('public.people.email').column));
  assert.ok(field);
  const { rows } = await bench.pool.query<{ id: number; email: string | null; email_encrypted: Buffer | null }>(
    'select id, email, email_encrypted from people',
  );
  const sealed = rows.flatMap((row) => (row.email_encrypted === null ? [] : [row.email_encrypted]));
  const opened = await openTexts(bench.keys, field, sealed);
  let place = 0;
  const found = new Map(
    rows.map(({ id, email, email_encrypted: bytes }) => {
      const value = bytes === null ? email : (opened[place++] ?? null);
      if (email !== null && bytes !== null) assert.equal(email, value);
      return [id, value];
    }),
  );
  assert.equal(found.size, application.values.size);
  for (const [id, value] of application.values) assert.equal(found.get(id), value, `row ${id}`);
}

/** The server notices at its next look at the socket, or when the statement of the dead ends. */
async function untilGone({ pool }: Workbench): Promise<void> {
  for (let left = 1; left > 0;) {
    const { rows } = await pool.query<{ left: number }>(
      `select count(*)::integer as left from pg_stat_activity where application_name = 'doomed' and datname = current_database()`,
    );
    left = rows[0]?.left ?? 0;
  }
}
