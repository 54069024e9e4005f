import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import type { Database } from '@safekeep/postgres';
import type { Frozen } from '../../capability.ts';
import { readOnly } from '../store/read-only.ts';
import { newestOwnOf, quietTimes, tallyActors, tallyEvents } from './store/events.ts';

/** A practice that writes nothing for that long by day is unusual; at night it is not. */
const QUIET_SECONDS = 12 * 3600;
/** What attestation says: capture stands as applied, or it does not. */
const ATTESTATIONS = ['attested', 'capture-broken'];
const ACTORS_AT_MOST = 1000;
const GAPS_AT_MOST = 100;

const Nullable = Type.Union([Type.String(), Type.Null()]);

export const ComplianceReport = Type.Object({
  from: Type.String(),
  /** Not included any more. */
  to: Type.String(),
  generatedAt: Type.String(),
  events: Type.Integer(),
  counts: Type.Array(Type.Object({ kind: Type.String(), action: Type.String(), table: Nullable, events: Type.Integer() })),
  actors: Type.Array(
    Type.Object({
      actor: Nullable,
      /** How sure it is that they were it: signed, claimed, none, system. */
      attribution: Type.String(),
      events: Type.Integer(),
      first: Type.String(),
      last: Type.String(),
    }),
  ),
  /** Stretches without any event: a quiet night, or a log that stood still. */
  gaps: Type.Array(Type.Object({ from: Type.String(), to: Type.String(), seconds: Type.Number() })),
  /** The newest statement of each sort about capture itself: triggers in place, functions unchanged. */
  attestations: Type.Array(
    Type.Object({
      at: Type.String(),
      action: Type.String(),
      index: Type.Integer(),
      /** How often it was said in the period. */
      events: Type.Integer(),
      details: Type.Unknown(),
    }),
  ),
});
export type ComplianceReport = Frozen<Static<typeof ComplianceReport>>;

/** What the log of a period says: how much happened, by whom, where nothing was written, and whether capture was in place. */
export async function complianceReport(
  database: Database,
  tenant: string,
  period: { readonly from: string; readonly to: string; readonly now: Date },
): Promise<ComplianceReport> {
  const { from, to, now } = period;
  return await readOnly(database, tenant, async (client) => {
    const filter = { from, to };
    const counts = await tallyEvents(client, tenant, filter);
    const actors = await tallyActors(client, tenant, filter, ACTORS_AT_MOST);
    const gaps = await quietTimes(client, tenant, { from, to, seconds: QUIET_SECONDS, limit: GAPS_AT_MOST });
    const attested: Awaited<ReturnType<typeof newestOwnOf>>[number][] = [];
    for (const action of ATTESTATIONS) attested.push(...(await newestOwnOf(client, tenant, { ...filter, action })));
    return {
      from,
      to,
      generatedAt: now.toISOString(),
      events: counts.reduce((sum, { events }) => sum + events, 0),
      counts,
      actors,
      gaps,
      attestations: attested.map(({ at, action, index, events, details }) => ({
        at,
        action,
        index,
        events,
        details: parsed(details),
      })),
    };
  });
}

function parsed(details: string | null): unknown {
  return details === null ? null : JSON.parse(details);
}

/** The same as a page for people. */
export function reportMarkdown(report: ComplianceReport): string {
  const { from, to, generatedAt, events, counts, actors, gaps, attestations } = report;
  return [
    `# Audit log from ${from} to ${to}`,
    '',
    `Made ${generatedAt}. ${events} event(s). Whether the log is whole says \`safekeep audit verify\`.`,
    '',
    '## What happened',
    ...table(
      ['kind', 'table', 'action', 'events'],
      counts.map((each) => [each.kind, each.table ?? '', each.action, String(each.events)]),
    ),
    '',
    '## Who did it',
    ...table(
      ['actor', 'attribution', 'events', 'first', 'last'],
      actors.map((each) => [each.actor ?? '(unknown)', each.attribution, String(each.events), each.first, each.last]),
    ),
    ...(actors.length === ACTORS_AT_MOST ? ['', `Only the busiest ${ACTORS_AT_MOST} are listed.`] : []),
    '',
    `## Nothing written for ${QUIET_SECONDS / 3600} hours or more`,
    ...table(
      ['from', 'to', 'hours'],
      gaps.map((gap) => [gap.from, gap.to, (gap.seconds / 3600).toFixed(1)]),
    ),
    '',
    '## Attestations of capture',
    ...table(
      ['at', 'action', 'index', 'details'],
      attestations.map((each) => [each.at, each.action, String(each.index), JSON.stringify(each.details)]),
    ),
    '',
  ].join('\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return ['', 'None.'];
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return ['', line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)];
}

/** What people wrote must neither break the table nor become a link or a tag. */
function cell(text: string): string {
  return text.replaceAll(/[\\|<>[\]`*_]/g, '\\$&').replaceAll(/[\r\n]+/g, ' ');
}
