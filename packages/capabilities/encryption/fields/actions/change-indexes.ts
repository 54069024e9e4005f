import {
  canonicalForm,
  codeOf,
  indexName,
  SafekeepError,
  shellWord,
  searchFits,
  searchKinds,
  type ColumnRef,
  type IndexKind,
  type SearchKind,
} from '@safekeep/core';
import { findTable, readCatalog } from '@safekeep/postgres';
import type { Field, FieldIndex, IndexPart, PageRange } from '../model.ts';
import { chooseIndex } from '../rules/choose-index.ts';
import type { Frequency } from '../rules/frequency.ts';
import { batchPages } from '../rules/pace.ts';
import { aboutUnique, searchAnswers, type Answer } from '../rules/refusals.ts';
import { createTriggers, lockToAlter, runAll } from '../store/definition.ts';
import { addIndexColumns, dropIndexColumn } from '../store/index-definition.ts';
import { ageOfIndex, deleteIndex, insertIndex, listFields, readField, setIndexState, updateField } from '../store/records.ts';
import { countValues, readParts, readSealed, tableSize } from '../store/rows.ts';
import { partsOf } from '../store/partitions.ts';
import { createView, dropView, othersShown, readersOfView } from '../store/view.ts';
import {
  buildIndexes,
  closing,
  follow,
  inTransaction,
  leaseOf,
  nameOf,
  reading,
  requireUnaltered,
  NotYet,
  untilHeard,
  withLease,
  type Ground,
} from './ground.ts';
import { fresh, knownField } from './known.ts';
import { refuseReaders } from './readers-of-view.ts';
import { compoundForms, compounding, indexing, type Pass } from './passes.ts';
import { sweep, sweepOnce, walk } from './walk.ts';

export type IndexOrder = {
  /** All that it shall be searched by: what is missing is made, what is there beside goes. Those that stand, where it is left out. */
  readonly search?: readonly SearchKind[];
  /** Columns of the table that it shall be searched together with; none: it goes. What stands, where it is left out. */
  readonly searchWith?: readonly string[];
  /** Those that stand and are to be made anew under a key of their own. */
  readonly renew?: readonly IndexKind[];
  readonly acceptLeak: boolean;
};

export type IndexPlan = {
  readonly made: readonly FieldIndex[];
  /** Taken away at once, without another that takes its place. */
  readonly taken: readonly FieldIndex[];
  readonly answers: readonly Answer[];
};

/**
 * Gives an encrypted column the indexes that it shall be searched by, while the application goes on: a new one is written by everybody
 * from the moment that its column stands, filled in for what stands there, and searched only when every client knows of it and no
 * value is without; one that was made anew takes the place of the one before in the same step. What goes is first searched no more,
 * then written no more, then dropped. Goes on from wherever an interrupted run came to.
 *
 * @throws `field-unknown`, `field-not-switched`, `field-going-back`, `field-search-unsafe`, `field-unfit`, `field-values-doubled`,
 *   `field-busy`, `field-changed`, `field-rows-locked`, `lock-timeout`.
 */
export async function changeIndexes(
  ground: Ground,
  column: ColumnRef,
  { agree, ...order }: IndexOrder & { readonly agree: (plan: IndexPlan) => Promise<void> },
): Promise<Field> {
  const known = await knownField(ground, column);
  if (known.direction === 'out') throw new SafekeepError('field-going-back', { field: nameOf(known) });
  // In between `finish` changes the same triggers.
  if (!['switched', 'finished'].includes(known.phase))
    throw new SafekeepError('field-not-switched', { field: nameOf(known), phase: known.phase });
  return await withLease(ground, [known], async (held) => {
    const field = await fresh(held, known);
    const plan = await planIndexes(held, field, order);
    if (plan.made.length + plan.taken.length > 0) {
      // An index that is made anew takes away the column of the one before.
      if (plan.taken.length + (order.renew?.length ?? 0) > 0) await refuseReaders(held, field);
      await agree(plan);
      await begin(held, field, plan);
    }
    return await advance(held, field);
  });
}

