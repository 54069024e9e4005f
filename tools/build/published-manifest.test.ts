import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publishedManifest } from './published-manifest.ts';

test('exports name what was built, and what was only for tests is left out', () => {
  const manifest = {
    name: '@safekeep/postgres',
    exports: { '.': './index.ts', './testing': './testing/index.ts', './*': './*/index.ts' },
    dependencies: { pg: '8.23.1' },
    devDependencies: { 'fast-check': '4.10.2' },
  };
  assert.deepEqual(
    publishedManifest(manifest, (file) => !file.startsWith('./testing')),
    {
      name: '@safekeep/postgres',
      exports: {
        '.': { types: './index.d.ts', default: './index.js' },
        './*': { types: './*/index.d.ts', default: './*/index.js' },
      },
      dependencies: { pg: '8.23.1' },
      engines: { node: '>=22.18' },
    },
  );
});

test('a package that is only a program needs no exports', () => {
  assert.deepEqual(
    publishedManifest({ name: 'safekeep', bin: { safekeep: './bin/safekeep.mjs' } }, () => true),
    {
      name: 'safekeep',
      bin: { safekeep: './bin/safekeep.mjs' },
      engines: { node: '>=22.18' },
    },
  );
});
