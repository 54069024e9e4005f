import type pg from 'pg';
import {
  displayKinds,
  encryptedName,
  FIRST_INDEX_VERSION,
  formatColumnName,
  formatName,
  indexName,
  newId,
  SafekeepError,
  searchKinds,
  type CardRule,
  type ColumnRef,
  type SearchKind,
  type TenantRule,
} from '@safekeep/core';
import { findTable, readUserCatalog, type Catalog, type Column, type Table } from '@safekeep/postgres';
import type { Field, FieldIndex, Mode } from '../model.ts';
import { chooseIndex } from '../rules/choose-index.ts';
import { besideAnswer } from '../rules/beside.ts';
import { answersFor, upsertAnswer, type Answer } from '../rules/refusals.ts';
import { sourceAnswers, triggerAnswers } from '../rules/sources.ts';
import { lengthLimit, typeOf } from '../rules/types.ts';
import { besideColumn, functionsMentioning, triggerSources } from '../store/beside.ts';
import { viewName } from '../store/names.ts';
import { listFields } from '../store/records.ts';
import { frequencies } from '../store/surroundings.ts';
import { VIEW_TRIGGER } from '../store/view.ts';
import { nameOf, reading, type Ground } from './ground.ts';

export type FieldOrder = {
  readonly column: ColumnRef;
  readonly mode: Mode;
  readonly search: readonly SearchKind[];
  readonly card: CardRule;
  /** How the map finds the tenant of a row; undefined without a map. */
  readonly tenantBy?: TenantRule['kind'] | undefined;
  /** A person has seen the report of the frequency attack and takes what it gives away. */
  readonly acceptLeak: boolean;
  /** Where to stop: columns and triggers stand, and what was there before is sealed by somebody else. */
  readonly until?: 'dual-write';
};

export type FieldPlan = { readonly field: Field; readonly answers: readonly Answer[] };

/**
 * What encrypting a column means, before anything is touched. `beside`: columns that are planned with it and not recorded yet.
 *
 * @throws `field-missing`, `field-unfit` with everything that stands in the way and what to do about each,
 *   `field-search-unsafe` where an index would give the values away.
 */
export async function planField(
  ground: Pick<Ground, 'database' | 'tenant'>,
  order: FieldOrder,
  beside: readonly Field[] = [],
): Promise<FieldPlan> {
  const { column: ref } = order;
  const name = formatColumnName(ref);
  return await reading(ground, async (client) => {
    const catalog = await readUserCatalog(client);
    const table = findTable(catalog, ref);
    const column = table?.columns.find((each) => each.name === ref.column);
    if (table === undefined || column === undefined) throw new SafekeepError('field-missing', { field: name });
    const known = await listFields(client, ground.tenant);
    const upsert = upsertAnswer(table, column);
    const own = answersFor(catalog, table, { column, asked: { ...order, tenant: order.tenantBy } });
    const answers: readonly Answer[] = [
      ...own,
      ...(order.mode === 'database' ? takenViews(catalog, table) : []),
      ...takenNames(
        table,
        [...order.search, ...(order.card === 'number' ? displayKinds : [])].map((kind) => indexName(column.name, kind)),
      ),
      ...takenNames(table, [encryptedName(column.name)]),
      ...(await answersBeside(client, ref, table.rowEstimate)).filter((each) => !own.some((told) => saysAll(told, each))),
      ...(upsert === undefined ? [] : [upsert]),
    ];
    refuse(name, answers);
    const others = [...known, ...beside].filter(({ table: of }) => of.schema === ref.schema && of.table === ref.table);
    const indexes: FieldIndex[] = [];
    const isPartitioned = table.kind === 'partitioned-table';
    const values = order.search.length > 1 ? await frequencies(client, { ...ref, isPartitioned, kind: 'exact' }) : [];
    for (const kind of order.search) {
      const counted = await frequencies(client, { ...ref, isPartitioned, kind });
      const standing = [...others.flatMap((field) => field.indexes), ...indexes];
      const chosen = chooseIndex(counted, {
        name,
        kind,
        beside: standing,
        together: { indexes, values },
        acceptLeak: order.acceptLeak,
      });
      // It stands before anybody can search by it, and grows with the ciphertext.
      indexes.push({ ...chosen, column: indexName(ref.column, kind), version: FIRST_INDEX_VERSION, state: 'serving', parts: [] });
    }
    if (order.card === 'number')
      indexes.push(
        ...displayKinds.map((kind): FieldIndex => ({
          ...NOTHING_HIDDEN,
          kind,
          column: indexName(ref.column, kind),
          version: FIRST_INDEX_VERSION,
          state: 'serving',
          parts: [],
        })),
      );
    return { field: newField(ground.tenant, { order, table, column, indexes }), answers };
  });
}

/**
 * What stops a field that is encrypted already from having another mode, and did not stop it before.
 *
 * @throws `field-unfit` naming each and what to do.
 */