async function planIndexes(ground: Ground, field: Field, order: IndexOrder): Promise<IndexPlan> {
  const { renew = [], acceptLeak } = order;
  const current = field.indexes.filter(({ state }) => state === 'building' || state === 'serving');
  const others = (await reading(ground, (client) => listFields(client, ground.tenant))).filter(
    ({ id, table }) => id !== field.id && table.schema === field.table.schema && table.table === field.table.table,
  );
  const search = order.search ?? [...new Set(current.map(({ kind }) => kind))].filter(isSearch);
  const parts = partsAsked(field, { current, others, order });
  const taken = current.filter((index) =>
    index.kind === 'compound' ? !isOf(index, parts) : isSearch(index.kind) && !search.includes(index.kind),
  );
  const staying = current.filter((index) => !taken.includes(index));
  // A renewal that was interrupted goes on instead of beginning again.
  const renewed = renew.filter((kind) => !staying.some((each) => each.kind === kind && each.state === 'building'));
  const asked: readonly IndexKind[] = parts.length === 0 ? search : [...search, 'compound'];
  const wanted = asked.filter((kind) => renewed.includes(kind) || !staying.some((each) => each.kind === kind));
  const absent = renew.filter((kind) => !staying.some((each) => each.kind === kind));
  if (wanted.length + absent.length > 0) await refuseUnfit(ground, field, { wanted, absent });
  const own = staying.filter(({ kind }) => !wanted.includes(kind));
  const isOne = own.length + wanted.length < 2;
  const kinds: readonly IndexKind[] = isOne || wanted.includes('exact') || wanted.length === 0 ? wanted : [...wanted, 'exact'];
  const counted = await frequenciesOf(ground, field, { kinds, parts });
  const beside = [...others.flatMap(({ indexes }) => indexes), ...own];
  const made: FieldIndex[] = [];
  for (const kind of wanted) {
    const together = kind === 'compound' ? undefined : { indexes: [...own, ...made], values: counted.get('exact') ?? [] };
    const chosen = chooseIndex(counted.get(kind) ?? [], {
      name: nameOf(field),
      kind,
      beside: [...beside, ...made],
      ...(together === undefined ? {} : { together }),
      acceptLeak,
    });
    const version = 1 + Math.max(0, ...field.indexes.filter((each) => each.kind === kind).map((each) => each.version));
    const column = indexName(field.column, kind, version);
    made.push({ ...chosen, version, column, state: 'building', parts: kind === 'compound' ? parts : [] });
  }
  return { made, taken, answers: searchAnswers(field.column, wanted) };
}

function isSearch(kind: IndexKind): kind is SearchKind {
  return searchKinds.some((known) => known === kind);
}

type PartsAsked = { readonly current: readonly FieldIndex[]; readonly others: readonly Field[]; readonly order: IndexOrder };

/** The fields that a compound index shall be of, this one first; none where there shall be none. @throws `field-unfit` */
function partsAsked(field: Field, { current, others, order }: PartsAsked): readonly IndexPart[] {
  const standing = current.find(({ kind }) => kind === 'compound');
  if (order.searchWith === undefined) return standing?.parts ?? [];
  const names = [...new Set(order.searchWith)].filter((name) => name !== field.column);
  if (names.length === 0) return [];
  const fields = [field, ...names.map((name) => others.find(({ column }) => column === name) ?? name)];
  const reasons = fields.flatMap((each) => {
    const reason = typeof each === 'string' ? 'it is not encrypted' : unfitForCompound(each, field);
    return reason === null ? [] : [`- search with ${typeof each === 'string' ? each : each.column}: ${reason}.`];
  });
  if (reasons.length > 0) throw new SafekeepError('field-unfit', { field: nameOf(field), reasons: reasons.join('\n') });
  return fields
    .filter((each) => typeof each !== 'string')
    .map(({ id, tenant, keyScope, valueType, column, encryptedColumn }) => ({
      id,
      tenant,
      keyScope,
      valueType,
      column,
      encryptedColumn,
    }));
}

/** Whoever makes the index opens all of its values, and finds none that are written as plaintext only. */
function unfitForCompound(field: Field, owner: Field): string | null {
  if (!searchFits('exact', field.valueType))
    return `values of type ${field.columnType} cannot be found that way. What to do: leave it out`;
  if (field.direction === 'out')
    return 'it is on its way back to plaintext. What to do: let decrypt come to its end, or leave it out';
  if (field.phase !== 'finished')
    return `its plaintext still stands. What to do first: safekeep encrypt finish ${shellWord(nameOf(field))}`;
  if (field.mode !== owner.mode)
    return `its keys are in other hands (${field.mode} mode). What to do first: safekeep encrypt ${shellWord(nameOf(field))} --mode ${owner.mode}`;
  return null;
}

/** Which of a column and those that it shall be searched with still have plaintext, by name: an index over all comes afterwards. */
export async function unfinished(ground: Ground, column: ColumnRef, searchWith: readonly string[]): Promise<readonly string[]> {
  if (searchWith.length === 0) return [];
  const fields = await reading(ground, (client) => listFields(client, ground.tenant));
  return fields
    .filter(
      ({ table, column: name }) =>
        table.schema === column.schema && table.table === column.table && (name === column.column || searchWith.includes(name)),
    )
    .filter(({ phase }) => phase !== 'finished')
    .map(nameOf);
}

function isOf({ parts }: FieldIndex, asked: readonly IndexPart[]): boolean {
  return parts.length === asked.length && parts.every(({ id }, place) => id === asked[place]?.id);
}

