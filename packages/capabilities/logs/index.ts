import type { Capability } from '../capability.ts';
import { tail } from './commands.ts';

/** What happened, read back from the log of a home. */
export const logs: Capability = { name: 'logs', commands: [tail] };
