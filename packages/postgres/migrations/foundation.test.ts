import assert from 'node:assert/strict';
import { chmod, cp, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { isSafekeepError, Secret } from '@safekeep/core';
import { openDatabase } from '../connect/open.ts';
import { findBinaries } from '../embedded/binaries.ts';
import { initialise, newPassword, start, stop, type Cluster } from '../embedded/cluster.ts';
import { serverUser } from '../embedded/server-user.ts';
import { migrateUp, migrationStatus } from './run.ts';

test('a server without pgcrypto is refused before anything is created', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-bare-'));
  await chmod(folder, 0o711);
  t.after(() => rm(folder, { recursive: true, force: true }));
  const user = await serverUser();
  const native = dirname(dirname((await findBinaries(user, folder)).pgCtl));
  const bare = join(folder, 'postgresql');
  await cp(native, bare, { recursive: true, verbatimSymlinks: true });
  await rm(join(bare, 'share', 'postgresql', 'extension', 'pgcrypto.control'));
  const cluster: Cluster = {
    binaries: { initdb: join(bare, 'bin', 'initdb'), pgCtl: join(bare, 'bin', 'pg_ctl'), version: '18' },
    user,
    directory: join(folder, 'server'),
    password: newPassword(),
    settings: { fsync: 'off' },
  };
  await initialise(cluster);
  const port = await start(cluster);
  try {
    const database = await openDatabase(new Secret(`postgres://postgres:${cluster.password.reveal()}@127.0.0.1:${port}/postgres`), {
      poolMax: 1,
    });
    try {
      await assert.rejects(
        migrateUp(database),
        (error) => isSafekeepError(error, 'extension-missing') && error.remedy.includes('CREATE EXTENSION pgcrypto'),
      );
      assert.deepEqual((await migrationStatus(database)).history, []);
    } finally {
      await database.close();
    }
  } finally {
    await stop(cluster);
  }
});

test('PostgreSQL 14 is refused by its number', async (t) => {
  // No such server is at hand: a program that speaks just enough of the protocol to say which version it is.
  const message = (type: string, body: Buffer): Buffer => {
    const head = Buffer.alloc(5);
    head.write(type);
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const text = (value: string): Buffer => Buffer.from(`${value}\0`);
  const column = (name: string, type: number): Buffer => {
    const facts = Buffer.alloc(18);
    facts.writeInt32BE(type, 6);
    return Buffer.concat([text(name), facts]);
  };
  const field = (value: string): Buffer => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(value.length);
    return Buffer.concat([length, Buffer.from(value)]);
  };
  const ready = message('Z', Buffer.from('I'));
  const answer = Buffer.concat([
    message('T', Buffer.concat([Buffer.from([0, 2]), column('number', 23), column('version', 25)])),
    message('D', Buffer.concat([Buffer.from([0, 2]), field('140012'), field('14.12')])),
    message('C', text('SELECT 1')),
    ready,
  ]);
  const server = createServer((socket) => {
    let greeted = false;
    socket.on('error', () => undefined);
    socket.on('data', () => {
      socket.write(greeted ? answer : Buffer.concat([message('R', Buffer.alloc(4)), ready]));
      greeted = true;
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address);
  await assert.rejects(
    openDatabase(new Secret(`postgres://u:p@127.0.0.1:${address.port}/d?sslmode=disable`), { poolMax: 1 }),
    (error) => isSafekeepError(error, 'database-version') && error.message.includes('14.12'),
  );
});
