import { tableRef } from '@safekeep/core';
import { findTable } from '@safekeep/postgres';
import type { Contributor, DesiredObject } from '../../plan/index.ts';
import { baselineColumns } from '../rules/baseline.ts';
import { dropBaseline, orderBaseline, PROBE_BASELINE, type BaselineShape } from '../store/baselines.ts';
import { isCapturable, shapeOf, type Place } from './capture.ts';

/**
 * Of each captured table: that what stands in it is to be written down, so that an edit of a row that the log has never told of is found. The
 * step only orders it; the sequencer, which has the home's key, takes it at one place of the log.
 */
export const auditBaseline: Contributor = ({ map, catalog, tenant }) => {
  const objects = [...map.tables.values()].flatMap((mapped) => {
    const table = mapped.audit.writes ? findTable(catalog, mapped.name) : undefined;
    return table === undefined || !isCapturable(table) ? [] : [objectOf({ map, catalog, tenant, mapped, table })];
  });
  return { objects, problems: [], notes: [] };
};

function objectOf(place: Place): DesiredObject {
  const shape = baselineShape(place);
  const { tenant, mapped, table } = place;
  const order = orderBaseline({ tenant, table: mapped.name }, shape);
  return {
    id: `audit-baseline:${mapped.name}`,
    kind: 'audit-baseline',
    target: mapped.name,
    definition: JSON.stringify(shape),
    create: [order],
    replace: [order],
    remove: dropBaseline({ tenant, table: mapped.name }),
    probe: { sql: PROBE_BASELINE, key: [tenant, mapped.name] },
    // Whoever takes it reads all of the table.
    locks: [{ ...tableRef(table), mode: 'ACCESS SHARE' }],
    // Never analyzed: not known.
    rows: Math.max(table.rowEstimate, 0),
    rewrites: false,
    reversible: true,
    restores: false,
    runsIn: 'transaction',
    dependsOn: [`audit-capture:${mapped.name}`],
  };
}

function baselineShape(place: Place): BaselineShape {
  const { key, columns } = shapeOf(place);
  const typed = ({ name, type, form }: (typeof columns)[number]) => ({ name, type, form });
  return { key: key.map(typed), columns: baselineColumns(columns).map(typed) };
}
