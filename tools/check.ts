import path from 'node:path';
import { gates, runGate, type Gate } from './check/gates.ts';

// npm run check [-- NAME …]
//
// All static checks at once, or the named ones. A line for each; what it found only when it failed. Exit code 1 when any did.

const root = path.resolve(import.meta.dirname, '..');
const names = process.argv.slice(2);
const unknown = names.filter((name) => !gates.some((gate) => gate.name === name));
if (unknown.length > 0) {
  process.stdout.write(`there is no check named ${unknown.join(', ')}; there are ${gates.map(({ name }) => name).join(', ')}\n`);
  process.exitCode = 2;
} else {
  const selected = gates.filter(({ name }) => names.length === 0 || names.includes(name));
  const passed = await Promise.all(selected.map(check));
  process.exitCode = passed.every(Boolean) ? 0 : 1;
}

async function check(gate: Gate): Promise<boolean> {
  const { ok, output, durationMs } = await runGate(gate, root);
  const details = ok ? '' : `${output.trimEnd()}\n`;
  process.stdout.write(`${ok ? ' ok ' : 'FAIL'} ${gate.name} (${(durationMs / 1000).toFixed(1)} s)\n${details}`);
  return ok;
}
