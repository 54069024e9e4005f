import type { Capture } from '../model.ts';
import type { InboxRow } from '../store/inbox.ts';
import type { Emptied, Said } from './row-state.ts';

/** Nothing of the log is newer. */
const NOT_YET = Number.MAX_SAFE_INTEGER;

/** What a change says that is committed and not in the log yet. */
export function saidByPending({ orderNo, place, action, old, new: made, keysOnly, newRecord }: InboxRow): Said {
  return {
    era: NOT_YET,
    index: Number(orderNo) + place / 1_000_000,
    action,
    values: keysOnly === true ? {} : (made ?? {}),
    marks: {},
    old: keysOnly === true ? {} : (old ?? {}),
    isWhole: keysOnly !== true && (action !== 'insert' || made !== null),
    isNamed: true,
    columns: action === 'update' ? Object.keys(made ?? {}) : null,
    needsRemain: keysOnly === true && action !== 'delete',
    movesTo: newRecord ?? undefined,
    mayMove: false,
  };
}

/** Where in the log something will stand that is not there yet: after all that is. */
export function placeOfPending({ orderNo }: Pick<InboxRow, 'orderNo'>): Emptied {
  return { era: NOT_YET, index: Number(orderNo) };
}

/** By record, the newest first; of a table without a key all under ''. */
export type Pending = ReadonlyMap<string, readonly Said[]>;

export const NOTHING_PENDING: Pending = new Map();

export function pendingOf({ tenant, table }: Pick<Capture, 'tenant' | 'table'>, rows: readonly InboxRow[]): Pending {
  const own = rows.filter((row) => row.tenant === tenant && row.table === table).toReversed();
  return new Map([...Map.groupBy(own, ({ record }) => record ?? '')].map(([record, some]) => [record, some.map(saidByPending)]));
}
