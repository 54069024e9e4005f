import type { Hold, HoldText, Period } from '../model.ts';
import { formatCondition } from './condition.ts';

/** As JSON and people see it on a day. */
export function holdText(hold: Hold, today: string): HoldText {
  const { id, kind, target, table, rows, reason, owner, reviewBy, placedBy, release } = hold;
  return {
    id,
    kind,
    target,
    query: hold.condition === null ? null : formatCondition(hold.condition),
    table,
    state: release === null ? 'standing' : 'released',
    overdue: isOverdue(hold, today),
    rows,
    reason,
    owner,
    reviewBy,
    concernsFrom: hold.concerns.from?.toISOString() ?? null,
    concernsUntil: hold.concerns.until?.toISOString() ?? null,
    placedBy,
    placedAt: hold.placedAt.toISOString(),
    releasedBy: release?.by ?? null,
    releasedAt: release?.at.toISOString() ?? null,
    releaseReason: release?.reason ?? null,
  };
}

/** The day of review itself is not late. */
function isOverdue({ release, reviewBy }: Pick<Hold, 'release' | 'reviewBy'>, today: string): boolean {
  return release === null && reviewBy < today;
}

/** Whether what a hold is about and what is asked about share a moment. */
export function concerns(hold: Pick<Hold, 'concerns'>, period: Period | undefined): boolean {
  if (period === undefined) return true;
  const { from, until } = hold.concerns;
  return (
    (from === null || period.until === null || from < period.until) &&
    (until === null || period.from === null || until > period.from)
  );
}

/** Of a moment, in UTC: `YYYY-MM-DD`. Holds are kept by days, and one day of the world must do for all. */
export function dayOf(moment: Date): string {
  return moment.toISOString().slice(0, 10);
}

/** A day that exists, as `YYYY-MM-DD`, at its beginning in UTC. */
export function parseDay(text: string): Date | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  const day = new Date(`${text}T00:00:00Z`);
  return Number.isNaN(day.getTime()) || dayOf(day) !== text ? undefined : day;
}
