import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NAME_BYTES_LIMIT, newColumnNamespace, newNamespace, shortenName, snakeCase } from './names.ts';

const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 120 });

test('a shortened name fits, is well-formed, and is the same every time', () => {
  fc.assert(
    fc.property(name, (long) => {
      const short = shortenName(long);
      assert(Buffer.byteLength(short) <= NAME_BYTES_LIMIT);
      assert.equal(short, shortenName(long));
      if (Buffer.byteLength(long) <= NAME_BYTES_LIMIT) assert.equal(short, long);
      if (long.isWellFormed()) assert(short.isWellFormed());
    }),
  );
});

test('names of one namespace never meet, whatever is claimed', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'a_2', 'x'.repeat(63), 'x'.repeat(64), `${'x'.repeat(63)}y`)), (wanted) => {
      const namespace = newNamespace();
      const claimed = wanted.map((each) => namespace.claim(each));
      assert.equal(new Set(claimed).size, claimed.length);
    }),
  );
});

test('the names of PostgreSQL’s own columns are taken', () => {
  assert.equal(newColumnNamespace().claim('ctid'), 'ctid_2');
});

test('snake case parts words at capitals, digits and everything that is no letter', () => {
  const cases = {
    'OrderID': 'order_id',
    'Order Details': 'order_details',
    'HTTPServer': 'http_server',
    'line2Total': 'line2_total',
    '__x--Y': 'x_y',
    'ÄndereMich': 'ändere_mich',
    '---': '',
  };
  for (const [source, target] of Object.entries(cases)) assert.equal(snakeCase(source), target);
});
