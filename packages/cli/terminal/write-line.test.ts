import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { writeLine } from './write-line.ts';

test('a line is not done before a slow reader has taken it', async () => {
  const out = new PassThrough({ highWaterMark: 4 });
  let done = false;
  const writing = writeLine(out, 'longer than four').then(() => (done = true));
  await new Promise(setImmediate);
  assert.equal(done, false);
  assert.equal(String(out.read()), 'longer than four\n');
  await writing;
  assert.deepEqual(out.listenerCount('error'), 0, 'nothing stays behind on the stream');
});

test('a reader that goes away ends the wait', async () => {
  const out = new PassThrough({ highWaterMark: 1 });
  const writing = writeLine(out, 'nobody reads this');
  out.destroy();
  await writing;
  await writeLine(new PassThrough({ highWaterMark: 1_000 }), 'there is room for this');
});
