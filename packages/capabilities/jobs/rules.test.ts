import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Type } from '@safekeep/core/schema';
import { isSafekeepError, SafekeepError, newId } from '@safekeep/core';
import { job, jobStates, LONGEST_BACKOFF_MS, type JobRow } from './model.ts';
import {
  afterFailure,
  etaSeconds,
  failureOf,
  isSamePayload,
  nextRate,
  readPayload,
  retryDelayMs,
  validPayload,
  viewOf,
} from './rules.ts';

const policy = fc
  .tuple(fc.nat(20), fc.integer({ min: 0, max: 60_000 }), fc.integer({ min: 0, max: LONGEST_BACKOFF_MS }))
  .map(([limit, firstMs, more]) => ({ limit, backoff: { firstMs, maxMs: Math.min(LONGEST_BACKOFF_MS, firstMs + more) } }));
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const tries = fc.integer({ min: 1, max: 10_000 });

test('a pause before a retry is never above the cap, never below half of what it doubles to, and never falls as tries go up', () => {
  fc.assert(
    fc.property(policy, tries, chance, (retry, count, random) => {
      const delay = retryDelayMs(count, retry, random);
      assert.ok(Number.isSafeInteger(delay) && delay >= 0 && delay <= retry.backoff.maxMs);
      const full = Math.min(retry.backoff.maxMs, retry.backoff.firstMs * 2 ** Math.min(count - 1, 30));
      assert.ok(delay >= Math.floor(full / 2));
      assert.ok(retryDelayMs(count + 1, retry, random) >= delay);
    }),
  );
});

test('a job has one start and as many retries as its limit says, then it is dead', () => {
  fc.assert(
    fc.property(policy, ({ limit, ...rest }) => {
      const states = Array.from({ length: limit + 1 }, (_, index) => afterFailure(index + 1, { limit, ...rest }));
      assert.deepEqual(states, [...Array.from({ length: limit }, () => 'failed'), 'dead']);
    }),
  );
});

test('a steady speed is shown as it is, a standstill fades away, and no rate is ever negative', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 100, max: 5_000 }), (perSecond, lookMs) => {
      let rate: number | undefined;
      let at = { done: 0, atMs: 0 };
      for (let look = 0; look < 50; look += 1) {
        const next = { done: at.done + (perSecond * lookMs) / 1_000, atMs: at.atMs + lookMs };
        rate = nextRate(rate, at, next);
        at = next;
      }
      assert.ok(rate !== undefined && Math.abs(rate - perSecond) < perSecond / 1e6 + 1e-6);
      for (let second = 0; second < 200; second += 1)
        rate = nextRate(rate, { done: at.done, atMs: 0 }, { done: at.done, atMs: 1_000 });
      assert.ok(rate !== undefined && rate < perSecond / 1_000);
    }),
  );
  assert.equal(nextRate(7, { done: 9, atMs: 5 }, { done: 10, atMs: 5 }), 7, 'no time has passed');
  assert.ok((nextRate(undefined, { done: 9, atMs: 0 }, { done: 1, atMs: 1_000 }) ?? -1) >= 0, 'counted anew');
});

test('the time left is whole, not negative, enough at the present rate, and unknown rather than invented', () => {
  const count = fc.integer({ min: 0, max: 1e9 });
  fc.assert(
    fc.property(count, count, fc.double({ min: 1e-3, max: 1e6, noNaN: true }), (done, total, rate) => {
      const eta = etaSeconds({ done, total, rate });
      assert.ok(eta !== undefined && Number.isSafeInteger(eta) && eta >= 0);
      assert.ok(done + eta * rate >= total - 1e-3 || done >= total);
    }),
  );
  assert.equal(etaSeconds({ done: 1, total: null, rate: 1 }), undefined);
  assert.equal(etaSeconds({ done: 1, total: 2, rate: null }), undefined);
  assert.equal(etaSeconds({ done: 1, total: 2, rate: 0 }), undefined);
  assert.equal(etaSeconds({ done: 0, total: 9e15, rate: 1e-300 }), undefined);
  assert.equal(etaSeconds({ done: 3, total: 2, rate: null }), 0);
});

