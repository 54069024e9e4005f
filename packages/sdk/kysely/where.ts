import {
  AndNode,
  BinaryOperationNode,
  OperatorNode,
  OrNode,
  ParensNode,
  PrimitiveValueListNode,
  UnaryOperationNode,
  ValueListNode,
  ValueNode,
  type OperationNode,
  type WhereNode,
} from 'kysely';
import { canonicalForm, type SearchKind } from '@safekeep/core/values';
import { compoundsOf } from '../compounds.ts';
import { searchedBy, textOf, writesPlaintext, type OwnIndex, type SealedField } from '../field.ts';
import { SealedParameter } from '../parameters.ts';
import { notServed } from '../safekeep.ts';
import { aliasOf, fieldOf, sibling, type Guard, type Scope } from './scope.ts';

/** Rows that an index found are kept only if the opened value is one of these: an index value stands for several. */
export type Filter = { readonly field: SealedField; readonly reference: OperationNode; readonly forms: ReadonlySet<string> };

export type Where = { readonly node: WhereNode | undefined; readonly filters: readonly Filter[] };

type Setting = {
  readonly scope: Scope;
  readonly guard: Guard;
  /** Why false hits could not be left out afterwards; null where they can. */
  readonly unfiltered: string | null;
  /** Comparisons that an index over several columns serves, and what is asked of it in their place. */
  readonly together: ReadonlyMap<OperationNode, OperationNode>;
};

const CHANGED = 'an index finds other rows too, and they would be changed; select the keys first and change by key';
const COMPARED = 'it is compared below OR or NOT, where other rows that an index finds cannot be left out afterwards';

/** Conditions on encrypted fields become conditions on their indexes; everything else on them is refused. */
export function rewriteWhere(
  where: WhereNode | undefined,
  { mayFilter, ...setting }: Omit<Setting, 'unfiltered' | 'together'> & { readonly mayFilter: boolean },
): Where {
  if (where === undefined) return { node: undefined, filters: [] };
  const filters: Filter[] = [];
  const together = mayFilter ? servedTogether(where.where, setting.scope) : new Map<OperationNode, OperationNode>();
  const rewritten = rewriteCondition(where.where, { ...setting, together, unfiltered: mayFilter ? null : CHANGED }, filters);
  return { node: { ...where, where: rewritten }, filters };
}

/** Comparisons of which all must hold, with all columns of an index over several: `surname = … and birth_date = …`. */
function servedTogether(where: OperationNode, scope: Scope): ReadonlyMap<OperationNode, OperationNode> {
  const served = new Map<OperationNode, OperationNode>();
  const compared = comparisonsOf(where).flatMap((node) => {
    const { leftOperand, rightOperand } = node;
    const field = fieldOf(scope, leftOperand);
    const value = ValueNode.is(rightOperand) ? rightOperand.value : null;
    return field === undefined || value === null || value === undefined
      ? []
      : [{ node, field, value, alias: aliasOf(leftOperand) }];
  });
  for (const [alias, group] of Map.groupBy(compared, (each) => each.alias)) {
    const fields = scope.filter((table) => alias === undefined || table.alias === alias).flatMap((table) => table.fields);
    const [first] = group;
    for (const compound of first === undefined ? [] : compoundsOf(fields, first.field)) {
      const own = compound.parts.map((part) => group.find(({ field }) => field === part));
      if (compound.index.state !== 'serving' || own.some((each) => each === undefined || served.has(each.node))) continue;
      const values = own.map((each) => each?.value);
      const number = new SealedParameter(compound.owner, values[0], { as: 'compound', compound, values });
      for (const each of own)
        if (each !== undefined)
          served.set(
            each.node,
            BinaryOperationNode.create(
              sibling(each.node.leftOperand, compound.index.column),
              OperatorNode.create('='),
              ValueNode.create(number),
            ),
          );
    }
  }
  return served;
}

function comparisonsOf(node: OperationNode): readonly BinaryOperationNode[] {
  if (AndNode.is(node)) return [...comparisonsOf(node.left), ...comparisonsOf(node.right)];
  if (ParensNode.is(node)) return comparisonsOf(node.node);
  return BinaryOperationNode.is(node) && OperatorNode.is(node.operator) && node.operator.operator === '=' ? [node] : [];
}

