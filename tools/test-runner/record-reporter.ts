import { writeSync } from 'node:fs';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';
import { RECORD_FD, type TestRecord } from './test-record.ts';

/**
 * The reporter inside each test process: turns the events of node:test into `TestRecord`s for the runner.
 *
 * node:test wants the reporter as the module's default export; it is the only default export of the repository.
 */
export default async function recordReporter(events: AsyncIterable<TestEvent>): Promise<void> {
  const titles: string[] = [];
  for await (const event of events) {
    for (const record of recordsOf(event, titles)) writeSync(RECORD_FD, `${JSON.stringify(record)}\n`);
  }
}

function recordsOf(event: TestEvent, titles: string[]): TestRecord[] {
  switch (event.type) {
    case 'test:dequeue':
      return [{ kind: 'begun' }];
    case 'test:complete':
      return [{ kind: 'done' }];
    case 'test:start':
      titles.length = event.data.nesting;
      titles.push(event.data.name);
      return [];
    case 'test:pass':
      return passed(event.data, titles.slice(0, event.data.nesting));
    case 'test:fail':
      return failed(event.data, titles.slice(0, event.data.nesting));
    case 'test:diagnostic':
      return strayIn(event.data.message);
    case 'test:summary':
      return [{ kind: 'finished' }];
    default:
      return [];
  }
}

type Passed = Extract<TestEvent, { type: 'test:pass' }>['data'];
type Failed = Extract<TestEvent, { type: 'test:fail' }>['data'];

function passed(test: Passed, parents: readonly string[]): TestRecord[] {
  if (test.details.type === 'suite') return [];
  const path = [...parents, test.name];
  if (test.todo !== undefined && test.todo !== false) {
    return [{ kind: 'result', path, outcome: 'failed', detail: 'A test may not be left as TODO: write it or remove it.' }];
  }
  if (test.skip === undefined || test.skip === false) return [{ kind: 'result', path, outcome: 'passed', detail: '' }];
  if (typeof test.skip === 'string' && test.skip.trim() !== '') {
    return [{ kind: 'result', path, outcome: 'skipped', detail: test.skip }];
  }
  return [{ kind: 'result', path, outcome: 'failed', detail: 'Skipped without a reason. Say why: { skip: "…" } or t.skip("…").' }];
}

function failed(test: Failed, parents: readonly string[]): TestRecord[] {
  const { error, type } = test.details;
  // A suite that failed only because a test in it failed would be the same failure told twice.
  if (type === 'suite' && failureTypeOf(error) === 'subtestsFailed') return [];
  return [{ kind: 'result', path: [...parents, test.name], outcome: 'failed', detail: describe(error) }];
}

/** `ERR_TEST_FAILURE` wraps what the test threw; the wrapper's own stack leads only into node:test. */
function describe(error: Error): string {
  const thrown = error.cause;
  if (thrown === undefined || typeof thrown === 'string') return error.message;
  return inspect(thrown, { depth: 8, colors: false });
}

function failureTypeOf(error: Error): unknown {
  return 'failureType' in error ? error.failureType : undefined;
}

/** node:test reports errors that reach no running test as plain diagnostics, between its closing counts. */
function strayIn(message: string): TestRecord[] {
  return /^(Error|Warning): .* generated asynchronous activity/.test(message) ? [{ kind: 'stray', text: message }] : [];
}
