import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemClock } from '@safekeep/core';
import type { BenchResult } from './result.ts';
import { run, type Surroundings } from './run.ts';

// Benches as a contributor would write them, but for the import: a file outside the repository needs none.
const bench = (contenders: string, limits = ''): string => `
  const contender = (name, kind, run, more = {}) => ({ name, kind, ...more, prepare: async (context) => ({ run: () => run(context) }) });
  export const bench = {
    question: 'A bench of a test?', unit: 'steps', sizes: { small: 1, medium: 10, large: 100 }, spreadLimit: 100,
    stage: async ({ size }) => ({ fixture: { held: size }, version: 'Stage 1', close: async () => {} }),
    contenders: [${contenders}], limits: [${limits}],
  };`;

const sound = bench(
  `contender('ours', 'ours', async ({ fixture }) => {
     const held = new Uint8Array(1e8).fill(1);
     await new Promise((resolve) => setTimeout(resolve, 1));
     return { units: fixture.held, extra: { p99Ms: held[0] * 4 } };
   }, { isolate: true, version: async () => 'ours 1.0' }),
   contender('rival', 'rival', async () => ({ units: 1 }), { available: async () => 'rival is not installed' })`,
  `{ contender: 'ours', measure: 'seconds', relation: 'at-most', bound: 60, source: 'a' },
   { contender: 'ours', measure: 'extra.p99Ms', relation: 'at-most', bound: 2, source: 'b' },
   { contender: 'ours', measure: 'seconds', relation: 'at-most', bound: 1, against: 'rival', source: 'c' }`,
).replace("relation: 'at-most', bound: 60", "relation: 'at-most', bound: 60, scales: ['small']");
const broken = bench(`contender('ours', 'ours', async () => { throw new Error('the index is gone'); }, { isolate: true })`);
const crashing = bench(`contender('ours', 'ours', async () => process.exit(7), { isolate: true })`);

async function surroundings(t: TestContext, benches: Readonly<Record<string, string>>) {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-bench-test-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(benches)) await writeFile(join(folder, `${name}.ts`), text);
  await writeFile(join(folder, 'README.md'), 'no bench');
  const page = join(folder, 'performance.md');
  await writeFile(page, '# Performance\n');
  const printed: string[] = [];
  const said: string[] = [];
  const world: Surroundings = {
    benches: folder,
    page,
    results: join(folder, 'results'),
    lockPort: await freePort(),
    clock: systemClock,
    signal: new AbortController().signal,
    print: (text) => void printed.push(text),
    say: (line) => void said.push(line),
  };
  return { world, printed, said, page };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

test('a bench runs through: figures of a process of its own, verdicts, the JSON file, the page and the summary', async (t) => {
  const { world, printed, page } = await surroundings(t, { sound });
  assert.equal(await run(['sound', '--runs', '5', '--scale', 'small'], world), 0);
  // Written by the code under test, which is what this checks.
  const result = JSON.parse(await readFile(join(world.results, 'sound.small.json'), 'utf8')) as BenchResult;
  const [ours, rival] = result.contenders;
  assert.equal(ours?.samples.seconds?.length, 5);
  assert.equal(ours.version, 'ours 1.0');
  if (process.platform === 'linux') assert.ok(Math.max(...(ours.samples.peakRssBytes ?? [])) > 1.5e8);
  assert.deepEqual(rival?.samples, {});
  assert.deepEqual(
    result.limits.map(({ state }) => state),
    ['met', 'missed', 'not-measured'],
  );
  const text = await readFile(page, 'utf8');
  assert.match(text, /^# Performance\n\n<!-- bench sound small: begin -->\n\n## sound \(small: 1 steps\)\n/);
  assert.match(text, /rival is not installed/);
  assert.match(text, /<!-- bench summary: begin -->[^]*Of 3 promises: 1 met, 1 not measured, 0 too wide to conclude, 1 missed\./);
  assert.match(text, /Stage 1/);
  const output = printed.join('\n');
  assert.match(output, /1 of 3 promises met\./);
  assert.match(output, /- sound \(small\): ours: p99Ms ≤ 2: \*\*missed\*\* by 100 %/);
  assert.match(output, /- sound \(small\): ours: time ≤ 1 x rival: not measured: rival is not installed/);
});

test('a quick look prints one JSON document and keeps nothing', async (t) => {
  const { world, printed, said, page } = await surroundings(t, { sound });
  assert.equal(await run(['sound', '--runs', '1', '--json'], world), 0);
  assert.equal(printed.length, 1);
  // The document that --json promises.
  const document = JSON.parse(printed[0] ?? '') as { readonly results: readonly BenchResult[]; readonly broken: readonly string[] };
  assert.deepEqual([document.results[0]?.size, document.broken], [10, []]);
  assert.ok(said.some((line) => line.includes('not kept: fewer than 5 runs')));
  assert.equal(await readFile(page, 'utf8'), '# Performance\n');
  assert.ok(!(await readdir(world.benches)).includes('results'));
});

test('a bench that fails or whose process dies exits 3 and names the cause, after the others have run', async (t) => {
  const { world, printed, said } = await surroundings(t, { broken, crashing, sound, empty: 'export const other = 1;' });
  assert.equal(await run(['--runs', '1'], world), 3);
  const output = printed.join('\n');
  assert.match(output, /## sound/);
  for (const name of ['broken', 'crashing', 'empty']) assert.match(output, new RegExp(`- ${name}: broken, no figures`));
  const log = said.join('\n');
  assert.match(log, /broken is broken: .*the index is gone/);
  assert.match(log, /crashing is broken: .*The process of "ours" ended unexpectedly \(exit 7\)/);
  assert.match(log, /empty is broken: .*exports no `bench`/);
});

test('a definition that would mislead is refused: memory of a shared process, a limit about nobody, two of one name', async (t) => {
  const contender = `contender('ours', 'ours', async () => ({ units: 1 }))`;
  const limit = (name: string, measure: string): string =>
    `{ contender: '${name}', measure: '${measure}', relation: 'at-most', bound: 1, source: 'a' }`;
  const misled = bench(`${contender}, ${contender}`, `${limit('ours', 'peakRssBytes')}, ${limit('nobody', 'seconds')}`);
  const { world, said } = await surroundings(t, { misled });
  assert.equal(await run(['misled'], world), 3);
  const log = said.join('\n');
  assert.match(log, /Two contenders are named "ours"/);
  assert.match(log, /memory of "ours" needs `isolate: true`/);
  assert.match(log, /"nobody", which is no contender/);
});

test('an interrupted bench exits 130 and keeps nothing of what it was at', async (t) => {
  const { world, said, page } = await surroundings(t, { sound });
  assert.equal(await run(['sound'], { ...world, signal: AbortSignal.abort() }), 130);
  assert.match(said.join('\n'), /Bench sound was interrupted/);
  assert.equal(await readFile(page, 'utf8'), '# Performance\n');
});

test('the benches of the repository are listed with their questions, and an unknown one is refused with their names', async () => {
  const main = join(import.meta.dirname, '../main.ts');
  const listed = await spawnNode([main, '--list']);
  assert.equal(listed.code, 0, listed.stderr);
  assert.match(listed.stdout, /^harness +Does the harness find/m);
  const unknown = await spawnNode([main, 'nothing']);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /There is no bench "nothing", but .*harness/);
});

function spawnNode(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }));
  });
}
