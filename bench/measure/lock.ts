import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { SafekeepError } from '@safekeep/core';

// Any fixed port would do. A listening socket is a lock for the whole machine and every user of it, and the kernel frees
// it however its holder dies: there is nothing stale to heal.
export const LOCK_PORT = 7399;
const GREETING = 'safekeep bench';
const GREETING_LIMIT_MS = 1000;

/** Held while measuring: two benches at once would measure each other. */
export type BenchLock = { readonly release: () => Promise<void> };

/** @throws `bench-running` with what its holder says of itself. */
export async function takeLock(port: number, doing: string): Promise<BenchLock> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(`${GREETING}: ${doing}, process ${process.pid}\n`);
  });
  server.listen({ port, host: '127.0.0.1', exclusive: true });
  try {
    await once(server, 'listening');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw new SafekeepError('bench-running', { holder: await holderOf(port) }, { cause: error });
    }
    throw error;
  }
  server.unref();
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

async function holderOf(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', timeout: GREETING_LIMIT_MS });
  // Closing raises no error: without the signal whoever waits for a word would wait for ever.
  const over = new AbortController();
  socket.on('timeout', () => socket.destroy()).on('close', () => over.abort());
  try {
    const text = String(await once(socket, 'data', { signal: over.signal })).trim();
    return text.startsWith(GREETING) ? text : `another program on port ${port}`;
  } catch {
    // It closed or never spoke: it is no bench of ours, or it ended this moment.
    return `another program on port ${port}`;
  } finally {
    socket.destroy();
  }
}
