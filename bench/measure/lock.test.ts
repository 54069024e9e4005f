import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { takeLock } from './lock.ts';

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

/** A port that was free a moment ago. */
async function freePort(t: TestContext): Promise<number> {
  const server = createServer();
  const port = await listen(t, server);
  server.close();
  await once(server, 'close');
  return port;
}

test('a second bench is refused while one holds the lock, and told which; afterwards it may run', async (t) => {
  const port = await freePort(t);
  const lock = await takeLock(port, 'catalog');
  await assert.rejects(
    takeLock(port, 'jobs'),
    (error) => isSafekeepError(error, 'bench-running') && error.message.includes(`safekeep bench: catalog, process ${process.pid}`),
  );
  await lock.release();
  await (await takeLock(port, 'jobs')).release();
});

test('another program on the port is named as that', async (t) => {
  const port = await listen(
    t,
    createServer((socket) => socket.end('HTTP/1.1 400\r\n')),
  );
  await assert.rejects(
    takeLock(port, 'catalog'),
    (error) => isSafekeepError(error, 'bench-running') && error.message.includes(`another program on port ${port}`),
  );
});

test('a program that says nothing, or hangs up, is not waited for', async (t) => {
  const sockets = new Set<Socket>();
  const silent = await listen(
    t,
    createServer((socket) => void sockets.add(socket)),
  );
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  const closing = await listen(
    t,
    createServer((socket) => socket.end()),
  );
  for (const port of [silent, closing])
    await assert.rejects(
      takeLock(port, 'catalog'),
      (error) => isSafekeepError(error, 'bench-running') && error.message.includes(`another program on port ${port}`),
    );
});
