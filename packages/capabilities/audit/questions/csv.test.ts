import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { csvLine } from './csv.ts';

/** The only cell of a line of RFC 4180, read back. */
function parse(line: string): string {
  const cell = line.slice(0, -2);
  return cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell;
}

test('no cell that a person wrote begins a formula', () => {
  for (const attack of ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', ' =HYPERLINK("http://x")', '\n=1', '＝1']) {
    assert.match(csvLine([attack]), /^"?'/, JSON.stringify(attack));
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      const cell = parse(csvLine([text]));
      assert.doesNotMatch(cell, /^\s*[=+\-@]/);
      assert.ok(cell === text || cell === `'${text}`);
    }),
  );
});

test('quotes, commas and line breaks stay within their cell; nothing, numbers and truth are written plainly', () => {
  assert.equal(csvLine(['a"b', 'c,d', 'e\nf', null, -3, true, '']), '"a""b","c,d","e\nf",,-3,true,\r\n');
});
