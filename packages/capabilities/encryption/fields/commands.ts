import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import Type from 'typebox';
import {
  cardRuleOf,
  formatColumnName,
  formatTableName,
  isSafekeepError,
  parseColumnName,
  SafekeepError,
  searchKinds,
  shellWord,
  type ColumnRef,
  type MappedColumn,
  type SearchKind,
} from '@safekeep/core';
import type { Database } from '@safekeep/postgres';
import { command, type Command, type CommandContext, type Frozen, type Ink } from '../../capability.ts';
import { editMap, loadMap, saveMap, type MapText } from '../../datamap/index.ts';
import type { Contributor, TakeOut } from '../../plan/index.ts';
import { changeIndexes, unfinished, type IndexOrder, type IndexPlan } from './actions/change-indexes.ts';
import { changeMode } from './actions/change-mode.ts';
import { declaredColumns } from './actions/declared-columns.ts';
import { decryptAll } from './actions/decrypt-all.ts';
import { decryptField } from './actions/decrypt-field.ts';
import { encryptField } from './actions/encrypt-field.ts';
import { fieldKeys, type KeySource } from './actions/field-keys.ts';
import { fieldStatus } from './actions/field-status.ts';
import { finishField } from './actions/finish-field.ts';
import type { Ground } from './actions/ground.ts';
import type { FieldOrder } from './actions/plan-field.ts';
import { rotateField } from './actions/rotate-field.ts';
import { takeOver } from './actions/take-over.ts';
import { refuseWhileEncrypted } from './contributor.ts';
import { DoneText, RotatedText, StatusText, type Field, type Mode } from './model.ts';
import { declarationsOf } from './rules/declarations.ts';
import { answerText, fieldText, parseIndexes, parseSearch, parseWith } from './rules/text.ts';

/** Opens the keys of a home for the length of a command; whoever opens closes. */
export type OpenKeySource = (
  context: CommandContext,
  database: Database,
) => Promise<{
  readonly source: KeySource;
  readonly follows: readonly Contributor[];
  readonly close: () => Promise<void>;
}>;

const column = { key: 'column', label: 'TABLE.COLUMN', description: 'schema.table.column; public. may be left out' };
const Column = Type.String({ minLength: 1 });
const AcceptLeak = Type.Boolean({
  default: false,
  description: 'give it the index although a frequency attack would recover more than 1 % of the rows beyond guessing',
});

const NoClients = Type.Boolean({
  default: true,
  description: 'no application uses the SDK on this database: do not wait until each has learnt of the field',
});

/** The commands of encrypted columns. */
export function fieldCommands(open: OpenKeySource): readonly Command[] {
  return [encrypt(open), status, finish(open), rotate(open), reindex(open), decrypt(open), types];
}

