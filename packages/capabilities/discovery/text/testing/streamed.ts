import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const BIN = join(import.meta.dirname, '../../../../cli/bin/safekeep.mjs');
const LINE =
  '{"text":"On Monday Anna Meyer paid order 4711 with card 4111 1111 1111 1111 and wrote to anna@example.org from Hamburg."}\n';
const CHUNK_LINES = 500;
/** More than the command gathers before it writes. */
const MOST_HELD_LINES = 1_000;

/** Pipes so many bytes of JSON lines through `safekeep detect`; gives the lines that came out and the most memory it took. */
export async function detectStreamed(bytes: number): Promise<{ readonly items: number; readonly rssBytes: number }> {
  const child = spawn(process.execPath, [BIN, 'detect', '--json', '--structured'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const chunk = Buffer.from(LINE.repeat(CHUNK_LINES));
  const chunks = Math.ceil(bytes / chunk.length);
  let items = 0;
  // Not ended before it has worked through all but what it holds back to write together: then its peak is that of the whole.
  const worked = Promise.withResolvers<void>();
  child.stdout.on('data', (part: Buffer) => {
    for (let at = part.indexOf(10); at >= 0; at = part.indexOf(10, at + 1)) items += 1;
    if (items >= chunks * CHUNK_LINES - MOST_HELD_LINES) worked.resolve();
  });
  const ended = new Promise<number | null>((done, failed) => {
    child.once('close', done);
    child.once('error', failed);
  });
  for (let sent = 0; sent < chunks; sent += 1) {
    if (!child.stdin.write(chunk)) await Promise.race([once(child.stdin, 'drain'), ended]);
  }
  await Promise.race([worked.promise, ended]);
  const rssBytes = await peakBytes(child.pid);
  child.stdin.end();
  const code = await ended;
  if (code !== 0) throw new Error(`detect ended with ${code}`);
  return { items, rssBytes };
}

/** The bin may start the program as a child of its own: the larger of both. */
async function peakBytes(pid: number | undefined): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const sizes = await Promise.all([String(pid), ...children.split(' ')].filter((each) => each.length > 0).map(peakOf));
  return Math.max(0, ...sizes);
}

/** What the kernel kept as the most that was resident (proc(5), VmHWM). */
async function peakOf(pid: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}
