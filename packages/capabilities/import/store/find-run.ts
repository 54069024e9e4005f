import type pg from 'pg';
import { parseId, SafekeepError } from '@safekeep/core';
import { readRun, readRuns, type RunRow } from './runs.ts';

const BEGINNING = /^[0-9a-f-]{8,35}$/;
const SEARCHED_RUNS = 1_000;

/** The run of an id, or of the beginning of one if that is enough to tell it. Throws `import-run-unknown`. */
export async function findRun(client: pg.ClientBase, tenant: string, text: string): Promise<RunRow> {
  const id = parseId<'import-run'>(text);
  if (id !== undefined) {
    const run = await readRun(client, tenant, id);
    if (run !== undefined) return run;
  } else if (BEGINNING.test(text)) {
    const [run, another] = (await readRuns(client, tenant, SEARCHED_RUNS)).filter(({ run_id: runId }) => runId.startsWith(text));
    if (run !== undefined && another === undefined) return run;
  }
  throw new SafekeepError('import-run-unknown', { run: text });
}

/** Throws `import-run-state` unless the run came to its end and still stands. */
export function requireDone(run: RunRow, action: string): void {
  if (run.state !== 'done')
    throw new SafekeepError('import-run-state', { run: run.run_id, state: run.state, action, needed: 'done' });
}