function encrypt(open: OpenKeySource): Command {
  return command({
    name: 'encrypt',
    summary: 'encrypt a column while the application uses it, up to where readers take the ciphertext',
    positionals: [column],
    input: Type.Object({
      column: Column,
      mode: Type.Optional(
        Type.Union([Type.Literal('client'), Type.Literal('database')], {
          description: 'who holds the key: the application (client, unless the map says otherwise) or an unlocked session',
        }),
      ),
      search: Type.Optional(
        Type.String({
          description: `what it is found by, by commas: ${searchKinds.join(', ')}; of a column that is encrypted already the others go`,
        }),
      ),
      with: Type.Optional(
        Type.String({
          description:
            'columns of the same table, by commas, that it is searched together with, once all are finished; none: no longer',
        }),
      ),
      acceptLeak: AcceptLeak,
      takeOver: Type.Boolean({
        default: false,
        description:
          'it was encrypted under another name, of the column or the table: from now on it goes by this one; no value is sealed anew',
      }),
      prepare: Type.Boolean({
        default: false,
        description: 'stop once columns and triggers stand: the rows are sealed from SQL (safekeep.migrate_plaintext_to_encrypted)',
      }),
    }),
    output: DoneText,
    example: 'safekeep encrypt public.patients.ssn --search exact,last4',
    event: { kind: 'compliance', tells: ['field'] },
    run: async (context, input) => {
      const ref = parseColumnName(input.column);
      if (input.takeOver) return await takingOver(context, open, ref);
      const { map, mapped } = await mappedColumn(context, ref);
      const mode: Mode = input.mode ?? (mapped?.protect === 'database' ? 'database' : 'client');
      const search = input.search === undefined ? mapped?.search : parseSearch(input.search);
      const searchWith = input.with === undefined ? someOf(mapped?.searchWith) : parseWith(input.with);
      const order: FieldOrder = {
        column: ref,
        mode,
        search: search ?? [],
        card: cardRuleOf(mapped?.categories ?? []),
        tenantBy: map === undefined ? undefined : (map.map.tables.get(formatTableName(ref))?.tenant ?? map.map.tenant).kind,
        acceptLeak: input.acceptLeak,
        ...(input.prepare ? { until: 'dual-write' } : {}),
      };
      return await moving(context, open, async (ground) => {
        const { field, answers } = await encryptField(ground, order, async ({ answers: told }) => {
          for (const each of told) context.say(`${each.object}: ${each.breaks}. What to do: ${each.remedy}.`);
          await context.confirm(`Encrypting ${formatColumnName(ref)}`);
        });
        const moved =
          input.mode === undefined || field.mode === mode
            ? field
            : await changeMode(ground, ref, {
                mode,
                agree: () => context.confirm(`Changing the mode of ${formatColumnName(ref)}`),
              });
        // Without a word about searches there or here those that stand stay.
        const wanted: IndexOrder = {
          acceptLeak: input.acceptLeak,
          ...(search === undefined ? {} : { search }),
          ...(searchWith === undefined ? {} : { searchWith }),
        };
        // Before rows are sealed its searches are those that it was planned with.
        const isToStay = (search === undefined && searchWith === undefined) || moved.phase === 'dual-write';
        const searched = isToStay ? moved : await searchedBy(context, ground, { ref, order: wanted });
        await writeProtection(context, ref, {
          protect: searched.mode,
          search: kindsOf(searched),
          searchWith: searchWith ?? withOf(searched),
        });
        return { result: { ...fieldText(searched), answers: answers.map(answerText), residue: [] } };
      });
    },
    render: renderDone,
  });
}

async function takingOver(context: CommandContext, open: OpenKeySource, ref: ColumnRef) {
  return await moving(context, open, async (ground) => {
    const field = await takeOver(ground, ref, {
      agree: async (was) => {
        for (const { table, column: name } of was) context.say(`It was ${formatColumnName({ ...table, column: name })}.`);
        await context.confirm(`Taking ${formatColumnName(ref)} over under its new name`);
      },
    });
    await writeProtection(context, ref, { protect: field.mode, search: kindsOf(field), searchWith: withOf(field) });
    return { result: { ...fieldText(field), answers: [], residue: [] } };
  });
}

const status = command({
  name: 'encrypt status',
  summary: 'show how far every encrypted column is, what is not sealed yet, and under which keys its values are',
  input: Type.Object({}),
  output: StatusText,
  example: 'safekeep encrypt status',
  run: async (context) => {
    const fields = await fieldStatus({ database: await context.database(), tenant: context.tenant });
    return { result: { fields: [...fields] } };
  },
  render: ({ fields }, ink) =>
    fields.length === 0
      ? 'No column is encrypted.'
      : fields
          .map(
            (each) =>
              `${describe(each, ink)}${each.unsealed === 0 ? '' : ink.warn(`  ${each.unsealed} rows written without a key`)}${each.keys.map(({ keyId, values }) => `\n  key ${keyId}: ${values} values`).join('')}`,
          )
          .join('\n'),
});

