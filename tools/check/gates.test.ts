import assert from 'node:assert/strict';
import { cpSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createFixture, type Fixture } from '../fixture.ts';
import { gates, runGate, type Gate, type Verdict } from './gates.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const SETTINGS = ['tsconfig.json', '.oxlintrc.json', '.oxfmtrc.json', 'knip.jsonc', '.gitignore'];

/** A small repository under our settings in which every check is content. */
const GOOD = {
  'package.json': json({ name: 'workspace', private: true, type: 'module', workspaces: ['packages/*'] }),
  'packages/core/package.json': json({ name: '@safekeep/core', type: 'module', exports: './index.ts' }),
  'packages/core/index.ts': "export { half } from './half.ts';\n",
  'packages/core/half.ts': '/** Half of `value`. */\nexport function half(value: number): number {\n  return value / 2;\n}\n',
  'packages/core/half.test.ts':
    "import assert from 'node:assert/strict';\nimport { test } from 'node:test';\nimport { half } from './half.ts';\n\ntest('half of two is one', () => {\n  assert.equal(half(2), 1);\n});\n",
};

function json(content: object): string {
  return `${JSON.stringify(content, null, 2)}\n`;
}

function repository(added: Readonly<Record<string, string>> = {}): Fixture {
  const fixture = createFixture({ ...GOOD, ...added });
  for (const file of SETTINGS) cpSync(path.join(ROOT, file), path.join(fixture.root, file));
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(fixture.root, 'node_modules'));
  return fixture;
}

async function run(name: string, added?: Readonly<Record<string, string>>): Promise<Verdict> {
  using fixture = repository(added);
  return await runGate(gateNamed(name), fixture.root);
}

function gateNamed(name: string): Gate {
  const gate = gates.find((candidate) => candidate.name === name);
  assert.ok(gate !== undefined, name);
  return gate;
}

/** One file for each violation, checked together; each must be told by the name of its rule. */
async function assertFinds(name: string, planted: Readonly<Record<string, string>>): Promise<void> {
  const entries = Object.entries(planted);
  const files = entries.map(([, source], index) => [`packages/core/planted-${index}.ts`, `${source}\n`]);
  const { ok, output } = await run(name, Object.fromEntries(files));
  assert.equal(ok, false);
  for (const [told] of entries) assert.ok(output.includes(told), `${told} is not told:\n${output}`);
}

for (const name of ['types', 'lint', 'format', 'unused']) {
  test(`${name} is content with a good repository`, async () => {
    const { ok, output } = await run(name);
    assert.ok(ok, output);
  });
}

test('types finds what each of the strict flags forbids', () =>
  assertFinds('types', {
    TS7006: 'export const f = (x) => 1;', // strict
    TS2532: 'export const f = (list: string[]): string => list[0].trim();', // noUncheckedIndexedAccess
    TS2375: 'export const x: { a?: string } = { a: undefined };', // exactOptionalPropertyTypes
    TS4114: 'class A { f(): void {} }\nexport class B extends A { f(): void {} }', // noImplicitOverride
    TS7030: 'export function f(x: boolean) { if (x) return 1; }', // noImplicitReturns
    TS7029: 'export function f(x: number): void { switch (x) { case 1: f(0); case 2: f(1); } }', // noFallthroughCasesInSwitch
    TS4111: 'export const f = (x: Record<string, string>): string | undefined => x.key;', // noPropertyAccessFromIndexSignature
    TS6133: 'export function f(): void { const unused = 1; }', // noUnusedLocals
    TS1294: 'export enum E { A }', // erasableSyntaxOnly
    TS1484: "import { PathLike } from 'node:fs';\nexport type P = PathLike;", // verbatimModuleSyntax
  }));

