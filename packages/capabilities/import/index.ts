// The public face of import, listed by hand. Other capabilities and the composition roots import from here only.
import type { Capability } from '../capability.ts';
import { commands } from './commands.ts';

export { checkSource, importSqlite } from './actions/import-sqlite.ts';
export type { ImportContext } from './actions/import-context.ts';
export { listRuns, showRun, type RunSummary } from './actions/list-runs.ts';
export type { ImportOptions, ImportResult, OnInvalid, RunState, TableResult, Verify } from './model.ts';

export const importCapability: Capability = { name: 'import', commands };
