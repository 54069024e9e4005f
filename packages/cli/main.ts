import { allCommands } from './commands.ts';
import { run } from './program/run.ts';
import { version } from './version.ts';

// A reader that goes away (`safekeep … | head`) ends us quietly, as every Unix tool ends.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 3));

process.exitCode = await run(process.argv.slice(2), allCommands, version);
