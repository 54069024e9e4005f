import assert from 'node:assert/strict';
import { execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { isSafekeepError } from '@safekeep/core';
import { openEmbedded, stopEmbedded, usersOfHome } from './home.ts';
import { ask, temporaryFolder, temporaryHome } from './testing/temporary-home.ts';

async function postmaster(folder: string): Promise<number> {
  return Number((await readFile(join(folder, 'embedded', 'data', 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('the last lease to end stops the server, not the first', async (t) => {
  const folder = await temporaryHome(t);
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
  const folder = await temporaryHome(t);
  const before = await openEmbedded(folder, { purpose: 'before' });
  await ask(before.url.reveal(), 'create table kept as select generate_series(1, 1000) as n');
  const killed = await postmaster(folder);
  process.kill(killed, 'SIGKILL');
  // On a busy machine a process that was killed is there for a moment more.
  while (isThere(killed)) await setTimeout(5);
  const after = await openEmbedded(folder, { purpose: 'after' });
  assert.equal(after.started, true);
  assert.deepEqual(await ask(after.url.reveal(), 'select count(*)::int as n from kept'), [{ n: 1000 }]);
  await before.release();
  await after.release();
});

test('processes that start at once share one server, and one killed without a word is forgotten', async (t) => {
  const folder = await temporaryHome(t);
  const children = Array.from({ length: 8 }, () => fork(join(import.meta.dirname, 'home.test-process.ts'), [folder, 'share']));
  const urls = await Promise.all(children.map(async (child) => String((await once(child, 'message'))[0])));
  assert.equal(new Set(urls).size, 1);
  assert.equal((await usersOfHome(folder)).length, 8);
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
  const folder = await temporaryHome(t);
  const child = fork(join(import.meta.dirname, 'home.test-process.ts'), [folder, 'start']);
  await once(child, 'message');
  await assert.rejects(
    openEmbedded(folder, { purpose: 'start' }),
    (error) => isSafekeepError(error, 'already-running') && error.message.includes(String(child.pid)),
  );
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('a first start that was killed half-way is made again, and what was made whole is never made anew', async (t) => {
  const home = await temporaryHome(t);
  const half = join(home, 'embedded', 'data.1.half');
  await mkdir(half, { recursive: true, mode: 0o711 });
  await chmod(home, 0o711);
  await writeFile(join(half, 'PG_VERSION'), '18');
  const first = await openEmbedded(home, { purpose: 'one' });
  await ask(first.url.reveal(), 'create table kept as select 1 as n');
  await first.release();
  assert.deepEqual(
    (await readdir(join(home, 'embedded'))).filter((name) => name.endsWith('.half')),
    [],
  );
  for (const file of ['initialised', 'server.json']) {
    await rm(join(home, 'embedded', file), { force: true });
    const again = await openEmbedded(home, { purpose: file });
    assert.deepEqual(await ask(again.url.reveal(), 'select n from kept'), [{ n: 1 }], file);
    await again.release();
  }
});

test('a server whose first start was killed before it could be noted is taken over, and stop finds it', async (t) => {
  const home = await temporaryHome(t);
  const first = await openEmbedded(home, { purpose: 'one' });
  await rm(join(home, 'embedded', 'server.json'));
  const second = await openEmbedded(home, { purpose: 'two' });
  assert.deepEqual([second.started, second.port], [false, first.port]);
  await rm(join(home, 'embedded', 'server.json'));
  assert.deepEqual(await stopEmbedded(home), [process.pid, process.pid]);
  await assert.rejects(ask(first.url.reveal(), 'select 1'));
  assert.equal(await stopEmbedded(home), undefined);
});

test('a postmaster.pid whose number belongs to another process by now neither hinders the start nor costs that process its life', async (t) => {
  const home = await temporaryHome(t);
  const first = await openEmbedded(home, { purpose: 'one' });
  const file = join(home, 'embedded', 'data', 'postmaster.pid');
  const note = await readFile(file, 'utf8');
  await first.release();
  const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
  t.after(() => stranger.kill());
  await writeFile(file, note.replace(/^\d+/, String(stranger.pid)));
  assert.equal(await stopEmbedded(home), undefined);
  const second = await openEmbedded(home, { purpose: 'two' });
  assert.equal(second.started, true);
  await second.release();
  assert.equal(stranger.exitCode ?? stranger.signalCode, null);
});

test('no shell ever reads the path of a home', async (t) => {
  const home = await temporaryHome(t, `it's a "home" $(touch pwned) \`touch pwned\` \\ ;&| ü 家`);
  const lease = await openEmbedded(home, { purpose: 'one' });
  assert.deepEqual(await ask(lease.url.reveal(), 'select 1 as one'), [{ one: 1 }]);
  await lease.release();
  for (const folder of [process.cwd(), dirname(home), home, join(home, 'embedded'), join(home, 'embedded', 'data')]) {
    assert.equal((await readdir(folder)).includes('pwned'), false, folder);
  }
});

test('why a start failed is read from the log that the collector has taken over', async (t) => {
  const home = await temporaryHome(t);
  await (await openEmbedded(home, { purpose: 'one' })).release();
  await writeFile(join(home, 'embedded', 'data', 'pg_hba.conf'), 'nonsense\n');
  await assert.rejects(openEmbedded(home, { purpose: 'two' }), (error) => {
    assert.ok(isSafekeepError(error, 'embedded-failed'));
    assert.match(error.message, /^The embedded PostgreSQL did not start: FATAL: {2}could not load .*pg_hba\.conf/);
    return true;
  });
});

for (const umask of ['077', '000']) {
  test(`under umask ${umask} a home is reachable for its server and closed to everybody else`, async (t) => {
    const home = await temporaryHome(t);
    const child = fork(join(import.meta.dirname, 'home.test-process.ts'), [home, 'umask', umask]);
    const [url] = await once(child, 'message');
    assert.deepEqual(await ask(String(url), 'select 1 as one'), [{ one: 1 }]);
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal((await stat(join(home, 'embedded', 'data'))).isDirectory(), true, 'the data lies inside');
    for (const entry of ['', ...(await readdir(home, { recursive: true }))]) {
      assert.equal((await stat(join(home, entry))).mode & 0o022, 0, entry);
    }
  });
}

test(
  'what root starts on data of an ordinary user runs as that user',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async (t) => {
    const home = await temporaryHome(t);
    await (await openEmbedded(home, { purpose: 'one' })).release();
    execFileSync('chown', ['-R', '54321:54321', home]);
    const lease = await openEmbedded(home, { purpose: 'two' });
    assert.equal((await stat(`/proc/${await postmaster(home)}`)).uid, 54321);
    await lease.release();
    assert.equal((await stat(join(home, 'embedded', 'server.json'))).uid, 54321, 'the owner can still use it');
  },
);

test('where no home stands nothing runs', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'file'), '');
  for (const home of [join(folder, 'none'), join(folder, 'file'), folder]) {
    assert.deepEqual([await usersOfHome(home), await stopEmbedded(home)], [[], undefined], home);
  }
  assert.deepEqual(await readdir(folder), ['file']);
});

test('data of another PostgreSQL version is refused and left alone', async (t) => {
  const folder = await temporaryHome(t);
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
  const folder = await temporaryHome(t);
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

// The first is full while the data is made, the second once the server runs: then it must not stay, or the disk could not be taken away.
for (const size of ['8m', '40m'])
  test(`a disk of ${size} that is full is told as such, and nothing is left running on it`, async (t) => {
    const folder = await temporaryFolder(t);
    const small = join(folder, 'small');
    await mkdir(small, { mode: 0o711 });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0711`, 'tmpfs', small], { stdio: 'ignore' });
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
