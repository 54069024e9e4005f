import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Type } from '@safekeep/core/schema';
import {
  cardRuleOf,
  formatColumnName,
  formatTableName,
  isSafekeepError,
  parseColumnName,
  searchKinds,
  shellWord,
  type ColumnRef,
  type SearchKind,
} from '@safekeep/core';
import type { Database } from '@safekeep/postgres';
import { command, type Command, type CommandContext } from '../../capability.ts';
import { loadMap } from '../../datamap/index.ts';
import type { Contributor, TakeOut } from '../../plan/index.ts';
import { changeIndexes, unfinished, type IndexOrder, type IndexPlan } from './actions/change-indexes.ts';
import { changeMode } from './actions/change-mode.ts';
import { declaredColumns } from './actions/declared-columns.ts';
import { decryptAll } from './actions/decrypt-all.ts';
import { decryptColumns } from './actions/decrypt-field.ts';
import { encryptFields, type Encrypted } from './actions/encrypt-field.ts';
import { fieldKeys, type KeySource } from './actions/field-keys.ts';
import { fieldStatus } from './actions/field-status.ts';
import { finishFields } from './actions/finish-field.ts';
import { nameOf, type Ground } from './actions/ground.ts';
import type { FieldOrder } from './actions/plan-field.ts';
import { refuseWhileEncrypted } from './actions/refuse-while-encrypted.ts';
import { rotateFields } from './actions/rotate-field.ts';
import { requireAllMoved, type Together } from './actions/together.ts';
import { takeOver } from './actions/take-over.ts';
import { mappedColumn, writeProtection } from './commands/protection.ts';
import { describe, renderDone, renderOne, stoppedLines } from './commands/render.ts';
import {
  DoneText,
  DoneTogether,
  RotatedTogether,
  StatusText,
  type Field,
  type FieldText,
  type Mode,
  type StoppedText,
} from './model.ts';
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

const Also = Type.Optional(
  Type.String({
    description: 'other columns of the same table, by commas, that go along: its rows are gone through once for all of them',
  }),
);
const STOPPED = 'one of several columns was stopped; the others went on';

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
      also: Also,
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
    output: DoneTogether,
    example: 'safekeep encrypt public.patients.ssn --search exact,last4',
    event: { kind: 'compliance', tells: ['field', 'others'] },
    notSo: STOPPED,
    run: async (context, input) => {
      const [ref, ...others] = columnsOf(input);
      if (input.takeOver) return await takingOver(context, open, ref);
      const asked = [await askedOf(context, ref, input)];
      // What it is searched by was said of the one alone; of the others the map says.
      for (const other of others) asked.push(await askedOf(context, other, { ...input, search: undefined, with: undefined }));
      return await moving(context, open, async (ground) => {
        const orders = asked.map(({ order }) => order);
        const together = await encryptFields(ground, orders, async (plans) => {
          for (const { answers } of plans)
            for (const each of answers) context.say(`${each.object}: ${each.breaks}. What to do: ${each.remedy}.`);
          await context.confirm(`Encrypting ${plans.map(({ field }) => nameOf(field)).join(', ')}`);
        });
        const byName = new Map(asked.map((each) => [formatColumnName(each.order.column), each]));
        return await outcomeOf(together, async (encrypted) => {
          const its = byName.get(nameOf(encrypted.field));
          if (its === undefined) throw new Error('A column was encrypted that nobody asked for');
          return await settled(context, ground, { encrypted, ...its, mode: input.mode });
        });
      });
    },
    render: renderDone,
  });
}

type Input = {
  readonly column: string;
  readonly also?: string | undefined;
};

/** The column of a call, and those of its table that go along. */
function columnsOf({ column: named, also = '' }: Input): readonly [ColumnRef, ...ColumnRef[]] {
  const ref = parseColumnName(named);
  return [ref, ...parseWith(also).flatMap((other) => (other === ref.column ? [] : [{ ...ref, column: other }]))];
}

type Asked = { readonly order: FieldOrder; readonly wanted: IndexOrder };
type AskedInput = {
  readonly mode?: Mode | undefined;
  readonly search?: string | undefined;
  readonly with?: string | undefined;
  readonly acceptLeak: boolean;
  readonly prepare: boolean;
};

/** By what the call says, else by the map. */
async function askedOf(context: CommandContext, ref: ColumnRef, input: AskedInput): Promise<Asked> {
  const { acceptLeak } = input;
  const { map, mapped } = await mappedColumn(context, ref);
  const search = input.search === undefined ? mapped?.search : parseSearch(input.search);
  const searchWith = input.with === undefined ? someOf(mapped?.searchWith) : parseWith(input.with);
  const order: FieldOrder = {
    column: ref,
    mode: input.mode ?? (mapped?.protect === 'database' ? 'database' : 'client'),
    search: search ?? [],
    card: cardRuleOf(mapped?.categories ?? []),
    tenantBy: map === undefined ? undefined : (map.map.tables.get(formatTableName(ref))?.tenant ?? map.map.tenant).kind,
    acceptLeak,
    ...(input.prepare ? { until: 'dual-write' } : {}),
  };
  // Without a word about searches there or here those that stand stay.
  return {
    order,
    wanted: { acceptLeak, ...(search === undefined ? {} : { search }), ...(searchWith === undefined ? {} : { searchWith }) },
  };
}

type Settling = Asked & { readonly encrypted: Encrypted; readonly mode: Mode | undefined };

