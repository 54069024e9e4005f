import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFixture } from '../fixture.ts';
import { readRepository } from './repository.ts';

test('text of ours is read, with paths from the root; what was installed, built or kept for a person is not', () => {
  using fixture = createFixture({
    'packages/core/ids.ts': 'text',
    '.ci/run': '#!/bin/sh',
    'LICENSE': '',
    'packages/core/node_modules/x/index.ts': '',
    'packages/core/dist/ids.ts': '',
    '.safekeep/notes.md': '',
    '.git/config.json': '',
    'picture.png': '',
  });
  const files = readRepository(fixture.root);
  assert.deepEqual(files.map(({ path }) => path).sort(), ['.ci/run', 'LICENSE', 'packages/core/ids.ts']);
  assert.equal(files.find(({ path }) => path === 'packages/core/ids.ts')?.text, 'text');
});
