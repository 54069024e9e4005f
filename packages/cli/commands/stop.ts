import { Type } from '@safekeep/core/schema';
import { command } from '@safekeep/capabilities/capability';
import { codeOf, SafekeepError } from '@safekeep/core';
import { stopEmbedded, usersOfHome } from '@safekeep/postgres';

const GRACE_MS = 20_000;
const LOOK_EVERY_MS = 100;

export const stop = command({
  name: 'stop',
  summary: 'end the background processes and the embedded server of this home',
  input: Type.Object({}),
  output: Type.Object({ stopped: Type.Boolean(), processes: Type.Array(Type.Integer()) }),
  example: 'safekeep stop',
  run: async (context) => {
    const others = (await usersOfHome(context.home)).filter(({ pid }) => pid !== process.pid);
    for (const { pid } of others) askToEnd(pid);
    // A process that ends by itself finishes what it has in hand first; the server goes when the last has left.
    const deadlineMs = context.clock.elapsedMs() + GRACE_MS;
    while ((await usersOfHome(context.home)).length > 0 && context.clock.elapsedMs() < deadlineMs) {
      await new Promise((done) => setTimeout(done, LOOK_EVERY_MS));
    }
    const ran = (await stopEmbedded(context.home)) !== undefined;
    return { result: { stopped: ran || others.length > 0, processes: others.map(({ pid }) => pid) } };
  },
  render: ({ stopped, processes }, ink) =>
    stopped
      ? ink.good(`Stopped${processes.length > 0 ? ` (${processes.length} process(es) ended)` : ''}.`)
      : 'Nothing was running.',
});

function askToEnd(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (cause) {
    if (codeOf(cause) === 'EPERM') throw new SafekeepError('process-foreign', { pid }, { cause });
    // ESRCH: it has ended by itself meanwhile.
    if (codeOf(cause) !== 'ESRCH') throw cause;
  }
}