const types = command({
  name: 'map types',
  summary: 'write TypeScript declarations of the encrypted columns of the map',
  input: Type.Object({ out: Type.String({ default: 'safekeep-fields.d.ts', minLength: 1, description: 'the file to write' }) }),
  output: Type.Object({ file: Type.String(), columns: Type.Integer() }),
  example: 'safekeep map types --out src/safekeep-fields.d.ts',
  run: async (context, { out }) => {
    const { map } = await loadMap(context.mapFile);
    const columns = await declaredColumns(await context.database({ migrate: false }), map);
    const file = resolve(out);
    await writeFile(file, declarationsOf(columns));
    return { result: { file, columns: columns.length } };
  },
  render: ({ file, columns }) => `${columns} encrypted column(s) declared in ${file}`,
});

function finish(open: OpenKeySource): Command {
  return command({
    name: 'encrypt finish',
    summary: 'take the plaintext away, row by row, each once its ciphertext was opened and found equal',
    positionals: [column],
    input: Type.Object({
      column: Column,
      wait: NoClients,
    }),
    output: DoneText,
    example: 'safekeep encrypt finish public.patients.ssn',
    event: { kind: 'compliance', tells: ['field'] },
    run: async (context, input) =>
      await moving(context, open, async (ground) => {
        const ref = parseColumnName(input.column);
        const agree = (): Promise<void> => context.confirm(`Taking the plaintext of ${formatColumnName(ref)} away`);
        const { field, residue } = await finishField(input.wait ? ground : { ...ground, leaseMs: 0 }, ref, agree);
        return { result: { ...fieldText(field), answers: [], residue: [...residue] } };
      }),
    render: renderDone,
  });
}

function rotate(open: OpenKeySource): Command {
  return command({
    name: 'encrypt rotate',
    summary: 'give a column a new key and put every value under it, until the headers in the data name no other',
    positionals: [column],
    input: Type.Object({
      column: Column,
      resume: Type.Boolean({
        default: false,
        description: 'go on with a rotation that was interrupted, under the key that is current',
      }),
      wait: Type.Boolean({
        default: true,
        description: 'no application writes the column: do not wait until each has learnt of the new key',
      }),
    }),
    output: RotatedText,
    example: 'safekeep encrypt rotate public.patients.ssn',
    event: { kind: 'compliance', tells: ['field'] },
    run: async (context, { column: named, resume, wait }) =>
      await moving(context, open, async (ground) => {
        const ref = parseColumnName(named);
        const agree = () => context.confirm(`Putting ${formatColumnName(ref)} under a new key`);
        const { field, census, currentKeyId } = await rotateField(wait ? ground : { ...ground, leaseMs: 0 }, ref, {
          agree,
          resume,
        });
        return { result: { ...fieldText(field), keyId: currentKeyId, keys: census.map((each) => ({ ...each })) } };
      }),
    render: (result, ink) => `${describe(result, ink)}\nAll values are under key ${result.keyId}.`,
  });
}

function reindex(open: OpenKeySource): Command {
  return command({
    name: 'encrypt reindex',
    summary:
      'make indexes of an encrypted column anew, each under a key of its own, and drop the ones before once nobody searches by them',
    positionals: [column],
    input: Type.Object({
      column: Column,
      search: Type.String({ description: 'which of its searches, by commas; compound: the one together with other columns' }),
      acceptLeak: AcceptLeak,
    }),
    output: DoneText,
    example: 'safekeep encrypt reindex public.patients.ssn --search exact',
    event: { none: 'the column stays encrypted as it was; the key that it makes for the index is an event of its own' },
    run: async (context, { column: named, search, acceptLeak }) =>
      await moving(context, open, async (ground) => {
        const ref = parseColumnName(named);
        const agree = (plan: IndexPlan): Promise<void> => agreeToIndexes(context, ref, plan);
        const field = await changeIndexes(ground, ref, { renew: parseIndexes(search), acceptLeak, agree });
        return { result: { ...fieldText(field), answers: [], residue: [] } };
      }),
    render: renderDone,
  });
}

