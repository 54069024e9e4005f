import {
  type AggregateFunctionNode,
  AliasNode,
  ColumnNode,
  ColumnUpdateNode,
  DefaultInsertValueNode,
  IdentifierNode,
  OperationNodeTransformer,
  PrimitiveValueListNode,
  ReferenceNode,
  SelectAllNode,
  SelectionNode,
  ValueListNode,
  ValueNode,
  ValuesNode,
  type CompiledQuery,
  type DeleteQueryNode,
  type InsertQueryNode,
  type KyselyPlugin,
  type OnConflictNode,
  type OperationNode,
  type QueryId,
  type RawNode,
  type ReturningNode,
  type RootOperationNode,
  type SelectQueryNode,
  type UpdateQueryNode,
} from 'kysely';
import { canonicalForm } from '@safekeep/core/values';
import { compoundsOf, givenAlone, type Compound } from '../compounds.ts';
import { holdsPlaintext, searchedBy, writesPlaintext, writtenIndexes, type SealedField } from '../field.ts';
import { SealedParameter } from '../parameters.ts';
import { notServed, type Fields, type SealingContext } from '../safekeep.ts';
import { FILTER_PREFIX, SEALED_SUFFIX } from '../statement-pairs.ts';
import { fieldOf, Guard, refuseRenamed, scopeOf, sibling, type Scope } from './scope.ts';
import { rewriteWhere, type Filter } from './where.ts';

/** What is left to do with the rows of a query once they are opened. */
type Rest = {
  readonly filters: readonly (Filter & { readonly name: string })[];
  readonly limit: number | null;
  readonly offset: number;
};

export type SealedPlugin = KyselyPlugin & {
  readonly close: () => void;
  /**
   * A compiled query as it is to be run by what is known now; undefined of one that did not come this way, and where a plugin behind this
   * one changed it: what that one said (whose rows a statement may touch, say) would be lost.
   */
  readonly rewriteAnew: (query: Pick<CompiledQuery, 'query' | 'queryId'>) => RootOperationNode | undefined;
};

/**
 * Lets Kysely use encrypted columns as if they were none: values are sealed where they are written, opened where they are
 * selected, and `=` and `in` go over the blind index, whose false hits are left out afterwards. What would need the plaintext
 * in the database raises `field-not-served` and names the index that would help. Goes together with {@link sealedPool}.
 */
export async function sealedKysely(sdk: SealingContext): Promise<SealedPlugin> {
  await sdk.fields();
  const close = sdk.keepFresh();
  const rests = new WeakMap<QueryId, Rest>();
  /** What was asked, by what was answered to it: a compiled query has its very node where no other plugin came behind. */
  const asked = new WeakMap<RootOperationNode, RootOperationNode>();
  const rewriteFor = (queryId: QueryId, node: RootOperationNode): RootOperationNode => {
    const { node: rewritten, rest } = rewriteKnown(sdk, node);
    if (rest === undefined) rests.delete(queryId);
    else rests.set(queryId, rest);
    return rewritten;
  };
  return {
    close,
    transformQuery: ({ node, queryId }) => {
      const answered = rewriteFor(queryId, node);
      asked.set(answered, node);
      return answered;
    },
    rewriteAnew: ({ query, queryId }) => {
      const node = asked.get(query);
      return node === undefined ? undefined : rewriteFor(queryId, node);
    },
    transformResult: async ({ result, queryId }) => {
      const rest = rests.get(queryId);
      if (rest === undefined) return result;
      const kept = result.rows.filter((row) => rest.filters.every((filter) => isHit(filter, row[filter.name])));
      const page = kept.slice(rest.offset, rest.limit === null ? undefined : rest.offset + rest.limit);
      for (const row of page) for (const { name } of rest.filters) delete row[name];
      return { ...result, rows: page };
    },
  };
}

function isHit({ field, forms }: Filter, value: unknown): boolean {
  // Where there is no ciphertext the database compared the plaintext beside it by itself.
  if (value === null) return writesPlaintext(field);
  if (typeof value !== 'string') throw new Error('What rows are filtered by did not come with them');
  const form = canonicalForm('exact', value, field.valueType);
  return form !== null && forms.has(form);
}

/** What is refused by what is known may be served by now; nothing can be asked here, so it is asked for the next query. */
function rewriteKnown(sdk: SealingContext, node: RootOperationNode): Rewritten {
  const fields = sdk.knownFields();
  try {
    return rewrite(fields, node);
  } catch (error) {
    sdk.fields(undefined, 'anew').catch(() => undefined);
    throw error;
  }
}

