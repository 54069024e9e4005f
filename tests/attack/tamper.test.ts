import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { livedIn, replaceIn, type LivedIn } from './lived-in.ts';

async function says(lived: LivedIn, ...args: string[]) {
  const { code, stdout } = await lived.cli([...args, '--json']);
  return { code, result: JSON.parse(stdout) };
}

/** Changes a byte in the middle of a file. */
async function flip(path: string): Promise<void> {
  const { writeFile } = await import('node:fs/promises');
  const bytes = await readFile(path);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

test('whatever paper is altered says so: certificate, export, checkpoint, ledger, tiles', async (t) => {
  const lived = await livedIn(t);
  const { home, folder } = lived;
  const vkey = (await readFile(join(home, 'keys', 'signing.vkey'), 'utf8')).trim();
  const [certificate = ''] = globSync(join(home, 'certificates', '*.json'));
  const whole = join(folder, 'export.zip');
  for (const paper of [certificate, whole]) {
    assert.equal((await says(lived, 'certificate', 'verify', paper, '--vkey', vkey)).code, 0, paper);
    const altered = `${paper}.altered`;
    await copyFile(paper, altered);
    await flip(altered);
    assert.notEqual((await says(lived, 'certificate', 'verify', altered, '--vkey', vkey)).code, 0, altered);
  }
  // The key of another home, named by the attacker, is not the one that was asked for.
  const another = await livedIn(t);
  const foreign = globSync(join(another.home, 'certificates', '*.json'))[0] ?? '';
  assert.equal((await says(lived, 'certificate', 'verify', foreign, '--vkey', vkey)).code, 1);

  const tiles = join(folder, 'log');
  await lived.done('audit', 'export', '--tiles', tiles);
  assert.equal((await says(lived, 'audit', 'verify', '--dir', tiles, '--vkey', vkey)).code, 0);
  const bundle = globSync(join(tiles, 'tile', 'entries', '**', '*')).find((file) => /\d+$/.test(file)) ?? '';
  await flip(bundle);
  assert.equal((await says(lived, 'audit', 'verify', '--dir', tiles, '--vkey', vkey)).code, 1);

  assert.equal((await says(lived, 'ledger', 'verify')).code, 0);
  const [segment = ''] = globSync(join(home, 'ledger', '*')).filter((file) => /\d/.test(file));
  await flip(segment);
  assert.equal((await says(lived, 'ledger', 'verify')).code, 1);
});

test('a superuser who edits events, rows, keys or triggers is found out by the next verification', async (t) => {
  const lived = await livedIn(t);
  const { pool } = lived;
  const faults = async (...args: string[]): Promise<readonly string[]> => {
    const { code, result } = await says(lived, 'audit', 'verify', ...args);
    assert.equal(code === 0, result.ok);
    return result.faults.map(({ code: fault }: { code: string }) => fault);
  };
  assert.deepEqual(await faults(), []);
  const behind = async (statements: string): Promise<void> => {
    await pool.query(`set session_replication_role = 'replica'; ${statements}; set session_replication_role = 'origin'`);
  };
  await behind(
    `update public.patients set full_name = 'Somebody Else' where id = 3; alter table public.visits disable trigger all`,
  );
  const first = await faults('--full');
  assert.ok(first.includes('trigger-disabled'), first.join());
  assert.equal((await says(lived, 'status')).code, 1);
  await pool.query('alter table public.visits enable trigger all');
  await behind(`delete from safekeep.audit_events where ctid = (select ctid from safekeep.audit_events limit 1)`);
  assert.notDeepEqual(await faults(), []);
});

test('functions that somebody exchanged are told by verification, doctor and status, and are made anew by migrate up and apply', async (t) => {
  const lived = await livedIn(t);
  const { pool } = lived;
  const nothing = `returns trigger language plpgsql security definer set search_path = '' as 'begin return null; end'`;
  // Its recorded hash stays right: it is the function that lies.
  await pool.query(`create or replace function safekeep.note_truncate() ${nothing}`);
  await pool.query(
    `create or replace function safekeep.current_tenant() returns text language sql stable as $$ select 'default' $$`,
  );
  await pool.query(`do $$ begin execute format('create or replace function safekeep.%I() ${nothing.replaceAll("'", "''")}',
    (select proname from pg_proc as p join pg_trigger as t on t.tgfoid = p.oid where t.tgname = 'safekeep_audit_update' and t.tgrelid = 'patients'::regclass)); end $$`);
  const told = async (): Promise<readonly string[]> => {
    const { result } = await says(lived, 'audit', 'verify');
    return result.faults.map(({ detail }: { detail: string }) => /safekeep\.(capture_update|[a-z_]+)/.exec(detail)?.[1]);
  };
  const check = async (name: string) => {
    const { result } = await says(lived, 'doctor');
    return result.checks.find((each: { name: string }) => each.name === name);
  };
  assert.deepEqual((await told()).toSorted(), ['capture_update', 'current_tenant', 'note_truncate']);
  const schema = await check('schema');
  assert.equal(schema.state, 'warn');
  assert.match(schema.detail, /2 function\(s\) are not those of this Safekeep \(.*current_tenant.*\): safekeep migrate up/);
  const log = await check('audit');
  assert.equal(log.state, 'fail');
  assert.match(log.detail, /The function safekeep\..* Make it anew with safekeep migrate up and safekeep apply/);
  assert.equal((await says(lived, 'status')).code, 1);
  await lived.done('migrate', 'up');
  assert.deepEqual(await told(), ['capture_update']);
  await lived.done('apply');
  assert.deepEqual(await told(), []);
  assert.equal((await says(lived, 'status')).code, 0);
  assert.equal((await check('schema')).state, 'ok');
});

test('a plan that somebody edited between look and apply is not carried out', async (t) => {
  const lived = await livedIn(t);
  await replaceIn(join(lived.folder, 'datamap.yaml'), 'writes: true', 'writes: false');
  const { hash } = (await lived.done('plan')) as { readonly hash: string };
  await replaceIn(join(lived.folder, 'datamap.yaml'), 'writes: false', 'writes: true');
  const { code, result } = await says(lived, 'apply', '--plan', hash);
  assert.equal(code, 1);
  assert.equal(result.error.code, 'plan-outdated');
  const { hash: planned } = (await lived.done('subject', 'erase', 'patient:50', '--plan')) as { readonly hash: string };
  await lived.pool.query(`insert into visits values (9000, 50, '2026-01-01', 'came later')`);
  const late = await says(lived, 'subject', 'erase', 'patient:50', '--approve', planned);
  assert.equal(late.result.error.code, 'erasure-plan-changed');
  const { rows } = await lived.pool.query(`select email from patients where id = 50`);
  assert.deepEqual(rows, [{ email: 'patient50@example.org' }]);
  const held = await says(lived, 'subject', 'erase', 'patient:7', '--plan');
  assert.ok(held.result.holds.length > 0 || held.code === 1, JSON.stringify(held.result));
});