/** Brings a column that may have been encrypted before to the mode and the searches that are asked for, and writes it into the map. */
async function settled(
  context: CommandContext,
  ground: Ground,
  { encrypted: { field, answers }, order: { column: ref }, wanted, mode }: Settling,
): Promise<DoneText> {
  const agree = () => context.confirm(`Changing the mode of ${formatColumnName(ref)}`);
  const moved = mode === undefined || field.mode === mode ? field : await changeMode(ground, ref, { mode, agree });
  // Before rows are sealed its searches are those that it was planned with.
  const isSearchAsked = (wanted.search !== undefined || wanted.searchWith !== undefined) && moved.phase !== 'dual-write';
  const searched = isSearchAsked ? await searchedBy(context, ground, { ref, order: wanted }) : moved;
  await writeProtection(context, ref, {
    protect: searched.mode,
    search: kindsOf(searched),
    searchWith: wanted.searchWith ?? withOf(searched),
  });
  return { ...fieldText(searched), answers: answers.map(answerText), residue: [] };
}

type Told<Text> = Text & { readonly also: Text[]; readonly others: string[]; readonly stopped: StoppedText[] };

/**
 * What a command answers of columns that were moved together: of the first that came through as if it had been alone, of the others beside
 * it. Where none did, or what stopped one is no refusal of ours, it is thrown.
 */
async function outcomeOf<Result, Text extends FieldText>(
  { moved, stopped }: Together<Result>,
  textOf: (moved: Result) => Promise<Text>,
): Promise<{ readonly result: Told<Text>; readonly ok: boolean }> {
  const texts: Text[] = [];
  for (const each of moved) texts.push(await textOf(each));
  const [first, ...also] = texts;
  const refusals = [...stopped].flatMap(([field, error]) =>
    isSafekeepError(error) ? [{ field, reason: error.message, remedy: error.remedy }] : [],
  );
  if (first === undefined || refusals.length < stopped.size) requireAllMoved(stopped);
  if (first === undefined) throw new Error('Nothing was moved');
  return { result: { ...first, also, others: also.map(({ field }) => field), stopped: refusals }, ok: refusals.length === 0 };
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
    const result = { ...fieldText(field), answers: [], residue: [], also: [], others: [], stopped: [] };
    return { result, ok: true };
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
    input: Type.Object({ column: Column, also: Also, wait: NoClients }),
    output: DoneTogether,
    example: 'safekeep encrypt finish public.patients.ssn',
    event: { kind: 'compliance', tells: ['field', 'others'] },
    notSo: STOPPED,
    run: async (context, input) =>
      await moving(context, open, async (ground) => {
        const agree = (fields: readonly Field[]): Promise<void> =>
          context.confirm(`Taking the plaintext of ${fields.map(nameOf).join(', ')} away`);
        const together = await finishFields(input.wait ? ground : { ...ground, leaseMs: 0 }, columnsOf(input), agree);
        return await outcomeOf(together, async ({ field, residue }) => ({
          ...fieldText(field),
          answers: [],
          residue: [...residue],
        }));
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
      also: Also,
      resume: Type.Boolean({
        default: false,
        description: 'go on with a rotation that was interrupted, under the key that is current',
      }),
      wait: Type.Boolean({
        default: true,
        description: 'no application writes the column: do not wait until each has learnt of the new key',
      }),
    }),
    output: RotatedTogether,
    example: 'safekeep encrypt rotate public.patients.ssn',
    event: { kind: 'compliance', tells: ['field', 'others'] },
    notSo: STOPPED,
    run: async (context, input) =>
      await moving(context, open, async (ground) => {
        const agree = (fields: readonly Field[]): Promise<void> =>
          context.confirm(`Putting ${fields.map(nameOf).join(', ')} under ${fields.length === 1 ? 'a new key' : 'new keys'}`);
        const { wait, resume } = input;
        const together = await rotateFields(wait ? ground : { ...ground, leaseMs: 0 }, columnsOf(input), { agree, resume });
        return await outcomeOf(together, async ({ field, census, currentKeyId }) => ({
          ...fieldText(field),
          keyId: currentKeyId,
          keys: census.map((each) => ({ ...each })),
        }));
      }),
    render: (result, ink) =>
      [
        ...[result, ...result.also].map((each) => `${describe(each, ink)}\nAll values are under key ${each.keyId}.`),
        ...stoppedLines(result, ink),
      ].join('\n'),
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
    render: renderOne,
  });
}

function decrypt(open: OpenKeySource): Command {
  return command({
    name: 'decrypt',
    summary: 'go all the way back: plaintext in every row, and nothing of Safekeep left on the column',
    positionals: [column],
    input: Type.Object({ column: Column, also: Also, wait: NoClients }),
    output: DoneTogether,
    example: 'safekeep decrypt public.patients.ssn',
    event: { kind: 'compliance', tells: ['field', 'others'] },
    notSo: STOPPED,
    run: async (context, input) =>
      await moving(context, open, async (ground) => {
        const agree = (fields: readonly Field[]): Promise<void> => context.confirm(`Decrypting ${fields.map(nameOf).join(', ')}`);
        const together = await decryptColumns(input.wait ? ground : { ...ground, leaseMs: 0 }, columnsOf(input), agree);
        return await outcomeOf(together, async (field) => {
          await writeProtection(context, { ...field.table, column: field.column }, { protect: 'none', search: [], searchWith: [] });
          return { ...fieldText(field), answers: [], residue: [] };
        });
      }),
    render: (result, ink) =>
      [
        ...[result, ...result.also].map(
          ({ field, done }) => `${ink.good('decrypted')} ${field}: ${done} values given back, the schema is as before.`,
        ),
        ...stoppedLines(result, ink),
      ].join('\n'),
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
    left: (database, tenant) => refuseWhileEncrypted({ database, tenant }),
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