export async function refuseMode(ground: Pick<Ground, 'database' | 'tenant'>, field: Field, mode: Mode): Promise<void> {
  const catalog = await reading(ground, readUserCatalog);
  const table = findTable(catalog, field.table);
  const column = table?.columns.find(({ name }) => name === field.column);
  if (table === undefined || column === undefined) throw new SafekeepError('field-missing', { field: nameOf(field) });
  const search = searchKinds.filter((kind) => field.indexes.some((index) => index.kind === kind));
  const asked = { search, card: field.isCard ? ('number' as const) : null };
  const before = answersFor(catalog, table, { column, asked: { ...asked, mode: field.mode } });
  refuse(nameOf(field), [
    ...answersFor(catalog, table, { column, asked: { ...asked, mode } }).filter(
      (each) => !before.some((told) => saysAll(told, each)),
    ),
    ...(mode === 'database' ? takenViews(catalog, table) : []),
  ]);
}

/**
 * What a subscription writes comes in past our triggers, so no step is gone while one is enabled: readers would get old values.
 *
 * @throws `field-unfit` naming each and what to do.
 */
export async function refuseSubscriptions(ground: Pick<Ground, 'database' | 'tenant'>, field: Field): Promise<void> {
  const ref = { ...field.table, column: field.column };
  const beside = await reading(ground, (client) => besideColumn(client, ref));
  const writing = beside.filter(({ kind }) => kind === 'subscription');
  refuse(
    nameOf(field),
    writing.map((each) => besideAnswer(each, namesFor(ref))),
  );
}

/** @throws `field-unfit` where one of them stops. */
function refuse(field: string, answers: readonly Answer[]): void {
  const stops = answers.filter(({ effect }) => effect === 'stops');
  if (stops.length > 0) throw new SafekeepError('field-unfit', { field, reasons: stops.map(sentence).join('\n') });
}

/** What is shown hides nothing, so that there is nothing to measure. */
const NOTHING_HIDDEN = { bits: 0, rows: 0, distinct: 0, attackGain: 0 };

function newField(
  tenant: string,
  {
    order,
    table,
    column,
    indexes,
  }: { readonly order: FieldOrder; readonly table: Table; readonly column: Column; readonly indexes: readonly FieldIndex[] },
): Field {
  const valueType = typeOf(column);
  if (valueType === undefined) throw new Error('A type without encrypted form was let through');
  const { schema, table: tableName } = order.column;
  const id = newId<'field'>();
  return {
    id,
    tenant,
    table: { schema, table: tableName },
    column: column.name,
    encryptedColumn: encryptedName(column.name),
    isPartitioned: table.kind === 'partitioned-table',
    valueType,
    columnType: column.type,
    lengthLimit: lengthLimit(column),
    isCard: order.card === 'number',
    mode: order.mode,
    phase: 'planned',
    direction: 'in',
    // The key's row names the field, so that a value can be opened in SQL by the id of its key alone.
    keyScope: `field.${id}`,
    notNull: column.notNull ? (table.notNulls.find((each) => each.column === column.name)?.name ?? '') : null,
    nextPage: 0,
    done: 0,
    total: 0,
    verified: 0,
    rowsPerSecond: 0,
    failure: null,
    indexes,
  };
}

function takenNames(table: Table, wanted: readonly string[]): readonly Answer[] {
  return table.columns
    .filter(({ name }) => wanted.includes(name))
    .map(({ name }) => ({
      object: `column ${name}`,
      effect: 'stops',
      breaks: 'it stands where the ciphertext or its index would stand',
      remedy: 'rename it first',
    }));
}

function takenViews(catalog: Catalog, table: Table): readonly Answer[] {
  const name = viewName({ table: table.name });
  return catalog.tables
    .filter(
      (each) => each.schema === table.schema && each.name === name && !each.triggers.some(({ name: of }) => of === VIEW_TRIGGER),
    )
    .map(({ kind }) => ({
      object: `${kind} ${name}`,
      effect: 'stops',
      breaks: 'it stands where the view of the opened values would stand',
      remedy: 'rename it first',
    }));
}

/** Of what stands elsewhere. */
async function answersBeside(client: pg.ClientBase, ref: ColumnRef, rowEstimate: number): Promise<readonly Answer[]> {
  return [
    ...(await besideColumn(client, ref)).map((each) => besideAnswer(each, { ...namesFor(ref), rowEstimate })),
    ...(await triggerSources(client, ref)).flatMap((each) => triggerAnswers(each, ref)),
    ...(await functionsMentioning(client, ref)).flatMap((each) => sourceAnswers(each, ref)),
  ];
}

/** As they are typed. */
function namesFor({ column }: Pick<ColumnRef, 'column'>): { readonly column: string; readonly encrypted: string } {
  return { column: formatName(column), encrypted: formatName(encryptedName(column)) };
}

/** What the catalogue of the table tells is not told again, unless it stops only here. */
function saysAll(told: Answer, { object, effect }: Answer): boolean {
  return told.object === object && (told.effect === 'stops' || effect === 'changes');
}

function sentence({ object, breaks, remedy }: Answer): string {
  return `- ${object}: ${breaks}. What to do: ${remedy}.`;
}
