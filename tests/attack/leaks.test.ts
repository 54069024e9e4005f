import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { globSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { safekeep } from 'safekeep/testing';
import { clinic } from './lived-in.ts';

const OWN_GROUP = process.platform === 'linux' ? groupOf('self') : undefined;

/** Looks over the shoulder of every process and session for as long as it goes on. */
function watch(url: string, secrets: readonly string[]) {
  const seen = new Set<string>();
  const look = (where: string, text: string): void => {
    for (const secret of secrets) if (text.includes(secret)) seen.add(`${where}: ${secret.slice(0, 8)}`);
  };
  const over = new AbortController();
  let looks = 0;
  const looking = (async () => {
    const client = new pg.Client({ connectionString: url, application_name: 'onlooker' });
    await client.connect();
    while (!over.signal.aborted) {
      const { rows } = await client.query<{ query: string; name: string }>(
        `select query, application_name as name from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
      );
      for (const { query, name } of rows) look(`session ${name}`, `${query} ${name}`);
      for (const pid of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) look('process list', commandLineOf(pid));
      looks += 1;
    }
    await client.end();
  })();
  return {
    end: async () => {
      over.abort();
      await looking;
      assert.ok(looks > 10, 'it looked often enough to see something');
      return [...seen];
    },
  };
}

/** Ours and the server's sessions: other tests of this run speak to the same server. Empty for a process that ended meanwhile. */
function commandLineOf(pid: string): string {
  try {
    const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return groupOf(pid) === OWN_GROUP || line.startsWith('postgres:') ? line : '';
  } catch {
    return '';
  }
}

/** The fifth field of stat, behind the name in parentheses (proc(5)). */
function groupOf(pid: string): string | undefined {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[2];
}

test('no planted value, key or password is seen in sessions, the process list, logs or files of the home', async (t) => {
  if (process.platform !== 'linux') return t.skip('the process list is read from /proc');
  const plant = (name: string): string => `${name}-${randomBytes(9).toString('hex')}`;
  const [name, email, ssn, note] = [plant('name'), `${plant('mail')}@example.org`, plant('ssn'), plant('note')];
  const passphrase = plant('passphrase');
  const { pool, cli, url, folder, home } = await clinic(t, '', safekeep);
  await pool.query('update patients set full_name = $1, email = $2, ssn = $3 where id = 42', [name, email, ssn]);
  await pool.query('update visits set notes = $1 where patient_id = 42', [note]);
  const password = new URL(url).password;
  const onlooker = watch(url, [name, email, ssn, note, passphrase, ...(password.length > 8 ? [password] : [])]);
  const environment = { SAFEKEEP_DATABASE_URL: url, SAFEKEEP_ROOT_PASSPHRASE: passphrase, SAFEKEEP_LOG_LEVEL: 'trace' };
  const told: string[] = [];
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await cli([...args, '--json'], { environment });
    assert.equal(code, 0, `${args.join(' ')} ${stderr} ${stdout}`);
    told.push(stdout, stderr);
    return stdout;
  };
  await run('scan');
  await run('apply');
  await run('encrypt', 'patients.ssn');
  await run('encrypt', 'patients.email');
  await pool.query(`update visits set day = day + 1 where patient_id = 42`);
  await run('audit', 'sequence', '--once');
  await run('subject', 'export', 'patient:42', '--out', join(folder, 'export.zip'));
  await run('subject', 'export', 'patient:42');
  const { hash } = JSON.parse(await run('subject', 'erase', 'patient:42', '--plan'));
  await run('subject', 'erase', 'patient:42', '--approve', hash);
  await run('audit', 'verify');
  await run('status');
  await run('doctor');
  assert.deepEqual(await onlooker.end(), []);

  const planted = [name, email, ssn, note, passphrase];
  for (const secret of planted)
    assert.ok(!told.some((text) => text.includes(secret)), `${secret.slice(0, 6)} was told by a command`);
  const files = globSync('**', { cwd: home }).filter((file) => statSync(join(home, file)).isFile());
  assert.ok(files.length > 8);
  for (const file of files) {
    const bytes = await readFile(join(home, file));
    for (const secret of [...planted, password].filter((each) => each.length > 8))
      assert.equal(bytes.includes(secret), false, `${secret.slice(0, 6)} stands in ${file}`);
    const mode = statSync(join(home, file)).mode & 0o077;
    if (/keys\/|exports\/|certificates\//.test(file) && !file.endsWith('.vkey')) assert.equal(mode, 0, `${file} is open to others`);
  }
  // And the dump of the database, as its thief has it: erased and sealed, nothing of the person is left.
  const { rows: tables } = await pool.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'm') and n.nspname !~ '^(pg_|information_schema)'`,
  );
  for (const { name: table } of tables)
    for (const secret of planted) {
      const { rows } = await pool.query(`select from ${table} as t where strpos(t::text, $1) > 0`, [secret]);
      assert.equal(rows.length, 0, `${secret.slice(0, 6)} in ${table}`);
    }
});