type Rewritten = { readonly node: RootOperationNode; readonly rest?: Rest | undefined };

function rewrite(fields: Fields, node: RootOperationNode): Rewritten {
  if (fields.all.length === 0) return { node };
  refuseRenamed(fields, node);
  if (node.kind === 'SelectQueryNode') return rewriteSelect(fields, node);
  if (node.kind === 'InsertQueryNode') return { node: rewriteInsert(fields, node) };
  if (node.kind === 'UpdateQueryNode') return { node: rewriteUpdate(fields, node) };
  if (node.kind === 'DeleteQueryNode') return { node: rewriteDelete(fields, node) };
  // sql`…` is the caller's own: the pool opens what comes and refuses the empty column.
  if (node.kind === 'RawNode') return { node };
  new Guard(fields, []).check(node);
  return { node };
}

function rewriteSelect(fields: Fields, node: SelectQueryNode): Rewritten {
  const scope = scopeOf(fields, node);
  const guard = new Guard(fields, scope);
  for (const each of [...(node.joins ?? []), ...(node.distinctOn ?? []), ...(node.setOperations ?? [])]) guard.check(each);
  for (const each of [node.groupBy, node.having, node.orderBy, node.with]) guard.check(each);
  const { node: where, filters } = rewriteWhere(node.where, { scope, guard, mayFilter: true });
  const selections = rewriteSelections(node.selections ?? [], { scope, guard });
  const told = node.frontModifiers === undefined ? undefined : sealedIn(node.selections ?? [], scope);
  if (told !== undefined) throw notServed(told, 'DISTINCT would tell ciphertexts apart, and equal values have different ones');
  const changed = { ...node, selections, ...(where === undefined ? {} : { where }) };
  const [first] = filters;
  if (first === undefined) return { node: changed };
  if (
    node.groupBy !== undefined ||
    node.frontModifiers !== undefined ||
    node.distinctOn !== undefined ||
    node.setOperations !== undefined ||
    selections.some(computes)
  )
    throw notServed(first.field, 'an index finds other rows too, and they would be counted; select the rows and count what comes');
  const named = filters.map((filter, place) => ({ ...filter, name: `${FILTER_PREFIX}${place}` }));
  if (node.fetch?.modifier === 'with ties')
    throw notServed(first.field, 'rows that are equal in order to the last one cannot be told once the false hits are gone');
  const limit = numberOf(node.limit?.limit ?? node.fetch?.rowCount, first.field);
  const offset = numberOf(node.offset?.offset, first.field) ?? 0;
  const { limit: _limit, fetch: _fetch, offset: _offset, ...unlimited } = changed;
  const hidden = named.map(({ field, reference, name }) => aliased(sibling(reference, field.encrypted), name));
  return { node: { ...unlimited, selections: [...selections, ...hidden] }, rest: { filters: named, limit, offset } };
}

/** LIMIT counts hits of the index; it is applied once the false ones are gone. */
function numberOf(node: OperationNode | undefined, field: SealedField): number | null {
  if (node === undefined) return null;
  const value = ValueNode.is(node) ? Number(node.value) : Number.NaN;
  if (!Number.isInteger(value)) throw notServed(field, 'a limit that is computed cannot be applied after the false hits are gone');
  return value;
}

/** Raw SQL may count too, and nobody here reads it. */
class FindsComputing extends OperationNodeTransformer {
  found = false;

  protected override transformRaw(node: RawNode): RawNode {
    this.found = true;
    return node;
  }

  protected override transformAggregateFunction(node: AggregateFunctionNode): AggregateFunctionNode {
    this.found = true;
    return node;
  }
}

function computes(selection: SelectionNode): boolean {
  const finder = new FindsComputing();
  finder.transformNode(selection);
  return finder.found;
}

/** A field whose ciphertext is selected with its column. */
function sealedIn(selections: readonly SelectionNode[], scope: Scope): SealedField | undefined {
  return selections.flatMap(({ selection }) => fieldOf(scope, AliasNode.is(selection) ? selection.node : selection) ?? []).at(0);
}

type Within = { readonly scope: Scope; readonly guard: Guard };

