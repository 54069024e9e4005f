import type { TargetTable } from '../objects/index.ts';
import type { PreparedTable } from './prepare.ts';
import type { DigestForm } from '../prove/digest-form.ts';

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** How a table takes part in the proof, from what was decided and found about it. */
export function digestForm({ source, reading, facts, types }: PreparedTable, target: TargetTable): DigestForm {
  const key = reading.columns.flatMap((column, at) => (column.primaryKeyPosition > 0 ? [at] : []));
  return {
    columns: target.columns.map((column, at) => {
      const decided = types.get(column.source);
      const columnFacts = facts.columns[at];
      if (decided === undefined || columnFacts === undefined) throw new Error(`${source.name}.${column.source} was not decided`);
      const { minimum, maximum, integers, reals, longestBytes } = columnFacts;
      const textual = decided.type === 'text' || decided.type === 'bytea' || decided.type === 'json';
      return {
        source: column.source,
        target: column.name,
        type: decided.type,
        epoch: decided.epoch,
        wide: (minimum !== null && minimum < -SAFE) || (maximum !== null && maximum > SAFE),
        numbersAsText: textual && integers + reals > 0,
        longestBytes,
      };
    }),
    key,
    hasRowid: !source.withoutRowid && reading.rootPage > 0,
    ordered: reading.rootPage > 0,
  };
}
