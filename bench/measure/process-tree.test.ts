import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { parentOf, TreeMeter } from './process-tree.ts';

const options = { skip: existsSync('/proc/self/stat') ? false : 'skipped: no /proc on this system' };
const HELD_BYTES = 200_000_000;

/** A Node that runs `script` and then says so; it lives until the test ends, or until its input ends. */
async function startNode(t: TestContext, script: string): Promise<ChildProcess> {
  const code = `${script}; process.stdout.write('ready'); process.stdin.resume();`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

const hold = `globalThis.held = new Uint8Array(${HELD_BYTES}).fill(1)`;
const BURNT_SECONDS = 0.15;
const burn = `const used = () => Object.values(process.cpuUsage()).reduce((a, b) => a + b);
  for (const end = used() + ${BURNT_SECONDS * 1e6}; used() < end; ) for (let i = 0; i < 1e5; i += 1) Math.sqrt(i);`;
// Linux counts in steps of 10 ms, at the beginning and at the end.
const SEEN_SECONDS = BURNT_SECONDS - 0.02;

function idOf(child: ChildProcess): number {
  assert.ok(child.pid !== undefined);
  return child.pid;
}

test('memory that a child of a child holds is seen, unless it is excluded', options, async (t) => {
  const start = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(`${hold}; process.stdout.write('held'); setInterval(() => {}, 1e6)`)}],
    { stdio: ['ignore', 'pipe', 'inherit'] })`;
  const child = spawn(
    process.execPath,
    [
      '-e',
      `const inner = ${start}; inner.stdout.once('data', () => process.stdout.write(String(inner.pid))); process.stdin.on('end', () => { inner.kill(); process.exit(); }).resume()`,
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  t.after(async () => {
    child.stdin.end();
    await once(child, 'exit');
  });
  const inner = Number(String(await once(child.stdout, 'data')));
  assert.equal(parentOf(inner), idOf(child));

  const usage = new TreeMeter([idOf(child)], []).finish();
  assert.ok(usage.peakRssBytes > HELD_BYTES, `${usage.peakRssBytes} B of ${HELD_BYTES} B seen`);
  assert.ok(
    usage.peakPssBytes === undefined || (usage.peakPssBytes > HELD_BYTES && usage.peakPssBytes <= usage.peakRssBytes * 1.01),
  );
  assert.deepEqual(usage.alive, [idOf(child)]);
  assert.ok(new TreeMeter([idOf(child)], [inner]).finish().peakRssBytes < HELD_BYTES);
});

test('CPU time is counted from the start of the meter, of children that have ended too', options, async () => {
  const meter = new TreeMeter([process.pid], []);
  const child = spawn(process.execPath, ['-e', burn], { stdio: 'ignore' });
  await once(child, 'exit');
  const { cpuSeconds } = meter.finish();
  assert.ok(cpuSeconds >= SEEN_SECONDS, `${cpuSeconds} s`);
  assert.ok(new TreeMeter([process.pid], []).finish().cpuSeconds < SEEN_SECONDS);
});

test(
  'what a process used before it was watched does not count, what it used since its birth in the run does',
  options,
  async (t) => {
    const before = await startNode(t, burn);
    const meter = new TreeMeter([process.pid], [idOf(before)]);
    meter.watch(idOf(before));
    assert.ok(meter.finish().cpuSeconds < SEEN_SECONDS);

    const alone = new TreeMeter([], []);
    const born = await startNode(t, burn);
    alone.watch(idOf(born));
    assert.ok(alone.finish().cpuSeconds >= SEEN_SECONDS);
  },
);

test('a watched process that ends before the meter does still counts', options, async (t) => {
  const meter = new TreeMeter([], []);
  const child = await startNode(t, burn);
  meter.watch(idOf(child));
  meter.sample({ pss: false });
  child.stdin?.end();
  await once(child, 'exit');
  const usage = meter.finish();
  assert.ok(usage.cpuSeconds >= SEEN_SECONDS);
  assert.deepEqual(usage.alive, []);
});

test('a root that does not exist uses nothing', options, () => {
  // Above the largest process id that Linux gives (4,194,304).
  const usage = new TreeMeter([5_000_000], []).finish();
  assert.deepEqual({ cpu: usage.cpuSeconds, rss: usage.peakRssBytes, alive: usage.alive }, { cpu: 0, rss: 0, alive: [] });
  assert.equal(parentOf(5_000_000), undefined);
});