function decrypt(open: OpenKeySource): Command {
  return command({
    name: 'decrypt',
    summary: 'go all the way back: plaintext in every row, and nothing of Safekeep left on the column',
    positionals: [column],
    input: Type.Object({ column: Column, wait: NoClients }),
    output: DoneText,
    example: 'safekeep decrypt public.patients.ssn',
    event: { kind: 'compliance', tells: ['field'] },
    run: async (context, input) =>
      await moving(context, open, async (ground) => {
        const ref = parseColumnName(input.column);
        const field = await decryptField(input.wait ? ground : { ...ground, leaseMs: 0 }, ref, () =>
          context.confirm(`Decrypting ${formatColumnName(ref)}`),
        );
        await writeProtection(context, ref, { protect: 'none', search: [], searchWith: [] });
        return { result: { ...fieldText(field), answers: [], residue: [] } };
      }),
    render: (result, ink) => `${ink.good('decrypted')} ${result.field}: ${result.done} values given back, the schema is as before.`,
  });
}

/** For `unapply`: the plaintext of every encrypted column comes back; the map keeps what it asked for. */
export function giveBackPlaintext(open: OpenKeySource): TakeOut {
  return {
    run: async (context, { wait }) =>
      await moving(context, open, async (ground) => {
        const given = await decryptAll(wait ? ground : { ...ground, leaseMs: 0 }, ({ length }) =>
          context.confirm(`Decrypting ${length} column(s)`),
        );
        return given.map(
          ({ table, column, done }) => `${formatColumnName({ ...table, column })}: plaintext is back, ${done} values.`,
        );
      }),
    left: refuseWhileEncrypted,
  };
}

function kindsOf({ indexes }: Field): readonly SearchKind[] {
  return indexes
    .filter(({ state }) => state === 'serving')
    .flatMap(({ kind }) => searchKinds.find((known) => known === kind) ?? []);
}

function withOf({ indexes }: Field): readonly string[] {
  const compound = indexes.findLast(({ kind, state }) => kind === 'compound' && state === 'serving');
  return compound?.parts.slice(1).map((part) => part.column) ?? [];
}

/** Nothing written is nothing asked for. */
function someOf<Item>(items: readonly Item[] | undefined): readonly Item[] | undefined {
  return items === undefined || items.length === 0 ? undefined : items;
}

type Searched = { readonly ref: ColumnRef; readonly order: IndexOrder };

async function searchedBy(context: CommandContext, ground: Ground, { ref, order }: Searched): Promise<Field> {
  const { searchWith, ...own } = order;
  const agree = (plan: IndexPlan): Promise<void> => agreeToIndexes(context, ref, plan);
  const waiting = searchWith === undefined ? [] : await unfinished(ground, ref, searchWith);
  if (waiting.length === 0) return await changeIndexes(ground, ref, { ...order, agree });
  // What is written in plaintext only would not be found: that search comes when all plaintext is gone.
  context.say(
    `${formatColumnName(ref)} can be searched with ${searchWith?.join(', ') ?? ''} once all are finished. Then run the same command again; first ${waiting.map((name) => `safekeep encrypt finish ${shellWord(name)}`).join(', ')}.`,
  );
  return await changeIndexes(ground, ref, { ...own, agree });
}

async function agreeToIndexes(context: CommandContext, ref: ColumnRef, { made, taken, answers }: IndexPlan): Promise<void> {
  for (const { object, breaks, remedy } of answers) context.say(`${object}: ${breaks}. What to do: ${remedy}.`);
  for (const { kind, column } of taken) context.say(`The search by ${kind} goes, and with it column ${column}.`);
  const what = [...made.map(({ column }) => `making ${column}`), ...taken.map(({ column }) => `dropping ${column}`)].join(', ');
  await context.confirm(`Changing what ${formatColumnName(ref)} is searched by: ${what}`);
}

/** Runs a move with its progress shown and the keys open, to the end of it however it ends. */
async function moving<Result>(
  context: CommandContext,
  open: OpenKeySource,
  run: (ground: Ground) => Promise<Result>,
): Promise<Result> {
  const database = await context.database();
  const { source, follows, close } = await open(context, database);
  const progress = context.progress('encrypting', { unit: 'rows' });
  try {
    const { tenant, clock, signal } = context;
    return await run({
      database,
      tenant,
      clock,
      signal,
      keys: fieldKeys(source),
      follows,
      observe: (moment, _field, { done, total }) => {
        if (moment === 'committed') progress.update(done, Math.max(done, total));
        if (moment === 'waiting') context.say('Waiting until every client knows of the field; that takes a minute at most.');
      },
    });
  } finally {
    progress.end();
    await close();
  }
}

