import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { safekeep, temporaryHome } from 'safekeep/testing';

const ROOT = join(import.meta.dirname, '..', '..');
const CLINIC = join(ROOT, 'tests', 'documents', 'stages', 'clinic');
const BIN = join(ROOT, 'packages', 'cli', 'bin', 'safekeep.mjs');

/** These are held all the while, those are never asked to be erased, and the rest may be. */
export const HELD = [1, 2, 3];
const FIRST_ERASABLE = 10;
const LAST_ERASABLE = 100;

/** Anything that runs a function at the end of a test: the context of node:test. */
type Ending = { readonly after: (run: () => Promise<void>) => void };

/** What the load did, by which its end is judged. */
export type Soaked = {
  readonly home: string;
  readonly folder: string;
  readonly call: (
    ...args: string[]
  ) => Promise<{ readonly code: number; readonly result: Record<string, unknown>; readonly stderr: string }>;
  readonly connect: () => Promise<pg.Client>;
  /** Phones of customers as the last confirmed commit left them. */
  readonly confirmed: ReadonlyMap<number, string>;
  readonly erased: ReadonlySet<number>;
  /** Of whom an erasure was approved: a command that was killed may have carried it out. */
  readonly asked: ReadonlySet<number>;
  readonly kills: number;
  readonly writes: number;
  readonly commands: number;
};

/** The clinic on an embedded server, under writers, commands and a worker, with something killed -9 every `killEveryMs`. */
export async function soak(
  t: Ending,
  { forMs, killEveryMs }: { readonly forMs: number; readonly killEveryMs: number },
): Promise<Soaked> {
  const [home, folder] = [await temporaryHome(t), await temporaryHome(t)];
  await cp(CLINIC, folder, { recursive: true });
  const environment = { SAFEKEEP_HOME: home, SAFEKEEP_MAP: join(folder, 'datamap.yaml') };
  const call: Soaked['call'] = async (...args) => {
    const { code, stdout, stderr } = await safekeep([...args, '--json'], { environment, cwd: folder });
    // `audit search` and the like print lines; nothing here asks them.
    // An object, as every command's output is declared.
    return { code, result: JSON.parse(stdout === '' ? '{}' : stdout) as Record<string, unknown>, stderr };
  };
  const done = async (...args: string[]) => {
    const { code, result, stderr } = await call(...args);
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
    return result;
  };
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: String((await done('url'))['url']), application_name: 'soak' });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const first = await connect();
  await first.query(await readFile(join(folder, 'clinic.sql'), 'utf8'));
  await first.end();
  await done('apply');
  await done('encrypt', 'patients.ssn');
  for (const id of HELD)
    await done('hold', 'place', `patient:${id}`, '--reason', 'claim', '--owner', 'legal', '--review-by', '2099-01-01');

  const load = new Load({ home, environment, folder, call, connect });
  const end = performance.now() + forMs;
  const going = (): boolean => performance.now() < end;
  await Promise.all([load.write(going, 0), load.write(going, 1), load.command(going), load.killNowAndThen(going, killEveryMs)]);
  await load.stopWorker();
  return { home, folder, call, connect, ...load.done() };
}

type Place = Pick<Soaked, 'home' | 'folder' | 'call' | 'connect'> & { readonly environment: Readonly<Record<string, string>> };

