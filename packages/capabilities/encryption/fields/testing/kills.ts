import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { canonicalForm, codeOf, type ColumnRef } from '@safekeep/core';
import { openTexts } from '@safekeep/crypto';
import { reading } from '../actions/ground.ts';
import { findField } from '../store/records.ts';
import { agreed, workbench, type Workbench } from './workbench.ts';
import { decryptColumns } from '../actions/decrypt-field.ts';
import { encryptFields } from '../actions/encrypt-field.ts';
import { finishFields } from '../actions/finish-field.ts';
import { requireAllMoved, type Together } from '../actions/together.ts';
import type { Field } from '../model.ts';
import { isAtLeast, refusesPlaintext } from '../rules/life.ts';

const PROGRAM = join(import.meta.dirname, 'move.test-process.ts');
const ROWS = 3_000;
const WRITERS = 4;
/** Two columns, moved together, in which the application always writes the same. */
const COLUMNS = ['email', 'phone'] as const;
const NAMES = COLUMNS.map((column) => `public.people.${column}`);
const PEOPLE = `create table people (id integer primary key, email text, phone text, visits integer not null default 0);
  insert into people (id, email, phone) select n, 'person' || n || '@example.org', 'person' || n || '@example.org' from generate_series(1, ${ROWS}) as n`;

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

type Columns = Readonly<Record<string, string | Buffer | null>>;

function plainly(value: string | null): Columns {
  return Object.fromEntries(COLUMNS.map((column) => [column, value]));
}

/** An application that remembers every value that it was told is committed. */
class Application {
  readonly values = new Map<number, string | null>();
  readonly #bench: Workbench;
  readonly #columnsOf: (value: string | null) => Promise<Columns>;
  #stop = new AbortController();
  #running: Promise<void>[] = [];
  writes = 0;

  /** `columnsOf`: what it writes for a value. By itself it knows nothing of encryption. */
  constructor(bench: Workbench, columnsOf = async (value: string | null): Promise<Columns> => plainly(value)) {
    this.#bench = bench;
    this.#columnsOf = columnsOf;
    for (let id = 1; id <= ROWS; id += 1) this.values.set(id, `person${id}@example.org`);
  }

  start(): void {
    this.#stop = new AbortController();
    this.#running = Array.from({ length: WRITERS }, (_, writer) => this.#write(writer));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  /** Each writer has its own rows, so that it knows what must stand in them. */
  async #write(writer: number): Promise<void> {
    for (let turn = 0; !this.#stop.signal.aborted; turn += 1) {
      const id = 1 + writer + WRITERS * Math.floor(Math.random() * (ROWS / WRITERS));
      const value = [null, '', `writer${writer}-${turn}@example.org`][Math.min(2, Math.floor(Math.random() * 12))] ?? null;
      try {
        await this.#change(id, value, turn);
        this.writes += 1;
      } catch (error) {
        if (!OUTDATED.has(codeOf(error) ?? '')) throw error;
      }
    }
  }

  async #change(id: number, value: string | null, turn: number): Promise<void> {
    const { pool } = this.#bench;
    const known = this.values.has(id);
    if (known && turn % 10 === 0) {
      await pool.query('delete from people where id = $1', [id]);
      this.values.delete(id);
      return;
    }
    const columns = await this.#columnsOf(value);
    const names = Object.keys(columns);
    const sql = known
      ? `update people set ${names.map((name, at) => `${name} = $${at + 2}`).join(', ')}, visits = visits + 1 where id = $1`
      : `insert into people (id, ${names.join(', ')}) values ($1, ${names.map((_, at) => `$${at + 2}`).join(', ')})`;
    await pool.query(sql, [id, ...Object.values(columns)]);
    this.values.set(id, value);
  }
}

/**
 * What an application is told whose knowledge of a column is older than the statement: a column that is not there, plaintext or the empty
 * column that are refused, ciphertext without what it is searched by. It asks again, as the SDK does.
 */
const OUTDATED = new Set(['42703', '42501', '23000', '23514']);

/** As a client of the SDK writes: with what the database says of the fields at that moment. */
function asClient(bench: Workbench): (value: string | null) => Promise<Columns> {
  return async (value) => {
    const columns: Record<string, string | Buffer | null> = { ...plainly(value) };
    for (const [place, field] of (await fieldsOf(bench)).entries()) {
      const column = COLUMNS[place];
      if (column === undefined || field === undefined || !isAtLeast(field.phase, 'dual-write')) continue;
      Object.assign(columns, await sealedBy(bench, field, value));
      if (refusesPlaintext(field.phase)) delete columns[column];
    }
    return columns;
  };
}

async function sealedBy({ ground }: Workbench, field: Field, value: string | null): Promise<Columns> {
  const [sealed = null] = value === null ? [] : await ground.keys.seal(field, [value]);
  const numbers = await Promise.all(
    field.indexes.map(async (index): Promise<[string, string | null]> => {
      const form = value === null ? null : canonicalForm('exact', value, field.valueType);
      return [index.column, value === null ? null : ((await ground.keys.index(field, index, [form]))[0] ?? null)];
    }),
  );
  return { [field.encryptedColumn]: sealed, ...Object.fromEntries(numbers) };
}