async function refuseUnfit(
  ground: Ground,
  field: Field,
  { wanted, absent }: { readonly wanted: readonly IndexKind[]; readonly absent: readonly IndexKind[] },
): Promise<void> {
  const refused = wanted.filter((kind) => isSearch(kind) && !searchFits(kind, field.valueType));
  const catalog = await reading(ground, (client) => readCatalog(client, { schemas: [field.table.schema] }));
  const table = findTable(catalog, field.table);
  const columns = table?.columns ?? [];
  const ours = new Set(field.indexes.map(({ column }) => column));
  const taken = wanted
    .map((kind) => indexName(field.column, kind))
    .filter((name) => columns.some((column) => column.name === name) && !ours.has(name));
  const reasons = [
    ...absent.map((kind) => `- search ${kind}: it has none that could be made anew. What to do: leave it out.`),
    ...refused.map(
      (kind) => `- search ${kind}: values of type ${field.columnType} cannot be found that way. What to do: leave it out.`,
    ),
    ...(table === undefined ? [] : aboutUnique(table, wanted)).map(
      ({ object, breaks, remedy }) => `- ${object}: ${breaks}. What to do: ${remedy}.`,
    ),
    ...taken.map((name) => `- column ${name}: it stands where the index would stand. What to do: rename it first.`),
  ];
  if (reasons.length > 0) throw new SafekeepError('field-unfit', { field: nameOf(field), reasons: reasons.join('\n') });
}

/** Values that are counted at most: a Map of JavaScript holds no more than 2^24. Of fewer values an index comes out shorter, never longer. */
const COUNTED_AT_MOST = 10_000_000;

type Counting = { readonly kinds: readonly IndexKind[]; readonly parts: readonly IndexPart[] };

/** How often the search forms of what is sealed occur. The values are opened here, and only counts are kept. */
async function frequenciesOf(
  ground: Ground,
  field: Field,
  { kinds, parts }: Counting,
): Promise<ReadonlyMap<IndexKind, readonly Frequency[]>> {
  if (kinds.length === 0) return new Map();
  const counts = new Map(kinds.map((kind) => [kind, new Map<string, number>()]));
  const own = kinds.filter(isSearch);
  let values = 0;
  for (const part of await reading(ground, (client) => partsOf(client, field))) {
    const size = await inTransaction(ground, field, (client) => tableSize(client, part));
    const step = batchPages(size);
    for (let from = 0; from < size.pages && values < COUNTED_AT_MOST; from += step) {
      const range = { from, to: from + step };
      const sealed = own.length === 0 ? [] : await inTransaction(ground, field, (client) => readSealed(client, part, range));
      const opened = await ground.keys.open(field, sealed);
      for (const kind of own)
        count(
          counts.get(kind),
          opened.map((value) => canonicalForm(kind, value, field.valueType)),
        );
      const forms = kinds.includes('compound') ? await formsTogether(ground, part, { parts, range }) : [];
      count(counts.get('compound'), forms);
      values += Math.max(sealed.length, forms.length);
    }
  }
  return new Map([...counts].map(([kind, seen]) => [kind, frequenciesIn(seen)]));
}

async function formsTogether(
  ground: Ground,
  field: Field,
  { parts, range }: { readonly parts: readonly IndexPart[]; readonly range: PageRange },
): Promise<readonly (string | null)[]> {
  const rows = await inTransaction(ground, field, (client) => readParts(client, field, { parts, range }));
  return await compoundForms(ground, parts, rows);
}

function count(seen: Map<string, number> | undefined, forms: readonly (string | null)[]): void {
  for (const form of forms) if (form !== null) seen?.set(form, (seen.get(form) ?? 0) + 1);
}

function frequenciesIn(seen: ReadonlyMap<string, number>): readonly Frequency[] {
  const times = new Map<number, number>();
  for (const rows of seen.values()) times.set(rows, (times.get(rows) ?? 0) + 1);
  return [...times].map(([rows, each]) => ({ rows, times: each }));
}

async function begin(ground: Ground, field: Field, { made, taken }: IndexPlan): Promise<void> {
  const at = ground.clock.now();
  await redefine(ground, field, async (client) => {
    await runAll(client, addIndexColumns(field, made));
    for (const index of made) await insertIndex(client, field, { index, at });
    for (const index of taken) await setIndexState(client, field, { ...index, state: 'leaving', at });
    await updateField(client, field, { nextPage: 0, done: 0, at });
  });
}