type Mapped = { readonly map: MapText | undefined; readonly mapped: MappedColumn | undefined };

/** A column can be encrypted without a map; then nothing is written into one. */
async function mappedColumn(context: CommandContext, ref: ColumnRef): Promise<Mapped> {
  try {
    const map = await loadMap(context.mapFile);
    return { map, mapped: map.map.tables.get(formatTableName(ref))?.columns.get(ref.column) };
  } catch (error) {
    if (isSafekeepError(error, 'map-missing')) return { map: undefined, mapped: undefined };
    throw error;
  }
}

type Protected = {
  readonly protect: Mode | 'none';
  readonly search: readonly SearchKind[];
  readonly searchWith: readonly string[];
};

async function writeProtection(context: CommandContext, ref: ColumnRef, { protect, search, searchWith }: Protected): Promise<void> {
  const { map, mapped } = await mappedColumn(context, ref);
  const name = formatColumnName(ref);
  if (map === undefined || mapped === undefined) {
    context.say(`The map does not know ${name}: run safekeep scan --write, and give it protect: ${protect} there.`);
    return;
  }
  const values = {
    protect,
    ...(search.length > 0 || mapped.search.length > 0 ? { search: [...search] } : {}),
    ...(searchWith.length > 0 || mapped.searchWith.length > 0 ? { search_with: [...searchWith] } : {}),
  };
  const text = editMap(map, [{ kind: 'set-column', table: formatTableName(ref), column: ref.column, values }]);
  try {
    await saveMap(context.mapFile, text, map.text);
  } catch (error) {
    // What was done to the database stands; only the file is behind.
    if (!isSafekeepError(error)) throw error;
    throw new SafekeepError('field-map-behind', { field: name, protect, reason: error.message }, { cause: error });
  }
}

function describe(
  { field, mode, phase, direction, done, total, rowsPerSecond }: Frozen<Omit<DoneText, 'answers' | 'residue'>>,
  ink: Ink,
): string {
  const way = direction === 'out' ? ink.warn(' (going back)') : '';
  return `${ink.strong(field)}  ${mode}  ${phase}${way}  ${done} of ${total} rows${rowsPerSecond > 0 ? `, ${Math.round(rowsPerSecond)} a second` : ''}`;
}

function searches({ search }: Frozen<Pick<DoneText, 'search'>>, ink: Ink): readonly string[] {
  return search.map(({ kind, with: others, column, bits, attackGain, state }) =>
    ink.dim(
      kind === 'unique'
        ? `kept unique in ${column} by the whole hash, which shows equal values to be equal (${state})`
        : kind === 'card_bin' || kind === 'card_last4'
          ? `shown in the clear in ${column}, as PCI DSS 3.4.1 allows (${state})`
          : `search ${kind === 'compound' ? `together with ${others.join(', ')}` : `by ${kind}`} in ${column}: ${bits} bits; a frequency attack gains ${(attackGain * 100).toFixed(2)} % over guessing (${state})`,
    ),
  );
}

function renderDone(result: Frozen<DoneText>, ink: Ink): string {
  const next =
    result.phase === 'switched'
      ? `Readers take the ciphertext in ${result.encryptedColumn}; the plaintext still stands. When every application goes through the SDK or the view:\n  safekeep encrypt finish ${shellWord(result.field)}`
      : result.phase === 'dual-write'
        ? `Columns and triggers stand. Seal the rows from SQL, or run the same command without --prepare.`
        : '';
  return [
    describe(result, ink),
    `${result.verified} stored values were opened and compared.`,
    ...searches(result, ink),
    ...(result.residue.length === 0 ? [] : ['Plaintext may still be found:', ...result.residue.map((each) => `  - ${each}`)]),
    next,
  ]
    .filter((line) => line !== '')
    .join('\n');
}