function rewriteSelections(selections: readonly SelectionNode[], { scope, guard }: Within): readonly SelectionNode[] {
  return selections.flatMap((node) => {
    const { selection } = node;
    if (SelectAllNode.is(selection) || (ReferenceNode.is(selection) && SelectAllNode.is(selection.column))) return [node];
    const inner = AliasNode.is(selection) ? selection.node : selection;
    const field = fieldOf(scope, inner);
    if (field === undefined) return [guard.check(node)];
    const name = AliasNode.is(selection) && IdentifierNode.is(selection.alias) ? selection.alias.name : field.column;
    return [node, aliased(sibling(inner, field.encrypted), `${name}${SEALED_SUFFIX}`)];
  });
}

function aliased(reference: ReferenceNode, name: string): SelectionNode {
  return SelectionNode.create(AliasNode.create(reference, IdentifierNode.create(name)));
}

function rewriteReturning(returning: ReturningNode | undefined, within: Within): { returning?: ReturningNode } {
  return returning === undefined
    ? {}
    : { returning: { ...returning, selections: rewriteSelections(returning.selections, within) } };
}

function rewriteInsert(fields: Fields, node: InsertQueryNode): InsertQueryNode {
  if (node.into === undefined) return node;
  const scope = scopeOf(fields, { tables: [node.into] });
  const guard = new Guard(fields, scope);
  guard.check(node.with);
  const columns = node.columns ?? [];
  const sealed = columns.map((column) => fieldOf(scope, column));
  const conflict = node.onConflict === undefined ? {} : { onConflict: rewriteConflict(node.onConflict, { scope, guard }) };
  const common = { ...conflict, ...rewriteReturning(node.returning, { scope, guard }) };
  const [first] = sealed.filter((field) => field !== undefined);
  if (first === undefined) return { ...node, ...common };
  if (node.values === undefined || !ValuesNode.is(node.values))
    throw notServed(first, 'rows that come from a query cannot be sealed on the way; select them and insert what comes');
  // A column that is not named is NULL, and then a row has no number that it is found by together with others.
  const compounds = compoundsOf(fields.all, first).filter(({ parts }) => parts.every((part) => sealed.includes(part)));
  const rows = node.values.values.map((row) => {
    const items = PrimitiveValueListNode.is(row) ? row.values.map((value) => ValueNode.create(value)) : row.values;
    return ValueListNode.create([
      ...items.flatMap((item, place) => {
        const field = sealed[place];
        return field === undefined ? [item] : sealedNodes(field, item).map(({ value }) => value);
      }),
      ...compounds.map((compound) => compoundNode(compound, (part) => items[sealed.indexOf(part)])),
    ]);
  });
  const names = columns.flatMap((column, place) => {
    const field = sealed[place];
    return field === undefined
      ? [column]
      : sealedNodes(field, ValueNode.create(null)).map((each) => ColumnNode.create(each.column));
  });
  const numbers = compounds.map(({ index }) => ColumnNode.create(index.column));
  return { ...node, ...common, columns: [...names, ...numbers], values: ValuesNode.create(rows) };
}

/** The number of a row in an index over several columns; NULL where one of them is. */
function compoundNode(compound: Compound, valueOf: (part: SealedField) => OperationNode | undefined): ValueNode {
  const values = compound.parts.map((part) => {
    const node = valueOf(part);
    return node !== undefined && ValueNode.is(node) ? node.value : null;
  });
  if (values.some((value) => value === null || value === undefined)) return ValueNode.create(null);
  return ValueNode.create(new SealedParameter(compound.owner, values[0], { as: 'compound', compound, values }));
}

/** What is written for one value of a field: the plaintext as long as it is read by others, the ciphertext, its indexes. */
function sealedNodes(
  field: SealedField,
  node: OperationNode,
): readonly { readonly column: string; readonly value: OperationNode }[] {
  const as = (make: (value: unknown) => unknown): OperationNode => {
    if (DefaultInsertValueNode.is(node)) return node;
    if (!ValueNode.is(node))
      throw notServed(field, 'a value that the database computes cannot be sealed by the client; compute it before');
    return ValueNode.create(node.value === null || node.value === undefined ? node.value : make(node.value));
  };
  return [
    ...(writesPlaintext(field) ? [{ column: field.column, value: as((value) => value) }] : []),
    { column: field.encrypted, value: as((value) => new SealedParameter(field, value)) },
    ...writtenIndexes(field).map((index) => ({
      column: index.column,
      value: as((value) => new SealedParameter(field, value, { as: 'index', index })),
    })),
  ];
}

function rewriteUpdates(updates: readonly ColumnUpdateNode[], within: Within): readonly ColumnUpdateNode[] {
  return [...updates.flatMap((update) => rewriteUpdateOf(update, within)), ...compoundUpdates(updates, within)];
}

