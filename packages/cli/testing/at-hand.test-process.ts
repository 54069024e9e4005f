import { run } from '../program/run.ts';
import { allCommands } from '../commands.ts';
import { version } from '../version.ts';
import type { Call } from './at-hand.ts';

// The CLI without its beginning and its end: one command line after the other, each with its own environment, folder and output.

const told = { stdout: '', stderr: '' };

for (const name of ['stdout', 'stderr'] as const) {
  // The product writes whole texts and waits for `drain` at most, which it need not where `true` is answered.
  process[name].write = (text: string | Uint8Array): boolean => {
    told[name] += typeof text === 'string' ? text : Buffer.from(text).toString();
    return true;
  };
}

// Whoever asked is gone.
process.once('disconnect', () => process.exit());
process.on('message', (call: Call) => {
  void answer(call);
});

async function answer({ args, environment, cwd }: Call): Promise<void> {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, environment);
  process.chdir(cwd);
  Object.assign(told, { stdout: '', stderr: '' });
  const code = await run(args, allCommands, version);
  process.send?.({ code, ...told });
}
