import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { catalogue, type ErrorCode } from './catalogue.ts';
import { isSafekeepError, SafekeepError, sqlStateOf } from './error.ts';

const entries = Object.entries(catalogue);

test('every entry says what happened, what to do, and ends with a code that a script can rely on', () => {
  for (const [code, { status, exit, text, remedy }] of entries) {
    assert.match(code, /^[a-z]+(-[a-z]+)*$/);
    assert.ok([1, 2, 3, 130].includes(exit), code);
    assert.ok(status >= 400 && status <= 599, code);
    assert.ok(text.length > 0 && /[.!)}:]$/.test(text.trim()), `${code}: ${text}`);
    assert.match(remedy, /\.$|;$|\}$/, `${code}: ${remedy}`);
  }
});

test('blanks are filled with the value as it is, whatever stands in it', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(), (path, mode) => {
      const error = new SafekeepError('key-file-unsafe', { path, mode });
      assert.ok(error.message.startsWith(`The key file ${path} can be read`));
      assert.ok(error.message.includes(`(mode ${mode})`));
    }),
  );
});

test('a report holds code, message and remedy and nothing of the cause', () => {
  const error = new SafekeepError('job-unknown', { job: '7300' }, { cause: new Error('planted secret') });
  assert.deepEqual(error.report(), { code: 'job-unknown', message: error.message, remedy: catalogue['job-unknown'].remedy });
  assert.ok(!JSON.stringify(error.report()).includes('planted secret'));
});

test('an error is recognised by its code and nothing else is taken for one', () => {
  const error: unknown = new SafekeepError('database-read-only');
  assert.ok(isSafekeepError(error));
  assert.ok(isSafekeepError(error, 'database-read-only'));
  assert.ok(!isSafekeepError(error, 'job-unknown' satisfies ErrorCode));
  assert.ok(!isSafekeepError(Object.assign(new Error('x'), { code: 'job-unknown' })));
});

test('a SQLSTATE is told from a code of the system that has as many letters', () => {
  assert.equal(sqlStateOf(Object.assign(new Error('x'), { code: '40P01' })), '40P01');
  assert.equal(sqlStateOf(Object.assign(new Error('x'), { code: 'EPIPE', syscall: 'write' })), undefined);
  assert.equal(sqlStateOf(new Error('x')), undefined);
});
