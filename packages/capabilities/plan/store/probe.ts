import type pg from 'pg';
import type { LiveState, LiveStates, Probe } from '../model.ts';

type Probed = { readonly id: string; readonly probe: Probe };

/** Reads what stands of all these objects: one statement for each kind of probe, however many objects there are. */
export async function readLive(client: pg.ClientBase, objects: Iterable<Probed>): Promise<LiveStates> {
  const live = new Map<string, LiveState>();
  for (const [sql, probed] of Map.groupBy(objects, ({ probe }) => probe.sql)) {
    const keys = JSON.stringify(probed.map(({ probe }) => probe.key));
    const { rows } = await client.query<LiveState & { place: number }>(sql, [keys]);
    for (const { place, state, disabled } of rows) {
      const object = probed[place - 1];
      if (object === undefined) throw new Error(`A probe answered for place ${place} of ${probed.length}`);
      live.set(object.id, { state, disabled });
    }
  }
  return live;
}
