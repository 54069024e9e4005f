import { Type } from '@safekeep/core/schema';
import { command, type Ink } from '@safekeep/capabilities/capability';
import { Check, runChecks } from '../doctor/checks.ts';

export const doctor = command({
  name: 'doctor',
  summary: 'check Node, disk, keys, database, privileges, TLS, extensions, roles, clock and schema',
  input: Type.Object({}),
  output: Type.Object({ checks: Type.Array(Check) }),
  example: 'safekeep doctor --json',
  notSo: 'a check fails; one that cannot be made is told as not-evaluable, and is no failure',
  run: async (context) => {
    const checks = await runChecks(context);
    return { result: { checks }, ok: checks.every(({ state }) => state !== 'fail') };
  },
  render: ({ checks }, ink) => renderChecks(checks, ink),
});

/** One line a check; the state stands in words, not only in colour. */
function renderChecks(checks: readonly Check[], ink: Ink): string {
  const colour = { 'ok': ink.good, 'warn': ink.warn, 'fail': ink.bad, 'not-evaluable': ink.dim };
  const width = Math.max(...checks.map(({ name }) => name.length));
  return checks.map(({ name, state, detail }) => `${colour[state](state.padEnd(13))} ${name.padEnd(width)}  ${detail}`).join('\n');
}
