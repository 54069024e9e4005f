import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

// What a guide says to write in TypeScript compiles, under strict settings.

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..');
const GUIDES = join(ROOT, 'docs', 'guides');

/** As `safekeep map types` writes it for the column that the guides speak of. */
const DECLARED = `export type EncryptedColumns = {
  "public.customer.email": { value: string | null; search: "exact" | "last4"; mode: "client" };
};
`;

const OPTIONS =
  '--noEmit --strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess --allowImportingTsExtensions --module nodenext --target esnext --skipLibCheck --types node';

/** The fences of a page as one module: each within the scope of those before it, so that it may name things anew. */
function moduleOf(markdown: string): string | undefined {
  const fences = [...markdown.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((fence) => fence[1] ?? '');
  if (fences.length === 0) return undefined;
  const given = [...markdown.matchAll(/^<!-- given: (.*) -->$/gm)].map((comment) => comment[1] ?? '');
  const lines = [...given.flatMap((each) => each.split(/(?<=;) /)), ...fences.flatMap((fence) => ['{', ...fence.split('\n')])];
  const isImport = (line: string): boolean => line.startsWith('import ');
  const imports = new Set(lines.filter(isImport));
  const body = lines
    .filter((line) => !isImport(line))
    .flatMap((line) => (line.includes('// does not compile') ? ['// @ts-expect-error', line] : [line]));
  return [...imports, ...body, ...fences.map(() => '}'), 'export {};'].join('\n');
}

async function compile(folder: string, file: string): Promise<string> {
  const compiler = join(ROOT, 'node_modules', '.bin', 'tsc');
  return run(compiler, [...OPTIONS.split(' '), join(folder, file)], { cwd: folder }).then(
    () => '',
    (error: unknown) => (error instanceof Error && 'stdout' in error ? String(error.stdout) : assert.fail(String(error))),
  );
}

test('what the guides say to write in TypeScript compiles, and what they say does not, does not', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'safekeep-guides-'));
  t.after(() => rm(folder, { recursive: true }));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'safekeep-fields.d.ts'), DECLARED);
  const names = (await readdir(GUIDES)).filter((name) => name.endsWith('.md'));
  const written: string[] = [];
  for (const name of names) {
    const text = moduleOf(await readFile(join(GUIDES, name), 'utf8'));
    if (text === undefined) continue;
    const file = name.replace(/\.md$/, '.ts');
    await writeFile(join(folder, file), text);
    written.push(file);
  }
  assert.ok(written.includes('use-the-sdk.ts'));
  await writeFile(join(folder, 'all.ts'), written.map((file) => `import './${file}';`).join('\n'));
  assert.equal(await compile(folder, 'all.ts'), '');
});
