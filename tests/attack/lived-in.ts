import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { testDatabase } from '@safekeep/postgres/testing';
import { safekeepAtHand, temporaryHome } from 'safekeep/testing';

const CLINIC = join(import.meta.dirname, '..', 'documents', 'stages', 'clinic');

/** Anything that runs a function at the end of a test: the context of node:test. */
type Ending = { readonly after: (run: () => Promise<void>) => void };

export type LivedIn = {
  readonly folder: string;
  readonly home: string;
  readonly url: string;
  /** As the superuser of the server. */
  readonly pool: pg.Pool;
  readonly cli: typeof safekeepAtHand;
  /** The same, which must end with 0; its JSON. */
  readonly done: (...args: string[]) => Promise<unknown>;
  /** A connection of a login of its own that is a member of this role only; the login is gone after the test. */
  readonly loginOf: (role: string) => Promise<pg.Client>;
};

/**
 * The clinic of the guides in a database and home of its own, with what `setUp` adds to it. Nothing is installed yet. `run` runs its command
 * lines: `safekeep` where the process of each is looked at.
 */
export async function clinic(t: Ending, setUp = '', run: typeof safekeepAtHand = safekeepAtHand): Promise<LivedIn> {
  const folder = await temporaryHome(t);
  await cp(CLINIC, folder, { recursive: true });
  const endings: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const end of endings.toReversed()) await end();
  });
  const made = await testDatabase();
  endings.push(() => made[Symbol.asyncDispose]());
  const { pool } = made;
  const url = made.url.reveal();
  await pool.query(await readFile(join(folder, 'clinic.sql'), 'utf8'));
  if (setUp !== '') await pool.query(setUp);
  const home = join(folder, 'home');
  const settings = ['--home', home, '--map', join(folder, 'datamap.yaml'), '--yes'];
  const environment = { SAFEKEEP_DATABASE_URL: url };
  const cli: LivedIn['cli'] = (args, options) => run([...args, ...settings], { environment, cwd: folder, ...options });
  return {
    folder,
    home,
    url,
    pool,
    cli,
    done: async (...args) => {
      const { code, stdout, stderr } = await cli([...args, '--json']);
      assert.equal(code, 0, `${args.join(' ')}: ${stderr}${stdout}`);
      const result: unknown = JSON.parse(stdout);
      return result;
    },
    loginOf: async (role) => {
      const login = `thief_${randomBytes(5).toString('hex')}`;
      await pool.query(`create role ${login} login password 'thief' in role ${role}`);
      const own = new URL(url);
      [own.username, own.password] = [login, 'thief'];
      const client = new pg.Client({ connectionString: own.href, application_name: `thief of ${role}` });
      await client.connect();
      endings.push(async () => {
        await client.end();
        await pool.query(`drop owned by ${login}`);
        await pool.query(`drop role ${login}`);
      });
      return client;
    },
  };
}

/** Some weeks of it: protected, encrypted, somebody exported, somebody erased, somebody held, and all of it in the log. */
export async function livedIn(t: Ending, setUp = ''): Promise<LivedIn> {
  const lived = await clinic(t, setUp);
  const { done, pool } = lived;
  await done('apply');
  await done('encrypt', 'patients.ssn');
  await pool.query(`update patients set phone = '(212) 555-0199' where id < 20; delete from messages where id < 20`);
  await done('hold', 'place', 'patient:7', '--reason', 'a dispute', '--owner', 'counsel', '--review-by', '2099-01-01');
  await done('subject', 'export', 'patient:42', '--out', join(lived.folder, 'export.zip'));
  // What `--plan --json` prints begins with the hash to approve.
  const { hash } = (await done('subject', 'erase', 'patient:43', '--plan')) as { readonly hash: string };
  await done('subject', 'erase', 'patient:43', '--approve', hash);
  await done('audit', 'sequence', '--once');
  return lived;
}

/** Puts a text in the place of another in a file, which must have it. */
export async function replaceIn(path: string, from: string | RegExp, to: string): Promise<void> {
  const before = await readFile(path, 'utf8');
  const after = before.replace(from, to);
  assert.notEqual(after, before, `${String(from)} stands in ${path}`);
  await writeFile(path, after);
}
