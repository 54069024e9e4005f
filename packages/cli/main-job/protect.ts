import { loadMap } from '@safekeep/capabilities/datamap';
import { requirePerson, type Ground } from '@safekeep/capabilities/requests';
import {
  columnOf,
  formatColumnName,
  isSafekeepError,
  parseTableName,
  shellWord,
  tablesOfNobody,
  unconfirmedPurposes,
  type DataMap,
  type MappedColumn,
} from '@safekeep/core';
import { count } from '../terminal/progress.ts';
import { groundIn } from './ground.ts';
import type { Perform } from './perform.ts';
import type { Step } from './step.ts';

/** What is encrypted, one column of each: what hurts most where it leaks, worst first. Each takes seconds, on a large table minutes. */
const SENSITIVE: readonly string[] = [
  'user.government_id',
  'user.financial.credit_card',
  'user.financial.bank_account',
  'user.health_and_medical.insurance_beneficiary_id',
  'user.health_and_medical',
];

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
  run: async ({ perform, context, erase }) => {
    const { result, ok } = await perform<{ readonly problems: readonly unknown[] }>('map check');
    const { map } = await loadMap(context.mapFile);
    // Whoever is to be erased must be there before anything is applied.
    if (erase !== undefined) await requirePerson(await groundIn(context), erase);
    const adrift = withoutPeople(map);
    const answer = ok
      ? `every column is classified${adrift === '' ? ' and every path leads to a person' : ''}`
      : `${result.problems.length} question(s) that a person has to answer: \`npx safekeep map check\``;
    return answer + adrift + nextForPeople(adrift, context.mapFile) + toBeConfirmed(map);
  },
};

/** Empty where every table of personal data leads to people. */
export function withoutPeople(map: DataMap): string {
  const adrift = tablesOfNobody(map).map(({ name }) => name);
  if (adrift.length === 0) return '';
  const named = adrift.length > NAMED_AT_MOST ? [...adrift.slice(0, NAMED_AT_MOST), '…'] : adrift;
  return `; ${adrift.length} table(s) hold personal data that leads to no person, so that nobody is exported from or erased in them: ${named.join(', ')}`;
}

const NAMED_AT_MOST = 3;

function nextForPeople(adrift: string, mapFile: string): string {
  return adrift === '' ? '' : `. Name the table of people under \`subjects:\` in ${mapFile}, and run this again`;
}

/** What is told to people in exports, and nobody has said that it is so. */
function toBeConfirmed(map: DataMap): string {
  const names = unconfirmedPurposes(map);
  return names.length === 0
    ? ''
    : `; ${names.length} purpose(s) are proposals to be confirmed before a person is told them: ${names.join(', ')}`;
}

type Planned = { readonly hash: string; readonly steps: readonly unknown[] };

export const planAndApply: Step = {
  name: 'apply',
  run: async ({ perform, context }) => {
    const { hash, steps } = await bringToMap(perform);
    if (steps.length === 0) return 'nothing to do: the database is as the map says';
    const { map } = await loadMap(context.mapFile);
    const tables = [...map.tables.values()].filter(({ audit }) => audit.writes).length;
    return `${count(steps.length)} step(s) of plan ${hash.slice(0, 12)}; changes of ${count(tables)} table(s) are captured`;
  },
};

/** Applies what is planned, if there is anything, and has the log take down what stands: what is edited unseen before that nobody finds. */
async function bringToMap(perform: Perform): Promise<Planned> {
  const { result: plan } = await perform<Planned>('plan');
  if (plan.steps.length > 0) await perform('apply', { plan: plan.hash });
  await perform('audit sequence', { once: true });
  return plan;
}

type Moved = { readonly field: string; readonly phase: string; readonly verified: number };

