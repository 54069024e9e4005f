// The public face of import, listed by hand. Other capabilities and the composition roots import from here only.
import type { Capability } from '../capability.ts';
import { commands } from './commands.ts';

export type { ImportContext } from './actions/import-context.ts';
export { listRuns, showRun, type RunSummary } from './actions/list-runs.ts';
export type { ImportOptions, ImportResult, OnInvalid, RunState, TableResult, Verify } from './model.ts';

/** The import itself, read when somebody asks for it. */
export const importActions = () => import('./actions/import-sqlite.ts');

export const importCapability: Capability = { name: 'import', commands };
