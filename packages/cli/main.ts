import { keepNurserySmall } from '@safekeep/postgres';
import { allCommands } from './commands.ts';
import { run } from './program/run.ts';
import { version } from './version.ts';

keepNurserySmall();

// Other users can read the process list: a URL given with --db does not stay in it.
process.title = 'safekeep';

// A reader that goes away (`safekeep … | head`) changes nothing of what the command does or how it ends; a full disk does.
let unwritten: string | undefined;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') unwritten = error.code ?? 'unknown';
});
// Nobody is left to be told.
process.stderr.on('error', () => undefined);

const exitCode = await run(process.argv.slice(2), allCommands, version);
process.exitCode = exitCode;
process.once('beforeExit', () => {
  if (unwritten === undefined) return;
  process.stderr.write(`error: the result could not be written to stdout (${unwritten})\n`);
  process.exitCode = 3;
});
