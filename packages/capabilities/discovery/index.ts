// The public face of discovery, listed by hand. Other capabilities and the composition roots import from here only.
import type { Capability } from '../capability.ts';
import { commands } from './commands.ts';
import { classifyFreeText, scanChanges } from './jobs.ts';

export { scanDatabase, type Scan, type ScanOrder } from './actions/scan.ts';
export { structureWatch } from './contributors/structure-watch.ts';
export type { Kind, KindFamily } from './kinds/model.ts';
export { kinds } from './kinds/table.ts';
export type { ColumnFinding, ProposedSubject, ScanResult, TableProblem, Unused, Written } from './model.ts';
export { detectText, type DetectOptions } from './text/detect.ts';
export type { Entity } from './text/model.ts';
export type { OwnPatterns } from './text/patterns.ts';

/** Finds personal data in columns and in text. */
export const discovery: Capability = { name: 'discovery', commands, jobs: [scanChanges, classifyFreeText] };