/** One short lock, in which columns, records, triggers and view change together. */
async function redefine(
  ground: Ground,
  { id, tenant, table, column }: Field,
  change: (client: Parameters<Parameters<typeof inTransaction>[2]>[0], field: Field) => Promise<void>,
): Promise<void> {
  const known = await fresh(ground, { id, tenant, table, column });
  await inTransaction(ground, known, async (client) => {
    await lockToAlter(client, known);
    // Columns may go that it shows, unless others read it: those were asked for before, and what is only made comes at its end.
    const isRead = (await readersOfView(client, known)).length > 0;
    const kept = isRead ? [] : await dropView(client, known);
    await requireUnaltered(client, known);
    await change(client, known);
    const changed = await readField(client, known);
    if (changed === undefined) throw new Error('The field is not recorded any more');
    await runAll(client, createTriggers(changed, changed.phase));
    await follow(client, ground, changed);
    const [other] = await othersShown(client, changed);
    const shown = changed.mode === 'database' ? changed : other;
    if (shown !== undefined) await createView(client, shown, kept);
  });
}

/** One committed step after the other, until every index serves and none is left over. */
async function advance(ground: Ground, known: Field): Promise<Field> {
  for (;;) {
    const field = await fresh(ground, known);
    ground.observe('phase', field, { done: field.done, total: field.total });
    const building = field.indexes.filter(({ state }) => state === 'building');
    const leaving = field.indexes.filter(({ state }) => state === 'leaving');
    const left = field.indexes.filter(({ state }) => state === 'left');
    if (building.length > 0) await build(ground, field, building);
    else if (leaving.length > 0) {
      await untilKnown(ground, field, leaving);
      await redefine(ground, field, (client) =>
        setStates(client, field, { indexes: leaving, state: 'left', at: ground.clock.now() }),
      );
    } else if (left.length > 0) {
      await untilKnown(ground, field, left);
      await redefine(ground, field, async (client) => {
        for (const index of left) {
          await runAll(client, dropIndexColumn(field, index));
          await deleteIndex(client, field, index);
        }
      });
    } else return field;
  }
}

type Client = Parameters<typeof setIndexState>[0];

async function setStates(
  client: Client,
  field: Field,
  { indexes, state, at }: { readonly indexes: readonly FieldIndex[]; readonly state: FieldIndex['state']; readonly at: Date },
): Promise<void> {
  for (const index of indexes) await setIndexState(client, field, { ...index, state, at });
}

/** Those of the field's own value in one pass; one over several columns in a pass of its own, since it reads others. */
async function build(ground: Ground, known: Field, indexes: readonly FieldIndex[]): Promise<void> {
  const own = indexes.filter(({ kind }) => kind !== 'compound');
  if (own.length > 0) return await fillIn(ground, known, { indexes: own, pass: indexing(own) });
  const [compound] = indexes;
  if (compound !== undefined) await fillIn(ground, known, { indexes: [compound], pass: compounding(compound) });
}

type Filling<Row> = { readonly indexes: readonly FieldIndex[]; readonly pass: Pass<Row> };

/** Filled in and proved whole; from then on it is searched, and the ones before are not. */
async function fillIn<Row>(ground: Ground, known: Field, { indexes, pass }: Filling<Row>): Promise<void> {
  try {
    const total = await reading(ground, (client) => countValues(client, known, 'sealed'));
    await inTransaction(ground, known, (client) => updateField(client, known, { total, at: ground.clock.now() }));
    await walk(ground, [await fresh(ground, known)], pass);
    await buildIndexes(ground, known, { left: false, search: true });
    await untilKnown(ground, known, indexes);
    const attempt = (): Promise<void> =>
      redefine(ground, known, async (client, field) => {
        const { found, done } = await sweepOnce(client, ground, { field, pass });
        if (found > 0 && (found !== done || (await sweepOnce(client, ground, { field, pass })).found > 0)) throw new NotYet();
        const before = field.indexes.filter(
          ({ kind, state }) => state === 'serving' && indexes.some((index) => index.kind === kind),
        );
        const at = ground.clock.now();
        await setStates(client, field, { indexes, state: 'serving', at });
        await setStates(client, field, { indexes: before, state: 'leaving', at });
        // The next pass begins at the first page.
        await updateField(client, field, { nextPage: 0, at });
      });
    await closing(ground, known, { prepare: () => sweep(ground, known, pass), attempt });
  } catch (error) {
    // unique_violation: two rows have one value, written since it was planned.
    if (codeOf(error) === '23505') throw new SafekeepError('field-values-doubled', { field: nameOf(known) }, { cause: error });
    throw error;
  }
}

/** {@link untilHeard} of indexes: after it nobody searches by, or writes without, what they did not know of. */
async function untilKnown(ground: Ground, field: Field, indexes: readonly FieldIndex[]): Promise<void> {
  if (field.mode !== 'client') return;
  for (const index of indexes) {
    const ageMs = await reading(ground, (client) => ageOfIndex(client, field, { ...index, now: ground.clock.now() }));
    await untilHeard(ground, field, leaseOf(ground) - ageMs);
  }
}
