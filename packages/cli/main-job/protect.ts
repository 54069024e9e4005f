import { loadMap } from '@safekeep/capabilities/datamap';
import { formatColumnName, isSafekeepError, parseTableName, type DataMap, type MappedColumn } from '@safekeep/core';
import { count } from '../terminal/progress.ts';
import type { Step } from './step.ts';

/** What is encrypted unasked of the sample, and proposed for a database of somebody's own: what hurts most where it leaks. */
const SENSITIVE: readonly (readonly [category: string, why: string])[] = [
  ['user.government_id', 'national numbers'],
  ['user.financial.credit_card', 'cards'],
  ['user.financial.bank_account', 'accounts'],
  ['user.health_and_medical.insurance_beneficiary_id', 'insurance numbers'],
  ['user.health_and_medical', 'health'],
];
/** Each takes seconds on a small database and minutes on a large one; a first look needs no more. */
const FIELDS_AT_MOST = 3;

type Found = {
  readonly columns: readonly { readonly category: string; readonly decision: string }[];
  readonly subjects: readonly unknown[];
};

export const findPersonalData: Step = {
  name: 'scan',
  run: async ({ perform, context, files }) => {
    const { result, ok } = await perform<Found>('scan', { write: true });
    files.set('map', context.mapFile);
    const personal = result.columns.filter(({ category }) => category !== 'none');
    const open = personal.filter(({ decision }) => decision === 'review').length;
    return [
      `${count(personal.length)} of ${count(result.columns.length)} columns are personal, ${result.subjects.length} kind(s) of people; written to ${context.mapFile}`,
      ...(open > 0 ? [`${open} to be looked at with \`npx safekeep scan review\``] : []),
      ...(ok ? [] : ['not every table could be looked at: `npx safekeep scan` names them']),
    ].join('; ');
  },
};

export const checkMap: Step = {
  name: 'map',
  run: async ({ perform }) => {
    const { result, ok } = await perform<{ readonly problems: readonly unknown[] }>('map check');
    return ok
      ? 'every column is classified and every path leads to a person'
      : `${result.problems.length} question(s) that a person has to answer: \`npx safekeep map check\``;
  },
};

type Planned = { readonly hash: string; readonly steps: readonly { readonly kind: string; readonly target: string }[] };

export const planAndApply: Step = {
  name: 'apply',
  run: async ({ perform }) => {
    const plan = await perform<Planned>('plan');
    if (plan.result.steps.length === 0) return 'nothing to do: the database is as the map says';
    const { result } = await perform<Planned>('apply', { plan: plan.result.hash });
    const tables = new Set(result.steps.filter(({ kind }) => kind.startsWith('audit')).map(({ target }) => target)).size;
    return `${count(result.steps.length)} step(s) of plan ${result.hash.slice(0, 12)}; changes of ${count(tables)} table(s) are captured`;
  },
};

type Moved = { readonly field: string; readonly phase: string; readonly verified: number };

export const encryptSensitive: Step = {
  name: 'encrypt',
  run: async ({ perform, context, isSample }) => {
    const { map } = await loadMap(context.mapFile);
    const { result: before } = await perform<{ readonly fields: readonly Moved[] }>('encrypt status');
    const arrived = new Set(before.fields.filter(({ phase }) => AT_HOME.has(phase)).map(({ field }) => field));
    let values = 0;
    const refused: string[] = [];
    for (const column of sensitiveColumns(map).filter((name) => !arrived.has(name))) {
      if (arrived.size >= FIELDS_AT_MOST) break;
      try {
        values += (await perform<Moved>('encrypt', { column })).result.verified;
        arrived.add(column);
      } catch (error) {
        // What stands in the way of one column (a constraint, a view) is told by the command itself, and is no reason to stop.
        if (!isSafekeepError(error) || error.exit !== 1 || error.code === 'declined') throw error;
        refused.push(column);
      }
    }
    // In the practice of our own no application reads the plaintext, or has to learn that it goes.
    if (isSample)
      for (const column of arrived)
        if (!isFinished(before.fields, column)) await perform('encrypt finish', { column, wait: false });
    if (arrived.size === 0 && refused.length === 0) return 'no column of a kind that is encrypted unasked';
    return [
      arrived.size === 0 ? 'no column' : [...arrived].join(', '),
      ...(values > 0 ? [`${count(values)} stored values opened again and compared`] : []),
      ...(isSample || arrived.size === 0
        ? []
        : [
            'the plaintext stands beside it until `npx safekeep encrypt finish TABLE.COLUMN`, once your application reads through us',
          ]),
      ...(refused.length > 0 ? [`left as it is: ${refused.join(', ')}; \`npx safekeep encrypt ${refused[0]}\` says why`] : []),
    ].join('; ');
  },
};

/** Phases in which readers take the ciphertext. */
const AT_HOME: ReadonlySet<string> = new Set(['switched', 'nulled', 'checked', 'finished']);

function isFinished(fields: readonly Moved[], column: string): boolean {
  return fields.some(({ field, phase }) => field === column && phase === 'finished');
}

/** In the order of what hurts most. */
function sensitiveColumns(map: DataMap): readonly string[] {
  const rank = ({ categories }: MappedColumn): number =>
    SENSITIVE.findIndex(([prefix]) => categories.some((category) => category === prefix || category.startsWith(`${prefix}.`)));
  return [...map.tables]
    .flatMap(([table, { columns }]) =>
      [...columns].map(([column, facts]) => ({ name: formatColumnName({ ...parseTableName(table), column }), place: rank(facts) })),
    )
    .filter(({ place }) => place >= 0)
    .toSorted((a, b) => a.place - b.place)
    .map(({ name }) => name);
}