export const encryptSensitive: Step = {
  name: 'encrypt',
  run: async ({ perform, context, isSample }) => {
    const ground = await groundIn(context);
    const { result: before } = await perform<{ readonly fields: readonly Moved[] }>('encrypt status');
    const arrived = new Set(before.fields.filter(({ phase }) => AT_HOME.has(phase)).map(({ field }) => field));
    const kinds = sensitiveColumns(ground);
    const tried: Tried[] = [];
    for (const columns of kinds.filter((each) => !each.some((column) => arrived.has(column))))
      tried.push(await encryptFirst(perform, columns));
    for (const { column } of tried) if (column !== undefined) arrived.add(column);
    const values = tried.reduce((sum, { verified }) => sum + verified, 0);
    const refused = tried.flatMap((each) => each.refused);
    // In the practice of our own no application reads the plaintext, or has to learn that it goes.
    if (isSample)
      for (const column of arrived)
        if (!isFinished(before.fields, column)) await perform('encrypt finish', { column, wait: false });
    // The map says more of these columns than before.
    if (tried.length > 0) await bringToMap(perform);
    const left = kinds.flat().filter((column) => !arrived.has(column) && !refused.includes(column));
    if (arrived.size === 0 && refused.length === 0) return 'no column of a kind that is encrypted unasked';
    return [
      arrived.size === 0 ? 'no column' : [...arrived].join(', '),
      ...(values > 0 ? [`${count(values)} stored values opened again and compared`] : []),
      ...(left.length > 0 ? [stillInClear(left)] : []),
      ...(isSample || arrived.size === 0
        ? []
        : [
            'the plaintext stands beside it until `npx safekeep encrypt finish TABLE.COLUMN`, once your application reads through us',
          ]),
      ...(refused.length > 0
        ? [`left as it is: ${refused.join(', ')}; \`npx safekeep encrypt ${shellWord(refused[0] ?? '')}\` says why`]
        : []),
    ].join('; ');
  },
};

/** What a thief of the database still reads is named, and how it ends. */
function stillInClear(columns: readonly string[]): string {
  const more = columns.length - LEFT_NAMED_AT_MOST;
  const named = columns.slice(0, LEFT_NAMED_AT_MOST).join(', ');
  return `${columns.length} more of these kinds stand in clear, since a first look takes one of each kind: ${named}${more > 0 ? ` and ${more} more (\`npx safekeep map show\`)` : ''}; each with \`npx safekeep encrypt TABLE.COLUMN\``;
}

const LEFT_NAMED_AT_MOST = 20;

type Tried = { readonly column?: string; readonly verified: number; readonly refused: readonly string[] };

/** Encrypts the first of these columns in whose way nothing stands. */
async function encryptFirst(perform: Perform, columns: readonly string[]): Promise<Tried> {
  const refused: string[] = [];
  for (const column of columns) {
    try {
      const { verified } = (await perform<Moved>('encrypt', { column })).result;
      return { column, verified, refused };
    } catch (error) {
      // What stands in the way of one column (a constraint, a view) is told by the command itself, and is no reason to stop.
      if (!isSafekeepError(error) || error.exit !== 1 || error.code === 'declined') throw error;
      refused.push(column);
    }
  }
  return { verified: 0, refused };
}

/** Phases in which readers take the ciphertext. */
const AT_HOME: ReadonlySet<string> = new Set(['switched', 'unread', 'nulled', 'checked', 'finished']);

function isFinished(fields: readonly Moved[], column: string): boolean {
  return fields.some(({ field, phase }) => field === column && phase === 'finished');
}

/**
 * By what hurts most, then as the map has them: their names as they are typed. Without what the database computes from other columns:
 * those are encrypted, where anything can be.
 */
function sensitiveColumns({ map, schema }: Ground): readonly (readonly string[])[] {
  const isComputed = (table: string, column: string): boolean => {
    const live = schema.byName.get(table);
    return live !== undefined && (live.kind === 'materialized-view' || (columnOf(live, column)?.generated ?? null) !== null);
  };
  const kindOf = ({ categories }: MappedColumn): string | undefined =>
    SENSITIVE.find((prefix) => categories.some((category) => category === prefix || category.startsWith(`${prefix}.`)));
  const all = [...map.tables].flatMap(([table, { columns }]) =>
    [...columns]
      .filter(([column]) => !isComputed(table, column))
      .map(([column, facts]) => ({ name: formatColumnName({ ...parseTableName(table), column }), kind: kindOf(facts) })),
  );
  return SENSITIVE.map((kind) => all.filter((column) => column.kind === kind).map(({ name }) => name));
}
