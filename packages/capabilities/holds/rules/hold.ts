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