/** Only what must hold for a row can be filtered afterwards: below OR and NOT only a search that finds nothing else is served. */
function rewriteCondition(node: OperationNode, setting: Setting, filters: Filter[]): OperationNode {
  const below: Setting = { ...setting, unfiltered: setting.unfiltered ?? COMPARED };
  if (AndNode.is(node))
    return AndNode.create(rewriteCondition(node.left, setting, filters), rewriteCondition(node.right, setting, filters));
  if (OrNode.is(node))
    return OrNode.create(rewriteCondition(node.left, below, filters), rewriteCondition(node.right, below, filters));
  if (ParensNode.is(node)) return ParensNode.create(rewriteCondition(node.node, setting, filters));
  if (UnaryOperationNode.is(node) && OperatorNode.is(node.operator) && node.operator.operator === 'not')
    return UnaryOperationNode.create(node.operator, rewriteCondition(node.operand, below, filters));
  if (!BinaryOperationNode.is(node)) return setting.guard.check(node);
  const field = fieldOf(setting.scope, node.leftOperand);
  if (field === undefined || !OperatorNode.is(node.operator)) return setting.guard.check(node);
  const { leftOperand: reference, rightOperand: right } = node;
  const { operator } = node.operator;
  if ((operator === 'is' || operator === 'is not') && ValueNode.is(right) && right.value === null)
    return presence(field, reference, operator);
  const values = valuesOf(right);
  const isEquality = (operator === '=' && ValueNode.is(right)) || operator === 'in';
  if (!isEquality || values === undefined)
    throw notServed(field, `the operator ${operator} needs the plaintext`, { kind: nearestSearch(field, { operator, right }) });
  const byAll = setting.together.get(node);
  if (byAll === undefined) return equality({ field, reference, values, original: node }, setting, filters);
  filters.push(filterOf(field, reference, values));
  return byAll;
}

function filterOf(field: SealedField, reference: OperationNode, values: readonly unknown[]): Filter {
  const forms = values.map((value) => canonicalForm('exact', textOf(field, value), field.valueType));
  return { field, reference, forms: new Set(forms.filter((form) => form !== null)) };
}

type Equality = {
  readonly field: SealedField;
  readonly reference: OperationNode;
  readonly values: readonly unknown[];
  readonly original: OperationNode;
};

function equality({ field, reference, values, original }: Equality, setting: Setting, filters: Filter[]): OperationNode {
  const known = values.filter((value) => value !== null && value !== undefined);
  const whole = searchedBy(field, 'unique');
  if (whole !== undefined) return found({ field, reference, index: whole, values: known, original });
  if (setting.unfiltered !== null) throw notServed(field, setting.unfiltered, { kind: 'unique' });
  const index = searchedBy(field, 'exact');
  if (index === undefined) throw notServed(field, 'it has no index to find equal values by', { kind: 'exact' });
  filters.push(filterOf(field, reference, known));
  return found({ field, reference, index, values: known, original });
}

/** The search that comes nearest to what was asked. None keeps an order, and none finds what stands in the middle. */
function nearestSearch(
  { valueType }: SealedField,
  { operator, right }: { readonly operator: string; readonly right: OperationNode },
): SearchKind | undefined {
  if (valueType === 'date' || valueType === 'timestamptz')
    return ['<', '<=', '>', '>=', 'between'].includes(operator) ? 'month' : undefined;
  const pattern = ['like', 'ilike'].includes(operator) && ValueNode.is(right) ? right.value : undefined;
  if (typeof pattern !== 'string') return undefined;
  if (/^[^%_]{3,}%$/.test(pattern)) return 'prefix';
  return /^%[^%_]{4,}$/.test(pattern) ? 'last4' : undefined;
}

function presence(field: SealedField, reference: OperationNode, operator: 'is' | 'is not'): OperationNode {
  const test = (column: string): OperationNode =>
    BinaryOperationNode.create(sibling(reference, column), OperatorNode.create(operator), ValueNode.createImmediate(null));
  if (!writesPlaintext(field)) return test(field.encrypted);
  const [one, other] = [test(field.encrypted), test(field.column)];
  return ParensNode.create(operator === 'is' ? AndNode.create(one, other) : OrNode.create(one, other));
}

type Found = Equality & { readonly index: OwnIndex };

function found({ field, reference, index, values, original }: Found): OperationNode {
  const numbers = ValueListNode.create(
    values.map((value) => ValueNode.create(new SealedParameter(field, value, { as: 'index', index }))),
  );
  // IN () is no SQL; what is equal to nothing is nothing.
  const list = values.length === 0 ? ValueListNode.create([ValueNode.createImmediate(null)]) : numbers;
  const byIndex = BinaryOperationNode.create(sibling(reference, index.column), OperatorNode.create('in'), list);
  if (!writesPlaintext(field)) return byIndex;
  // On the way there may be rows without ciphertext, and so without index: written by somebody without a key.
  const unsealed = BinaryOperationNode.create(
    sibling(reference, field.encrypted),
    OperatorNode.create('is'),
    ValueNode.createImmediate(null),
  );
  return ParensNode.create(OrNode.create(byIndex, ParensNode.create(AndNode.create(unsealed, original))));
}

function valuesOf(node: OperationNode): readonly unknown[] | undefined {
  if (ValueNode.is(node)) return [node.value];
  if (PrimitiveValueListNode.is(node)) return node.values;
  if (!ValueListNode.is(node)) return undefined;
  const values = node.values.flatMap((each) => (ValueNode.is(each) ? [each.value] : []));
  return values.length === node.values.length ? values : undefined;
}
