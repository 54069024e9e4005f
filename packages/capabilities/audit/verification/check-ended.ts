import type pg from 'pg';
import type { MarkOf } from '../keys/key-file.ts';
import { BASELINE_TAKEN, readTaken } from '../rules/baseline.ts';
import { CAPTURE_ENDED, readCaptureEnd } from '../rules/capture-end.ts';
import { readTold, type ToldBaseline } from '../store/baselines.ts';
import type { FaultList } from './faults.ts';
import { isBefore, type Emptied } from './row-state.ts';
import { readCaptures, wereCaptured } from './store/standing.ts';

type Ground = { readonly tenant: string; readonly wanted: readonly string[]; readonly markOf: MarkOf; readonly faults: FaultList };

/**
 * Tables that the map wants in the log, of which the log has events, and that nothing captures: their capture was taken back, which the home has
 * said after the newest of these events, or somebody dropped it.
 */
export async function checkEnded(client: pg.ClientBase, { tenant, wanted, markOf, faults }: Ground): Promise<void> {
  const captured = new Set((await readCaptures(client, tenant)).map(({ table }) => table));
  const left = wanted.filter((table) => !captured.has(table));
  if (left.length === 0) return;
  const newest = await wereCaptured(client, tenant, left);
  const told = await readTold(client, { tenant, tables: left, actions: [CAPTURE_ENDED, BASELINE_TAKEN] });
  for (const { table, ...change } of newest) {
    const events = told.filter((event) => event.table === table);
    const end = endOf(events, { tenant, table }, markOf);
    const isEnded = end !== undefined && isBefore(change, end) && !isBegun(events, { tenant, table, end }, markOf);
    if (isEnded)
      faults.note(`${table} is not captured any more: \`safekeep unapply\` took its capture back, as event ${end.index} says.`);
    else
      faults.add(
        'trigger-missing',
        `The map wants ${table} in the log, the log has events of it, and nothing captures it any more.`,
      );
  }
}

type Of = { readonly tenant: string; readonly table: string };

/** The newest of the home's words. Everybody who may record events can say one again: only the first time counts. */
function endOf(events: readonly ToldBaseline[], of: Of, markOf: MarkOf): Emptied | undefined {
  const first = new Map<string, Emptied>();
  for (const { action, details, era, index } of events.toReversed()) {
    const said = action === CAPTURE_ENDED ? readCaptureEnd(markOf, of, details) : undefined;
    if (said !== undefined && !first.has(said.id)) first.set(said.id, { era, index });
  }
  return [...first.values()].at(-1);
}

/** Whether it was captured again since: a baseline was taken of it. */
function isBegun(events: readonly ToldBaseline[], { end, ...of }: Of & { readonly end: Emptied }, markOf: MarkOf): boolean {
  return events.some(
    ({ action, details, ...place }) =>
      action === BASELINE_TAKEN && !isBefore(place, end) && readTaken(markOf, of, details) !== undefined,
  );
}
