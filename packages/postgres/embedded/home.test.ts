import assert from 'node:assert/strict';
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import pg from 'pg';
import { isSafekeepError } from '@safekeep/core';
import { openEmbedded, stopEmbedded, usersOfHome } from './home.ts';

async function home(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-home-'));
  await chmod(folder, 0o711);
  t.after(async () => {
    await stopEmbedded(folder);
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

async function ask(url: string, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

async function postmaster(folder: string): Promise<number> {
  return Number((await readFile(join(folder, 'embedded', 'data', 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

test('the last lease to end stops the server, not the first', async (t) => {
  const folder = await home(t);
  const first = await openEmbedded(folder, { purpose: 'one' });
  const second = await openEmbedded(folder, { purpose: 'two' });
  assert.deepEqual([first.started, second.started], [true, false]);
  assert.equal(first.url.reveal(), second.url.reveal());
  await first.release();
  await first.release();
  assert.deepEqual(await ask(second.url.reveal(), 'select 1 as one'), [{ one: 1 }]);
  await second.release();
  await assert.rejects(ask(second.url.reveal(), 'select 1'));
});

test('after a kill -9 of the server the next command recovers what was committed', async (t) => {
  const folder = await home(t);
  const before = await openEmbedded(folder, { purpose: 'before' });
  await ask(before.url.reveal(), 'create table kept as select generate_series(1, 1000) as n');
  process.kill(await postmaster(folder), 'SIGKILL');
  const after = await openEmbedded(folder, { purpose: 'after' });
  assert.equal(after.started, true);
  assert.deepEqual(await ask(after.url.reveal(), 'select count(*)::int as n from kept'), [{ n: 1000 }]);
  await before.release();
  await after.release();
});

test('processes that start at once share one server, and one killed without a word is forgotten', async (t) => {
  const folder = await home(t);
  const children = Array.from({ length: 4 }, () => fork(join(import.meta.dirname, 'home.test-process.ts'), [folder, 'share']));
  const urls = await Promise.all(children.map(async (child) => String((await once(child, 'message'))[0])));
  assert.equal(new Set(urls).size, 1);
  assert.equal((await usersOfHome(folder)).length, 4);
  for (const child of children) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  assert.deepEqual(await usersOfHome(folder), []);
  const next = await openEmbedded(folder, { purpose: 'next' });
  assert.equal(next.started, false, 'the server that the dead left running is used on');
  await next.release();
  await assert.rejects(ask(next.url.reveal(), 'select 1'), 'and stopped by the last to leave');
});

test('of two starts at once one is told that Safekeep already runs', async (t) => {
  const folder = await home(t);
  const child = fork(join(import.meta.dirname, 'home.test-process.ts'), [folder, 'start']);
  await once(child, 'message');
  await assert.rejects(
    openEmbedded(folder, { purpose: 'start' }),
    (error) => isSafekeepError(error, 'already-running') && error.message.includes(String(child.pid)),
  );
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('a first start that was killed half-way is made again', async (t) => {
  const folder = await home(t);
  await (await openEmbedded(folder, { purpose: 'one' })).release();
  await rm(join(folder, 'embedded', 'initialised'));
  const again = await openEmbedded(folder, { purpose: 'two' });
  assert.deepEqual(await ask(again.url.reveal(), 'select 1 as one'), [{ one: 1 }]);
  await again.release();
});

test('data of another PostgreSQL version is refused and left alone', async (t) => {
  const folder = await home(t);
  await (await openEmbedded(folder, { purpose: 'one' })).release();
  const version = join(folder, 'embedded', 'data', 'PG_VERSION');
  const own = await readFile(version, 'utf8');
  await writeFile(version, '14\n');
  await assert.rejects(
    openEmbedded(folder, { purpose: 'two' }),
    (error) => isSafekeepError(error, 'embedded-version') && error.message.includes('PostgreSQL 14'),
  );
  await writeFile(version, own);
});

test('a port that somebody took meanwhile is not waited for', async (t) => {
  const folder = await home(t);
  const first = await openEmbedded(folder, { purpose: 'one' });
  await first.release();
  const squatter = createServer().listen(first.port, '127.0.0.1');
  await once(squatter, 'listening');
  t.after(() => void squatter.close());
  const second = await openEmbedded(folder, { purpose: 'two' });
  assert.notEqual(second.port, first.port);
  assert.deepEqual(await ask(second.url.reveal(), 'select 1 as one'), [{ one: 1 }]);
  await second.release();
});

test('a full disk is told as such', async (t) => {
  const folder = await home(t);
  const small = join(folder, 'small');
  await mkdir(small, { mode: 0o711 });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=0711', 'tmpfs', small], { stdio: 'ignore' });
  } catch {
    t.skip('this user may not mount a small disk');
    return;
  }
  try {
    await assert.rejects(openEmbedded(small, { purpose: 'one' }), (error) => isSafekeepError(error, 'disk-full'));
  } finally {
    execFileSync('umount', [small]);
  }
});
