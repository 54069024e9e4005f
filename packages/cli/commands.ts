import type { Capability, Command } from '@safekeep/capabilities/capability';
import { datamap } from '@safekeep/capabilities/datamap';
import { importCapability } from '@safekeep/capabilities/import';
import { logs } from '@safekeep/capabilities/logs';
import { columnComments, planCapability } from '@safekeep/capabilities/plan';
import { completion } from './commands/completion.ts';
import { doctor } from './commands/doctor.ts';
import { init } from './commands/init.ts';
import { migrate } from './commands/migrate.ts';
import { demo, start } from './commands/start.ts';
import { stop } from './commands/stop.ts';
import { url } from './commands/url.ts';

/** What Safekeep can do, in the order of the documentation. The one list of capabilities. */
const capabilities: readonly Capability[] = [
  importCapability,
  datamap,
  planCapability({ contributors: [columnComments], guards: [] }),
  logs,
];

/** The house's own commands first, then each capability's. */
export const allCommands: readonly Command[] = [
  init,
  start,
  demo,
  stop,
  url,
  doctor,
  ...migrate,
  completion(() => allCommands),
  ...capabilities.flatMap(({ commands }) => commands),
];
