import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { isSafekeepError, readConfiguration, type ConfigurationSources } from '../index.ts';

function read(sources: Partial<ConfigurationSources>) {
  return readConfiguration({
    flags: {},
    environment: {},
    file: {},
    readFile: (path) => {
      throw new Error(`no file ${path}`);
    },
    ...sources,
  });
}

function problemsOf(sources: Partial<ConfigurationSources>): string {
  try {
    read(sources);
  } catch (error) {
    if (isSafekeepError(error, 'configuration-invalid')) return error.message;
    throw error;
  }
  return '';
}

test('without anything the defaults are in force', () => {
  const { home, tenant, port, logLevel, databaseUrl } = read({});
  assert.deepEqual(
    { home, tenant, port, logLevel, databaseUrl },
    { home: './.safekeep', tenant: 'default', port: 7300, logLevel: 'info', databaseUrl: undefined },
  );
});

test('a list of approvers by itself is an error: whoever set it believes that two must sign', () => {
  const environment = { SAFEKEEP_ERASURE_APPROVERS: '/etc/approvers' };
  for (const approval of [{}, { SAFEKEEP_ERASURE_APPROVAL: 'any' }])
    assert.match(
      problemsOf({ environment: { ...environment, ...approval } }),
      /SAFEKEEP_ERASURE_APPROVERS: nobody has to sign unless SAFEKEEP_ERASURE_APPROVAL is second-person/,
    );
  assert.equal(problemsOf({ environment: { ...environment, SAFEKEEP_ERASURE_APPROVAL: 'second-person' } }), '');
});

test('a flag beats the environment, the environment beats the file', () => {
  const environment = { SAFEKEEP_TENANT: 'environment' };
  const file = { SAFEKEEP_TENANT: 'file', SAFEKEEP_MAP: 'file.yaml' };
  assert.equal(read({ flags: { tenant: 'flag' }, environment, file }).tenant, 'flag');
  assert.equal(read({ environment, file }).tenant, 'environment');
  assert.equal(read({ file }).tenant, 'file');
  assert.equal(read({ environment, file }).map, 'file.yaml');
});

test('an empty variable counts as not set', () => {
  assert.equal(read({ environment: { SAFEKEEP_TENANT: '' }, file: { SAFEKEEP_TENANT: 'file' } }).tenant, 'file');
});

test('a secret comes from a file too and is never printed', () => {
  const configuration = read({
    environment: { SAFEKEEP_DATABASE_URL_FILE: '/run/url' },
    readFile: () => 'postgres://u:canary@h/d\n',
  });
  assert.equal(configuration.databaseUrl?.reveal(), 'postgres://u:canary@h/d');
  assert.ok(!`${inspect(configuration)}${JSON.stringify(configuration)}`.includes('canary'));
});

test('every problem is listed at once', () => {
  const message = problemsOf({
    environment: { SAFEKEEP_PORT: '99999', SAFEKEEP_LOG_LEVEL: 'boss', SAFEKEEP_POOL_MX: '3', SAFEKEEP_MAP_FILE: '/nowhere' },
  });
  assert.match(message, /4 problem/);
  for (const part of [
    'SAFEKEEP_PORT: 99999',
    'SAFEKEEP_LOG_LEVEL: "boss" must be one of trace, debug, info, warn, error, fatal',
    'did you mean SAFEKEEP_POOL_MAX?',
    'SAFEKEEP_MAP_FILE: the file /nowhere cannot be read',
  ]) {
    assert.ok(message.includes(part), `${part} in ${message}`);
  }
});

test('whatever stands in a variable, reading ends with a configuration or with a list of problems', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('SAFEKEEP_PORT', 'SAFEKEEP_TENANT', 'SAFEKEEP_LOG_LEVEL', 'SAFEKEEP_POOL_MAX', 'SAFEKEEP_DATABASE_URL'),
      fc.string(),
      (name, value) => {
        assert.equal(typeof problemsOf({ environment: { [name]: value } }), 'string');
      },
    ),
  );
});

test('a number is taken only when the whole text is one', () => {
  for (const text of ['80x', '0x50', '8e2', ' 80', '80.5', '-1']) {
    assert.match(problemsOf({ environment: { SAFEKEEP_PORT: text } }), /SAFEKEEP_PORT/, text);
  }
});