test('lint finds what STYLE.md forbids, with the help of types', () =>
  assertFinds('lint', {
    'no-explicit-any': 'export const f = (x: any): unknown => x;',
    'no-non-null-assertion': 'export const f = (x?: string): string => x!;',
    'no-default-export': 'export default 1;',
    'no-floating-promises': 'export function f(): void { Promise.resolve(1); }',
    'no-misused-promises': 'export function f(): number { if (Promise.resolve(true)) return 1; return 2; }',
    'await-thenable': 'export async function f(): Promise<number> { return await 1; }',
    'only-throw-error': "export function f(): void { throw 'text'; }",
    'switch-exhaustiveness-check': "export function f(x: 'a' | 'b'): void { switch (x) { case 'a': break; } }",
    'no-unsafe-assignment': 'export const f = (): unknown => { const x = JSON.parse("1"); return x; };',
    'ban-ts-comment': '// @ts-ignore\nexport const x = 1;',
    'consistent-type-imports': "import { PathLike } from 'node:fs';\nexport type P = PathLike;",
    'prefer-node-protocol': "import { join } from 'path';\nexport const x = join('a');",
    'no-unused-vars': 'export function f(x: number): void {}',
    'eqeqeq': 'export const f = (x: number): boolean => x == 1;',
    'no-empty': 'export function f(): void { try { f(); } catch {} }',
    'Unused oxlint-disable directive': '// oxlint-disable-next-line no-var\nexport const x = 1;',
  }));

test('format finds a file that is not formatted', async () => {
  const { ok, output } = await run('format', { 'packages/core/half.ts': 'export const half = (x:number)=>x/2\n' });
  assert.equal(ok, false);
  assert.match(output, /packages\/core\/half\.ts/);
});

test('unused finds files, exports and dependencies that nothing uses, and dependencies that are not declared', async () => {
  const { ok, output } = await run('unused', {
    'packages/core/package.json': json({
      name: '@safekeep/core',
      type: 'module',
      exports: './index.ts',
      dependencies: { yaml: '2.9.1' },
    }),
    'packages/core/forgotten.ts': 'export const forgotten = 1;\n',
    'packages/core/half.ts': `${GOOD['packages/core/half.ts']}export const neverUsed = 1;\n`,
    'packages/core/index.ts':
      "import { validate } from 'uuid';\nexport { half } from './half.ts';\nexport const isId = validate;\n",
  });
  assert.equal(ok, false);
  for (const told of [
    /Unused files[^]*forgotten\.ts/,
    /Unused exports[^]*neverUsed/,
    /Unused dependencies[^]*yaml/,
    /Unlisted dependencies[^]*uuid/,
  ]) {
    assert.match(output, told);
  }
});

test('tidy ends with a failure when a rule is broken', async () => {
  using fixture = repository({ 'packages/core/half.ts': "import 'node:fs';\n" });
  cpSync(path.join(ROOT, 'tools/tidy'), path.join(fixture.root, 'tools/tidy'), { recursive: true });
  const { ok, output } = await runGate(gateNamed('tidy'), fixture.root);
  assert.equal(ok, false);
  assert.match(output, /pure-floors:[^]*packages\/core\/half\.ts:1 core may not import node:fs/);
});

test('docs finds pages that say something else than the code', async () => {
  using fixture = repository({ 'docs/errors.md': 'old', 'docs/performance.md': '# Performance\n' });
  cpSync(path.join(ROOT, 'tools/docs.ts'), path.join(fixture.root, 'tools/docs.ts'));
  rmSync(path.join(fixture.root, 'packages'), { recursive: true });
  for (const folder of ['packages', 'bench']) symlinkSync(path.join(ROOT, folder), path.join(fixture.root, folder));
  const { ok, output } = await runGate(gateNamed('docs'), fixture.root);
  assert.equal(ok, false);
  assert.match(output, /out of date: .*docs\/errors\.md/);
});

test('a program that cannot be run is a failure, not a pass', async () => {
  const { ok, output } = await runGate({ name: 'x', command: 'no-such-program', args: [] }, ROOT);
  assert.equal(ok, false);
  assert.match(output, /no-such-program cannot be run/);
});
