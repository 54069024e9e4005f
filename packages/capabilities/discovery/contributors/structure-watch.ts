import type { Contributor } from '../../plan/index.ts';
import { createWatch, dropWatch, probeWatch, watchName } from '../store/structure.ts';

const TARGET = 'the database';

/** An event trigger that notes changes of the structure, where the map says `watch_structure: true` and the server allows it. */
export const structureWatch: Contributor = ({ map, tenant, allowed, applied }) => {
  if (!map.watchStructure) return { objects: [], problems: [], notes: [] };
  const name = watchName(tenant);
  const id = `structure-watch:${name}`;
  // One that stands is not given up because the next plan is made by a login of fewer rights.
  if (!allowed.eventTriggers && !applied.has(id))
    return {
      objects: [],
      problems: [],
      notes: [
        {
          target: TARGET,
          text: 'Changes of structure are not evaluable here as they happen: this login may not create event triggers, as superusers may (rds_superuser, cloudsqlsuperuser). A scheduled scan-changes finds them at its next run.',
        },
      ],
    };
  const create = createWatch(name);
  return {
    objects: [
      {
        id,
        kind: 'structure-watch',
        target: TARGET,
        definition: create.join('\n'),
        create,
        remove: [dropWatch(name)],
        probe: probeWatch(name),
        locks: [],
        rows: 0,
        rewrites: false,
        reversible: true,
        restores: false,
        runsIn: 'transaction',
        dependsOn: [],
      },
    ],
    problems: [],
    notes: [],
  };
};