/**
 * Kills the move of a field `kills` times at random moments, all stretches in turn, while four writers go on; in the end every
 * value that was committed stands in the plaintext or opens to it, once, and the way back leaves the schema as it was.
 */
export async function killedMoves(t: Ending, kills: number): Promise<void> {
  const bench = await workbench(t, { setUp: PEOPLE });
  const before = await bench.fingerprint();
  const application = new Application(bench);
  application.start();
  const url = bench.url.reveal();
  let killed = 0;
  try {
    // Moments of an encryption that was not killed: about three for each phase and three for each batch.
    for (let tries = 0; killed < kills && tries < kills * 3; tries += 1) {
      const { signal, errors } = await move(url, 'encrypt', { fatal: 1 + Math.floor(Math.random() * 35), keyVersion: 1 });
      assert.ok(signal === 'SIGKILL' || errors === '', errors);
      if (signal === 'SIGKILL') killed += 1;
      await untilGone(bench);
      // Where it had come through, all over again.
      if (signal === null) requireAllMoved((await decryptColumns(bench.ground, columnsOf(bench), agreed)).stopped);
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
  const { rows } = await bench.pool.query<{ id: number; email: string | null; phone: string | null }>(
    'select id, email, phone from people',
  );
  for (const column of COLUMNS) assert.deepEqual(new Map(rows.map((row) => [row.id, row[column]])), application.values);
  assert.equal(await bench.fingerprint(), before);
}

/**
 * Kills finish, rotate and decrypt `kills` times each at random moments, while four clients go on writing; whatever a run comes to between
 * two kills is gone through again. Every value that was committed stands there once after each, and the way back leaves no trace.
 */
export async function killedWays(t: Ending, kills: number): Promise<void> {
  const bench = await workbench(t, { setUp: PEOPLE });
  const { ground, order, keys } = bench;
  const before = await bench.fingerprint();
  const url = bench.url.reveal();
  let keyVersion = 1;
  const moved = async (moving: Promise<Together<unknown>>): Promise<void> => requireAllMoved((await moving).stopped);
  const encrypt = () =>
    moved(
      encryptFields(
        ground,
        NAMES.map((name, place) => order(name, { search: place === 0 ? ['exact'] : [] })),
        agreed,
      ),
    );
  const rotate = async (): Promise<void> => {
    await keys.rotate('default', '');
    keyVersion += 1;
  };
  const again = {
    finish: async () => {
      await moved(decryptColumns(ground, columnsOf(bench), agreed));
      await encrypt();
    },
    rotate,
    decrypt: async () => {
      await encrypt();
      await moved(finishFields(ground, columnsOf(bench), agreed));
    },
  };
  await encrypt();
  const application = new Application(bench, asClient(bench));
  for (const stretch of ['finish', 'rotate', 'decrypt'] as const) {
    application.start();
    try {
      if (stretch === 'rotate') await rotate();
      for (let killed = 0, tries = 0; killed < kills; tries += 1) {
        assert.ok(tries < kills * 10, `${stretch} is hit by a kill`);
        // Moments of a stretch that was not killed: about three for each phase and three for each batch.
        const { signal, errors } = await move(url, stretch, { fatal: 1 + Math.floor(Math.random() * 22), keyVersion });
        assert.ok(signal === 'SIGKILL' || errors === '', errors);
        await untilGone(bench);
        if (signal === 'SIGKILL') killed += 1;
        else await again[stretch]();
      }
      // The last kill may have come after all was done.
      if ((await fieldsOf(bench)).some((field) => field !== undefined))
        assert.equal((await move(url, stretch, { fatal: 0, keyVersion })).errors, '');
    } finally {
      await application.stop();
    }
    await compare(bench, application);
  }
  assert.ok(application.writes > 100);
  assert.equal(await bench.fingerprint(), before);
}

function columnsOf({ order }: Workbench): readonly ColumnRef[] {
  return NAMES.map((name) => order(name).column);
}

/** By the places of {@link COLUMNS}. */
async function fieldsOf(bench: Workbench): Promise<readonly (Field | undefined)[]> {
  return await reading(bench.ground, async (client) => {
    const found: (Field | undefined)[] = [];
    for (const column of columnsOf(bench)) found.push(await findField(client, 'default', column));
    return found;
  });
}

/** Every value is there once in each column: in plaintext, in ciphertext, or in both and the same. */
async function compare(bench: Workbench, application: Application): Promise<void> {
  for (const [at, field] of (await fieldsOf(bench)).entries()) {
    const column = COLUMNS[at] ?? '';
    const { rows } = await bench.pool.query<{ id: number; plain: string | null; sealed: Buffer | null }>(
      `select id, ${column} as plain, ${field === undefined ? 'null::bytea' : `${column}_encrypted`} as sealed from people`,
    );
    const sealed = rows.flatMap((row) => (row.sealed === null ? [] : [row.sealed]));
    const opened = field === undefined ? [] : await openTexts(bench.keys, field, sealed);
    let place = 0;
    const found = new Map(
      rows.map(({ id, plain, sealed: bytes }) => {
        const value = bytes === null ? plain : (opened[place++] ?? null);
        if (plain !== null && bytes !== null) assert.equal(plain, value);
        return [id, value];
      }),
    );
    assert.equal(found.size, application.values.size);
    for (const [id, value] of application.values) assert.equal(found.get(id), value, `${column} of row ${id}`);
  }
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
