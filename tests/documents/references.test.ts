import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { catalogue } from '@safekeep/core';

const ROOT = join(import.meta.dirname, '..', '..');
const documents = globSync(['*.md', 'docs/**/*.md', 'packages/**/README.md', 'examples/**/*.md', 'tests/**/*.md', 'bench/*.md'], {
  cwd: ROOT,
  exclude: (name) => name === 'node_modules',
}).map((name) => ({ name, text: readFileSync(join(ROOT, name), 'utf8') }));

/** Every hit of a pattern, with its document. */
function found(pattern: RegExp): readonly { readonly name: string; readonly hit: string }[] {
  return documents.flatMap(({ name, text }) => [...text.matchAll(pattern)].map(([whole, hit = whole]) => ({ name, hit })));
}

test('every link of the documents leads to a file', () => {
  const links = found(/\]\((?!https?:|mailto:|#)([^)\s]+)\)/g);
  const broken = links.filter(({ name, hit }) => !existsSync(join(ROOT, dirname(name), hit.replace(/#.*/, ''))));
  assert.deepEqual(broken, []);
  assert.ok(links.length > 100);
});

test('every test that a document calls as a witness is there', () => {
  const witnesses = found(/`((?:packages|tests|tools|bench|examples)\/[\w/.-]+\.test\.ts)`/g);
  assert.deepEqual(
    witnesses.filter(({ hit }) => !existsSync(join(ROOT, hit))),
    [],
  );
  assert.ok(witnesses.some(({ name }) => name.endsWith('security-model.md')));
});

test('every error that a document speaks of stands in the catalogue', () => {
  const codes = found(/errors\.md#([a-z-]+)/g);
  assert.deepEqual(
    codes.filter(({ hit }) => !Object.hasOwn(catalogue, hit)),
    [],
  );
  assert.ok(codes.filter(({ name }) => name.endsWith('troubleshooting.md')).length > 30);
});

test('every claim of the security model has its witness, or says that it is an assumption', () => {
  const model = documents.find(({ name }) => name.endsWith('guides/security-model.md'));
  const rows = (model?.text ?? '')
    .split('\n')
    .filter((line) => /^\| (?!who|promise|stolen|attack|-)/.test(line) && !line.startsWith('|--'));
  const bare = rows.filter(
    (row) => !/\.test\.ts`|assumption|your application's matter|says to part them/.test(row.split('|').at(-2) ?? ''),
  );
  assert.deepEqual(bare, []);
  assert.ok(rows.length > 30);
});

test('the reference of each command shows the fields of its JSON', () => {
  const shapes = found(/^JSON: `(.*)`$/gm).filter(({ name }) => name === 'docs/cli.md');
  assert.deepEqual(
    shapes.filter(({ hit }) => !/^[{[]/.test(hit)),
    [],
  );
  assert.ok(shapes.length > 50);
});
