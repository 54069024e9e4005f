import type { MarkOf } from '../keys/key-file.ts';
import { addMark } from '../rules/baseline.ts';
import type { FaultList } from './faults.ts';

/** What of the rows does not hold, as one who saw it can name it: how many faults, and a digest that another edit of one of these rows changes too. */
export type Differences = { readonly count: number; readonly digest: string };

/**
 * Of each fault its words, and of each row that is not as the log and the baseline have it what it holds now, by HMAC under the home's key: so it says
 * nothing to anybody else, and is the same in whatever order rows are looked at.
 */
export function differencesIn(faults: FaultList, markOf: MarkOf, tenant: string) {
  let [count, sum] = [0, 0n];
  const note = (parts: readonly unknown[]): void => {
    sum = addMark(sum, Buffer.from(markOf(['difference', tenant, ...parts]), 'base64'), 1n);
  };
  return {
    /** Adds to the list that was given. */
    faults: {
      ...faults,
      add: (...fault: Parameters<FaultList['add']>): void => {
        const [code, detail] = fault;
        count += 1;
        note([code, detail]);
        faults.add(...fault);
      },
    },
    /** What a row, or a table whose rows have no key, holds where it does not hold. */
    note,
    told: (): Differences | undefined => (count === 0 ? undefined : { count, digest: sum.toString(16).padStart(32, '0') }),
  };
}
