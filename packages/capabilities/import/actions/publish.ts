import type pg from 'pg';
import { SafekeepError } from '@safekeep/core';
import { someOf } from '../rules.ts';
import {
  createSchema,
  dependentsOutside,
  dropSchema,
  findOccupants,
  movables,
  moveRelation,
  protectedTable,
  relationNames,
  schemaExists,
  type Movable,
  type Occupant,
} from '../store/build-schema.ts';

export type Publication = {
  readonly buildSchema: string;
  readonly targetSchema: string;
  /** Where relations of the same names are moved to; null: they are a reason to refuse. */
  readonly keptSchema: string | null;
};

export type Published = {
  readonly relations: readonly Movable[];
  /** Something was moved out of the way into the kept schema. */
  readonly setAside: boolean;
};

/**
 * Puts what was built under its final names. Runs inside the caller's transaction and only changes the catalog, so it is
 * seen whole or not at all.
 */
export async function publish(client: pg.ClientBase, { buildSchema, targetSchema, keptSchema }: Publication): Promise<Published> {
  if (!(await schemaExists(client, targetSchema))) await createSchema(client, targetSchema);
  const relations = await movables(client, buildSchema);
  const occupants = await findOccupants(
    client,
    targetSchema,
    relations.map(({ name }) => name),
  );
  if (occupants.length > 0) {
    if (keptSchema === null) throw occupied(targetSchema, occupants);
    await setAside(client, { from: targetSchema, to: keptSchema, names: occupants.map(({ name }) => name) });
  }
  // Indexes keep their names on the way; one of an unrelated table may stand in the way.
  const inTheWay = await findOccupants(client, targetSchema, await relationNames(client, buildSchema));
  if (inTheWay.length > 0) throw occupied(targetSchema, inTheWay);
  for (const relation of relations) await moveRelation(client, relation, buildSchema, targetSchema);
  await dropSchema(client, buildSchema);
  return { relations, setAside: occupants.length > 0 };
}

/** Refuses, before anything is read, what `publish` would refuse at the end. */
export async function refuseOccupied(
  client: pg.ClientBase,
  schema: string,
  names: readonly string[],
  replace: boolean,
): Promise<void> {
  const occupants = await findOccupants(client, schema, names);
  if (occupants.length === 0) return;
  if (!replace) throw occupied(schema, occupants);
  await refuseBound(
    client,
    schema,
    occupants.map(({ name }) => name),
  );
}

/** Moves tables and views to a schema that keeps them as they are. */
async function setAside(
  client: pg.ClientBase,
  move: { readonly from: string; readonly to: string; readonly names: readonly string[] },
): Promise<void> {
  await refuseBound(client, move.from, move.names);
  await createSchema(client, move.to);
  const present = (await movables(client, move.from)).filter(({ name }) => move.names.includes(name));
  const missing = move.names.filter((name) => !present.some((relation) => relation.name === name));
  if (missing.length > 0)
    throw occupied(
      move.from,
      missing.map((name) => ({ name, kind: 'relation of another kind' })),
    );
  for (const relation of present) await moveRelation(client, relation, move.from, move.to);
}

/** Brings back what was set aside. */
export async function bringBack(client: pg.ClientBase, from: string, to: string): Promise<void> {
  for (const relation of await movables(client, from)) await moveRelation(client, relation, from, to);
  await dropSchema(client, from);
}

/** What depends on the tables, and what Safekeep protects of them, would be left behind. */
async function refuseBound(client: pg.ClientBase, schema: string, names: readonly string[]): Promise<void> {
  const [first] = await dependentsOutside(client, schema, names);
  if (first !== undefined) throw new SafekeepError('import-replace-referenced', first);
  // What would come in their place has no capture, and may hold whom somebody erased and what somebody encrypted.
  const table = await protectedTable(client, schema, names);
  if (table !== undefined) throw new SafekeepError('import-replace-protected', { table });
}

function occupied(schema: string, occupants: readonly Occupant[]): SafekeepError {
  return new SafekeepError('import-target-occupied', {
    schema,
    count: occupants.length,
    names: someOf(occupants.map(({ name, kind }) => `${name} (${kind})`)),
  });
}
