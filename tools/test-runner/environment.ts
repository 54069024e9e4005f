/**
 * The environment for test processes. What names a database, a home or a setting of the person who runs the tests is
 * left out: a test must never find its way to their database, and must not pass or fail by what they configured.
 */
export function testEnvironment(machine: NodeJS.ProcessEnv, own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(machine).filter(([name]) => !/^(SAFEKEEP_|PG[A-Z]|npm_|NODE_TEST_|FORCE_COLOR$)/i.test(name));
  return { ...Object.fromEntries(kept), TZ: 'UTC', LC_ALL: 'C.UTF-8', NO_COLOR: '1', ...own };
}