class Load {
  readonly #place: Place;
  readonly #confirmed = new Map<number, string>();
  readonly #erased = new Set<number>();
  readonly #asked = new Set<number>();
  #worker: ChildProcess | undefined;
  #kills = 0;
  #writes = 0;
  #commands = 0;
  #killedAtMs = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  done() {
    const { confirmed, erased, asked } = { confirmed: this.#confirmed, erased: this.#erased, asked: this.#asked };
    return { confirmed, erased, asked, kills: this.#kills, writes: this.#writes, commands: this.#commands };
  }

  /** Customers of its own, so that what it read last is what must stand; on a lost connection it asks what became of the commit. */
  async write(going: () => boolean, writer: number): Promise<void> {
    let client = await this.#place.connect();
    let id = 1_000_000 * (writer + 1);
    for (let n = 0; going(); n += 1) {
      const target = n % 3 === 0 ? (id += 1) : id - (n % 50 < id % 1_000_000 ? n % 50 : 0);
      const name = `customer ${writer}-${n}`;
      try {
        await client.query('begin');
        await client.query(`select safekeep.set_actor($1, 'care', $2)`, [`writer:${writer}`, `call-${n}`]);
        await client.query(
          `insert into customer (id, name, email) values ($1, $2, $3) on conflict (id) do update set name = excluded.name`,
          [target, name, `c${target}@example.org`],
        );
        await client.query('update visits set notes = $1 where id = $2', [name, 1 + (n % 400)]);
        await client.query('commit');
        this.#confirmed.set(target, name);
        this.#writes += 1;
      } catch (error) {
        if (!this.#isFromKill(error)) throw error;
        await client.end().catch(() => undefined);
        client = await this.#again();
        const { rows } = await client.query<{ name: string }>('select name from customer where id = $1', [target]);
        // Committed or not, and never anything else than one of the two.
        const [row] = rows;
        if (row === undefined) assert.equal(this.#confirmed.get(target), undefined, `customer ${target} is lost`);
        else {
          assert.ok(row.name === name || row.name === this.#confirmed.get(target), `customer ${target} is ${row.name}`);
          this.#confirmed.set(target, row.name);
        }
      }
    }
    await client.end();
  }

  /** A server that was killed comes back with the next command that needs it. */
  async #again(): Promise<pg.Client> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.#place.connect();
      } catch (error) {
        if (tries === 50) throw error;
        await wait(200);
      }
    }
  }

  #isFromKill(error: unknown): boolean {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    // Connection gone, server starting, a deadlock or a serialisation failure of a busy moment.
    return /^(57P0|08|40|ECONN|EPIPE|53|55P03)/.test(code) || /terminated|ended|closed|not queryable/i.test(String(error));
  }

  /** What people do at the terminal meanwhile. A refusal is an answer; a bug is none. */
  async command(going: () => boolean): Promise<void> {
    const { call, folder } = this.#place;
    for (let n = 0; going(); n += 1) {
      const id = FIRST_ERASABLE + ((n * 7) % (LAST_ERASABLE - FIRST_ERASABLE));
      await this.#worked(['subject', 'export', `patient:${id}`, '--out', join(folder, `export-${n}.zip`)]);
      const plan = await this.#worked(['subject', 'erase', `patient:${id}`, '--plan']);
      if (typeof plan?.['hash'] === 'string') {
        this.#asked.add(id);
        const { code } = await call('subject', 'erase', `patient:${id}`, '--approve', plan['hash']);
        if (code === 0) this.#erased.add(id);
      }
      await this.#worked(['audit', 'verify']);
      await this.#worked(['status']);
      if (n % 4 === 1) await this.#worked(['encrypt', 'rotate', 'patients.ssn']);
      if (n % 4 === 2) await this.#worked(['keys', 'rotate', 'epoch']);
      if (n % 4 === 3) await this.#worked(['subject', 'erasures', '--run']);
    }
  }

  async #worked(args: readonly string[]): Promise<Record<string, unknown> | undefined> {
    const startedMs = performance.now();
    const { code, result, stderr } = await this.#place.call(...args);
    this.#commands += 1;
    const wasKilled = this.#killedAtMs >= startedMs;
    // Exit 3 is a lost connection, which a kill explains, or a bug, which nothing does.
    assert.ok(code !== 3 || wasKilled, `${args.join(' ')}: ${stderr}`);
    assert.doesNotMatch(stderr, /error internal/, args.join(' '));
    return code === 0 ? result : undefined;
  }

  /** In turn the worker, the server with everything on it, and again. */
  async killNowAndThen(going: () => boolean, everyMs: number): Promise<void> {
    this.#startWorker();
    for (let n = 0; going(); n += 1) {
      await wait(everyMs);
      this.#killedAtMs = performance.now();
      if (n % 2 === 1) process.kill(await this.#postmaster(), 'SIGKILL');
      await this.stopWorker();
      this.#kills += 1;
      this.#startWorker();
    }
  }

  #startWorker(): void {
    const { folder, environment } = this.#place;
    this.#worker = spawn(process.execPath, [BIN, 'start', '--role', 'worker'], {
      cwd: folder,
      env: { ...process.env, ...environment },
      stdio: 'ignore',
    });
  }

  async stopWorker(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined || worker.exitCode !== null || worker.signalCode !== null) return;
    worker.kill('SIGKILL');
    await once(worker, 'exit');
  }

  async #postmaster(): Promise<number> {
    return Number.parseInt(await readFile(join(this.#place.home, 'embedded', 'data', 'postmaster.pid'), 'utf8'), 10);
  }
}
