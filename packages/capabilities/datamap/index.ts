import type { Capability } from '../capability.ts';
import { mapCommands } from './commands.ts';

/** One reviewed file says whose data is where; this holds it against the database. */
export const datamap: Capability = { name: 'datamap', commands: mapCommands };

export { checkDatabase } from './actions/check-map.ts';
export { loadMap, saveMap } from './actions/map-file.ts';
export { appliedMap, mapHistory, recordMapVersion } from './actions/versions.ts';
export type { CheckResult, Graph, Problem, Version } from './model.ts';
export { readMapText, type MapText } from './text/document.ts';
export { editMap, newMapText } from './text/edit.ts';