test('every row is shown in its own state, with the fields that scripts rely on and no null where a field may be left out', () => {
  const moment = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true });
  const row = fc.record<JobRow>({
    job_id: fc.constant(newId<'job'>()),
    tenant_id: fc.constant('default'),
    kind: fc.constant('import'),
    state: fc.constantFrom(...jobStates),
    attempt: fc.nat(),
    progress_done: fc.option(fc.nat()),
    progress_total: fc.option(fc.nat()),
    progress_rate: fc.option(fc.double({ min: 0, max: 1e9, noNaN: true })),
    created_at: moment,
    started_at: fc.option(moment),
    finished_at: fc.option(moment),
    error_code: fc.option(fc.constant('disk-full')),
    error_message: fc.option(fc.constant('full')),
  });
  fc.assert(
    fc.property(row, (given) => {
      const view = viewOf(given);
      assert.equal(view.state, given.state);
      assert.equal(view.progress.total, given.progress_total);
      assert.equal(view.error === undefined, given.error_code === null);
      assert.equal('checkpoint' in view, false);
      assert.equal(given.state !== 'running' && view.progress.etaSeconds !== undefined, false);
      assert.equal(new Date(view.createdAt).getTime(), given.created_at.getTime());
    }),
  );
});

test('of an error that is not a refusal of ours, its class and its code are kept and never its message', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 12 }), (text) => {
      const { code, message } = failureOf(Object.assign(new RangeError(text), { code: `2350${text}` }));
      assert.equal(code, 'internal');
      assert.match(message, /RangeError 2350/);
    }),
  );
  assert.equal(failureOf(new TypeError('Jane Doe')).message.includes('Jane'), false);
  assert.equal(failureOf('Jane Doe').message.includes('Jane'), false);
  assert.deepEqual(failureOf(new SafekeepError('declined', { action: 'a plan' })).code, 'declined');
});

const kind = job({
  kind: 'aged',
  payload: Type.Object({ people: Type.Array(Type.Object({ name: Type.String() })) }),
  version: 3,
  upgrade: (payload, version) => (version === 2 ? { people: [payload] } : 'nonsense'),
  retry: { limit: 0, backoff: { firstMs: 0, maxMs: 0 } },
  timeoutMs: 1,
  concurrency: { perWorker: 1 },
  run: async () => undefined,
});

test('a payload is upgraded to the present version and validated; a refusal names places of the schema, never a value', () => {
  assert.deepEqual(readPayload(kind, { name: 'Jane' }, 2), { people: [{ name: 'Jane' }] });
  assert.throws(
    () => readPayload(kind, {}, 1),
    (error) => isSafekeepError(error, 'job-payload-invalid'),
  );
  assert.throws(
    () => validPayload(kind, { people: [{ name: 'Jane' }, { name: 4711 }] }),
    (error) => isSafekeepError(error, 'job-payload-invalid') && !/Jane|4711/.test(error.message) && /people/.test(error.message),
  );
});

test('a job under the same key is the same if its payload is, also when that was stored in an older form', () => {
  const asked = { people: [{ name: 'Jane' }] };
  assert.equal(isSamePayload(kind, asked, { payload: { people: [{ name: 'Jane' }] }, version: 3 }), true);
  assert.equal(isSamePayload(kind, asked, { payload: { name: 'Jane' }, version: 2 }), true);
  assert.equal(isSamePayload(kind, asked, { payload: { name: 'Joan' }, version: 2 }), false);
  assert.equal(isSamePayload(kind, asked, { payload: {}, version: 1 }), false);
});

test('a kind that makes no sense is a bug and is not made', () => {
  const rest = { payload: Type.Object({}), retry: kind.retry, run: async () => undefined };
  const sound = { kind: 'sound', version: 1, timeoutMs: 1, concurrency: { perWorker: 1 }, ...rest };
  assert.equal(job(sound).kind, 'sound');
  const retry = { limit: -1, backoff: { firstMs: 0, maxMs: 0 } };
  for (const change of [{ kind: 'Not Kebab' }, { version: 0 }, { timeoutMs: 0 }, { concurrency: { perWorker: 0 } }, { retry }]) {
    assert.throws(() => job({ ...sound, ...change }), /not well defined/);
  }
});
