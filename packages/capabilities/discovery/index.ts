import type { Capability } from '../capability.ts';
import { commands } from './commands.ts';

export type { Kind, KindFamily } from './kinds/model.ts';
export { kindNamed, kinds, kindsOfValue, surenessOf, validateValue } from './kinds/table.ts';

/** Finds personal data in columns and in text. */
export const discovery: Capability = { name: 'discovery', commands };
