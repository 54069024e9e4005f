import assert from 'node:assert/strict';
import { format, inspect } from 'node:util';
import { test } from 'node:test';
import { Secret } from './secret.ts';

test('a secret shows itself on no road but reveal()', () => {
  const secret = new Secret('canary');
  const shown = [
    String(secret),
    JSON.stringify({ secret }),
    inspect(secret, { depth: 9, showHidden: true }),
    inspect({ deep: [{ secret }] }, { depth: 9 }),
    format('%s %o %j', secret, secret, secret),
    Object.values(secret).join(),
    'failed with '.concat(String(secret)),
  ];
  for (const text of shown) assert.ok(!text.includes('canary'), text);
  assert.equal(secret.reveal(), 'canary');
});

test('a copy of a secret holds nothing', () => {
  assert.deepEqual(structuredClone({ secret: new Secret('canary') }), { secret: {} });
  assert.deepEqual({ ...new Secret('canary') }, {});
});
