import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testEnvironment } from './environment.ts';

test("a test process learns nothing of the person's database, home, npm or outer test run", () => {
  const machine = {
    SAFEKEEP_DATABASE_URL: 'postgres://real',
    SAFEKEEP_HOME: 'real',
    PGHOST: 'real',
    PGPASSWORD: 'real',
    npm_config_registry: 'real',
    NODE_TEST_CONTEXT: 'child-v8',
    FORCE_COLOR: '1',
  };
  assert.deepEqual(testEnvironment(machine, {}), { TZ: 'UTC', LC_ALL: 'C.UTF-8', NO_COLOR: '1' });
});

test('the rest of the environment and what the run adds reach the test process', () => {
  const environment = testEnvironment({ PATH: '/bin', HTTPS_PROXY: 'proxy' }, { SAFEKEEP_TEST_LONG: '1' });
  assert.equal(environment['PATH'], '/bin');
  assert.equal(environment['HTTPS_PROXY'], 'proxy');
  assert.equal(environment['SAFEKEEP_TEST_LONG'], '1');
});
