import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { withSection } from './page.ts';

const page = '# Performance\n\nWords of people.\n';

test('a first result is added at the end, a later one takes its place', () => {
  const first = withSection(page, 'catalog medium', 'one');
  assert.equal(first, `${page}\n<!-- bench catalog medium: begin -->\n\none\n\n<!-- bench catalog medium: end -->\n`);
  assert.equal(withSection(first, 'catalog medium', 'two'), first.replace('one', 'two'));
});

test('a section is written without touching what stands around it, whatever that is', () => {
  const words = fc.string().filter((text) => !text.includes('<!-- bench catalog medium'));
  fc.assert(
    fc.property(words, words, words, (before, after, body) => {
      const other = withSection(before, 'jobs small', '$& $1 a figure');
      const both = `${withSection(other, 'catalog medium', 'old')}${after}`;
      const [head, tail] = both.split('old');
      fc.pre(both.split('old').length === 2);
      assert.equal(withSection(both, 'catalog medium', body), `${head}${body}${tail}`);
    }),
  );
});

test('a section whose markers are damaged is not written, for guessing could eat the words of people', () => {
  const whole = withSection(page, 'catalog medium', 'one');
  for (const damaged of [
    whole.replace('<!-- bench catalog medium: begin -->', ''),
    whole.replace('<!-- bench catalog medium: end -->', ''),
    whole + whole,
    whole.replace('begin', 'x').replace('end -->', 'begin -->').replace('x -->', 'end -->'),
  ]) {
    assert.throws(() => withSection(damaged, 'catalog medium', 'two'), /once each. It was not changed/);
  }
});
