import type pg from 'pg';
import { readUserCatalog } from '@safekeep/postgres';
import { appliedMap } from '../../datamap/index.ts';
import type { Contributor, DesiredObject } from '../model.ts';
import { definitionSha256, hasDrifted } from '../rules/steps.ts';
import { readLive } from '../store/probe.ts';
import { readApplied, readRunOf, upsertObjects } from '../store/records.ts';
import { readAllowed, runStatement } from '../store/session.ts';
import { asApplied } from './execute.ts';

export type Reapplying = {
  readonly tenant: string;
  /** Who wants what is made anew; of the others nothing is touched. */
  readonly contributors: readonly Contributor[];
  /** External name of the table. */
  readonly target: string;
  readonly at: Date;
};

/**
 * What these contributors have brought onto a table is made as the map that was applied last wants it for the table as it is now: inside
 * of the transaction that changes the table, which has locked it, so that no write falls in between. Nothing that was not applied is
 * begun, and nothing is told apart from an apply afterwards. Answers whether anything was made anew.
 */
export async function reapplyWithin(client: pg.ClientBase, { tenant, contributors, target, at }: Reapplying): Promise<boolean> {
  const applied = await readApplied(client, tenant);
  const recorded = new Map(applied.objects.filter((object) => object.target === target).map((object) => [object.id, object]));
  if (recorded.size === 0 || contributors.length === 0) return false;
  const map = await appliedMap(client, tenant);
  if (map === undefined) return false;
  const surroundings = {
    map,
    catalog: await readUserCatalog(client),
    tenant,
    allowed: await readAllowed(client),
    applied: new Map(applied.objects.map(({ id, state }) => [id, state])),
  };
  const live = await readLive(client, recorded.values());
  const stale = contributors
    .flatMap((contribute) => contribute(surroundings).objects)
    .filter((object) => {
      const known = recorded.get(object.id);
      if (known === undefined || known.state === null || object.runsIn !== 'transaction') return false;
      return hasDrifted(known, live.get(object.id)) || known.definitionSha256 !== definitionSha256(object);
    });
  for (const object of stale) await makeAnew(client, object, { tenant, at });
  return stale.length > 0;
}

async function makeAnew(
  client: pg.ClientBase,
  object: DesiredObject,
  { tenant, at }: { readonly tenant: string; readonly at: Date },
): Promise<void> {
  for (const statement of object.replace ?? [...object.remove, ...object.create]) await runStatement(client, statement);
  const found = (await readLive(client, [object])).get(object.id);
  if (found === undefined) throw new Error(`${object.id} was made and its probe does not see it`);
  const runId = await readRunOf(client, tenant, object.id);
  await upsertObjects(client, { tenant, runId }, { at, objects: [asApplied(object, found.state)] });
}
