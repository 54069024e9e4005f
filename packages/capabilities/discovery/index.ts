import type { Capability } from '../capability.ts';
import { commands } from './commands.ts';

export type { Kind, KindFamily } from './kinds/model.ts';
export { kindNamed, kinds, kindsOfValue, surenessOf, validateValue } from './kinds/table.ts';
export { detectText, type DetectOptions } from './text/detect.ts';
export type { Entity } from './text/model.ts';
export { readPatterns, type OwnPatterns } from './text/patterns.ts';
export { redactText, Redactor } from './text/redact.ts';

/** Finds personal data in columns and in text. */
export const discovery: Capability = { name: 'discovery', commands };
