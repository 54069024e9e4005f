import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const PACKAGES = join(import.meta.dirname, '..');
const MODULES = join(PACKAGES, '..', 'node_modules');

/** What an application gets when it imports a file: our sources behind it, and the packages of others that they import. */
function behind(entry: string): { readonly files: readonly string[]; readonly others: ReadonlySet<string> } {
  const files = new Set<string>();
  const others = new Set<string>();
  const left = [entry];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    for (const name of importsOf(readFileSync(file, 'utf8'))) {
      if (name.startsWith('.')) left.push(join(dirname(file), name));
      else if (name.startsWith('@safekeep/')) left.push(join(PACKAGES, name.slice('@safekeep/'.length), 'index.ts'));
      else if (!name.startsWith('node:')) others.add(name.split('/')[0] ?? name);
    }
  }
  return { files: [...files], others };
}

/** Types are gone when it runs. */
function importsOf(text: string): readonly string[] {
  return [...text.matchAll(/^(?:import|export)(?!\s+type)[^'"]*?from\s+'([^']+)'/gms)].map(([, name]) => name ?? '');
}

/** Packages with all that they depend on, as npm installs them. */
function installed(names: Iterable<string>): ReadonlySet<string> {
  const all = new Set<string>();
  const left = [...names];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (all.has(name)) continue;
    all.add(name);
    // A manifest of npm's: the one part that is read is checked by what is made of it.
    const { dependencies = {} } = JSON.parse(readFileSync(join(MODULES, name, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>;
    };
    left.push(...Object.keys(dependencies));
  }
  return all;
}

function bytesOf(path: string): number {
  if (!existsSync(path)) return 0;
  if (!statSync(path).isDirectory()) return statSync(path).size;
  return readdirSync(path)
    .filter((name) => name !== 'node_modules')
    .reduce((sum, name) => sum + bytesOf(join(path, name)), 0);
}

const KILOBYTE = 1_000;

const ENTRIES = [
  { entry: 'index.ts', others: ['canonicalize', 'pg'], ourKilobytes: 200, otherKilobytes: 480 },
  {
    entry: 'kysely/index.ts',
    others: ['canonicalize', 'kysely', 'pg'],
    ourKilobytes: 235,
    otherKilobytes: 2_260,
  },
] as const;

for (const { entry, others, ourKilobytes, otherKilobytes } of ENTRIES)
  test(`${entry} brings ${others.join(', ')} and nothing else, and stays small`, () => {
    const found = behind(join(import.meta.dirname, entry));
    assert.deepEqual([...found.others].toSorted(), others);
    const ours = found.files.reduce((sum, file) => sum + statSync(file).size, 0);
    assert.ok(ours <= ourKilobytes * KILOBYTE, `${ours} bytes of ours in ${found.files.length} files`);
    const all = installed(found.others);
    const theirs = [...all].reduce((sum, name) => sum + bytesOf(join(MODULES, name)), 0);
    assert.ok(theirs <= otherKilobytes * KILOBYTE, `${theirs} bytes of ${[...all].toSorted().join(', ')}`);
    for (const name of all)
      assert.ok(!existsSync(join(MODULES, name, 'binding.gyp')), `${name} is built on the machine that it is installed on`);
  });

test('no other capability of Safekeep comes with the SDK', () => {
  const { files } = behind(join(import.meta.dirname, 'kysely', 'index.ts'));
  for (const file of files) assert.match(file.slice(PACKAGES.length), /^\/(core|crypto|sdk)\//);
});

test('every refusal that comes with the SDK has its text with it', () => {
  const raised = ENTRIES.flatMap(({ entry }) => behind(join(import.meta.dirname, entry)).files).flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/new SafekeepError\(\s*'([a-z-]+)'/g)].map(([, code]) => code ?? ''),
  );
  assert.ok(raised.length > 20);
  const known = readFileSync(join(PACKAGES, 'core', 'errors', 'value-refusals.ts'), 'utf8');
  assert.deepEqual(
    [...new Set(raised)].filter((code) => !known.includes(`  '${code}': {`)),
    [],
  );
});
