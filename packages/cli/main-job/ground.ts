import { createHash } from 'node:crypto';
import type { CommandContext } from '@safekeep/capabilities/capability';
import { loadMap } from '@safekeep/capabilities/datamap';
import { groundOf, type Ground } from '@safekeep/capabilities/requests';

/** What looking for a person stands on: the map as it is, and the live structure. */
export async function groundIn(context: CommandContext): Promise<Ground> {
  const { map, text } = await loadMap(context.mapFile);
  const { tenant, clock } = context;
  const mapSha256 = createHash('sha256').update(text).digest('hex');
  return await groundOf({ database: await context.database(), tenant, clock, map, mapSha256, ports: { participants: [] } });
}