/** Where columns change that are searched together all of them are given, or one is emptied. */
function compoundUpdates(updates: readonly ColumnUpdateNode[], { scope }: Within): readonly ColumnUpdateNode[] {
  const written = new Map(
    updates.flatMap((update) => {
      const field = fieldOf(scope, update.column);
      return field === undefined ? [] : [[field, update.value] as const];
    }),
  );
  const all = scope.flatMap(({ fields }) => fields);
  const [first] = written.keys();
  return (first === undefined ? [] : compoundsOf(all, first)).flatMap((compound) => {
    const own = compound.parts.filter((part) => written.has(part));
    if (own.length === 0) return [];
    const values = compound.parts.map((part) => written.get(part));
    const isEmptied = values.some((value) => value !== undefined && ValueNode.is(value) && (value.value ?? null) === null);
    const column = ColumnNode.create(compound.index.column);
    if (isEmptied) return [ColumnUpdateNode.create(column, ValueNode.create(null))];
    if (own.length < compound.parts.length) throw givenAlone(compound);
    const [proposed] = values;
    if (proposed !== undefined && isProposed(proposed) && values.every((value) => value !== undefined && isProposed(value)))
      return [ColumnUpdateNode.create(column, sibling(proposed, compound.index.column))];
    if (values.some((value) => value === undefined || !ValueNode.is(value))) throw givenAlone(compound);
    return [
      ColumnUpdateNode.create(
        column,
        compoundNode(compound, (part) => written.get(part)),
      ),
    ];
  });
}

/** `excluded.email`: the value of the row that an upsert proposes. */
function isProposed(node: OperationNode): boolean {
  return ReferenceNode.is(node) && node.table?.table.identifier.name === 'excluded';
}

function rewriteUpdateOf(update: ColumnUpdateNode, { scope, guard }: Within): readonly ColumnUpdateNode[] {
  const field = fieldOf(scope, update.column);
  if (field === undefined) {
    guard.check(update.value);
    return [update];
  }
  const pairs = isProposed(update.value)
    ? sealedNodes(field, ValueNode.create(null)).map(({ column }) => ({ column, value: sibling(update.value, column) }))
    : sealedNodes(field, update.value);
  return pairs.map(({ column, value }) => ColumnUpdateNode.create(ColumnNode.create(column), value));
}

function rewriteConflict(node: OnConflictNode, within: Within): OnConflictNode {
  const columns = (node.columns ?? []).map((column) => conflictColumn(column, within));
  for (const each of [node.indexExpression, node.indexWhere, node.updateWhere]) within.guard.check(each);
  const changed = node.columns === undefined ? node : { ...node, columns };
  return node.updates === undefined ? changed : { ...changed, updates: rewriteUpdates(node.updates, within) };
}

/** What the plaintext's unique constraint says as long as every plaintext stands, the index over the whole hash says afterwards. */
function conflictColumn(column: ColumnNode, { scope, guard }: Within): ColumnNode {
  const field = fieldOf(scope, column);
  const unique = field === undefined ? undefined : searchedBy(field, 'unique');
  if (field === undefined || unique === undefined) return guard.check(column);
  return holdsPlaintext(field) ? column : ColumnNode.create(unique.column);
}

function rewriteUpdate(fields: Fields, node: UpdateQueryNode): UpdateQueryNode {
  const scope = scopeOf(fields, { from: node.from, joins: node.joins, tables: node.table === undefined ? [] : [node.table] });
  const guard = new Guard(fields, scope);
  for (const each of [...(node.joins ?? []), node.with, node.orderBy]) guard.check(each);
  const { node: where } = rewriteWhere(node.where, { scope, guard, mayFilter: false });
  const updates = rewriteUpdates(node.updates ?? [], { scope, guard });
  return { ...node, updates, ...(where === undefined ? {} : { where }), ...rewriteReturning(node.returning, { scope, guard }) };
}

function rewriteDelete(fields: Fields, node: DeleteQueryNode): DeleteQueryNode {
  const scope = scopeOf(fields, { from: node.from, joins: node.joins });
  const guard = new Guard(fields, scope);
  for (const each of [...(node.joins ?? []), node.using, node.with, node.orderBy]) guard.check(each);
  const { node: where } = rewriteWhere(node.where, { scope, guard, mayFilter: false });
  return { ...node, ...(where === undefined ? {} : { where }), ...rewriteReturning(node.returning, { scope, guard }) };
}
