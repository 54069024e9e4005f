import {
  AndNode,
  BinaryOperationNode,
  OperatorNode,
  OrNode,
  ParensNode,
  PrimitiveValueListNode,
  ValueListNode,
  ValueNode,
  type OperationNode,
  type WhereNode,
} from 'kysely';
import { canonicalForm } from '@safekeep/core';
import { textOf, writesPlaintext, type SealedField } from '../field.ts';
import { SealedParameter } from '../parameters.ts';
import { notServed } from '../safekeep.ts';
import { fieldOf, sibling, type Guard, type Scope } from './scope.ts';

/** Rows that an index found are kept only if the opened value is one of these: an index value stands for several. */
export type Filter = { readonly field: SealedField; readonly reference: OperationNode; readonly forms: ReadonlySet<string> };

export type Where = { readonly node: WhereNode | undefined; readonly filters: readonly Filter[] };

type Setting = {
  readonly scope: Scope;
  readonly guard: Guard;
  /** False for what changes rows: an index finds false ones too, and they would be changed. */
  readonly mayFilter: boolean;
};

/** Conditions on encrypted fields become conditions on their indexes; everything else on them is refused. */
export function rewriteWhere(where: WhereNode | undefined, setting: Setting): Where {
  if (where === undefined) return { node: undefined, filters: [] };
  const filters: Filter[] = [];
  const rewritten = rewriteAnd(where.where, setting, filters);
  return { node: { ...where, where: rewritten }, filters };
}

/** Only what must hold for a row can be filtered afterwards; below OR and NOT nothing is. */
function rewriteAnd(node: OperationNode, setting: Setting, filters: Filter[]): OperationNode {
  if (AndNode.is(node)) return AndNode.create(rewriteAnd(node.left, setting, filters), rewriteAnd(node.right, setting, filters));
  if (ParensNode.is(node)) return ParensNode.create(rewriteAnd(node.node, setting, filters));
  if (!BinaryOperationNode.is(node)) return setting.guard.check(node);
  const field = fieldOf(setting.scope, node.leftOperand);
  if (field === undefined || !OperatorNode.is(node.operator)) return setting.guard.check(node);
  const { leftOperand: reference, rightOperand: right } = node;
  const { operator } = node.operator;
  if ((operator === 'is' || operator === 'is not') && ValueNode.is(right) && right.value === null)
    return presence(field, reference, operator);
  const values = valuesOf(right);
  const isEquality = (operator === '=' && ValueNode.is(right)) || operator === 'in';
  if (!isEquality || values === undefined) throw notServed(field, `the operator ${operator} needs the plaintext`, 'exact');
  if (!setting.mayFilter)
    throw notServed(field, 'an index finds other rows too, and they would be changed; select the keys first and change by key');
  const known = values.filter((value) => value !== null && value !== undefined);
  const index = field.indexes.findLast(({ kind }) => kind === 'exact');
  if (index === undefined) throw notServed(field, 'it has no index to find equal values by', 'exact');
  const forms = known.map((value) => canonicalForm('exact', textOf(field, value), field.valueType));
  filters.push({ field, reference, forms: new Set(forms.filter((form) => form !== null)) });
  return found({ field, reference, column: index.column, values: known, original: node });
}

function presence(field: SealedField, reference: OperationNode, operator: 'is' | 'is not'): OperationNode {
  const test = (column: string): OperationNode =>
    BinaryOperationNode.create(sibling(reference, column), OperatorNode.create(operator), ValueNode.createImmediate(null));
  const [one, other] = [test(field.encrypted), test(field.column)];
  return ParensNode.create(operator === 'is' ? AndNode.create(one, other) : OrNode.create(one, other));
}

type Found = {
  readonly field: SealedField;
  readonly reference: OperationNode;
  readonly column: string;
  readonly values: readonly unknown[];
  readonly original: OperationNode;
};

function found({ field, reference, column, values, original }: Found): OperationNode {
  const numbers = ValueListNode.create(
    values.map((value) => ValueNode.create(new SealedParameter(field, value, { as: 'index', kind: 'exact' }))),
  );
  // IN () is no SQL; what is equal to nothing is nothing.
  const list = values.length === 0 ? ValueListNode.create([ValueNode.createImmediate(null)]) : numbers;
  const byIndex = BinaryOperationNode.create(sibling(reference, column), OperatorNode.create('in'), list);
  if (!writesPlaintext(field)) return byIndex;
  // On the way there may be rows without ciphertext, and so without index: written by somebody without a key.
  const unsealed = BinaryOperationNode.create(
    sibling(reference, field.encrypted),
    OperatorNode.create('is'),
    ValueNode.createImmediate(null),
  );
  return ParensNode.create(OrNode.create(byIndex, AndNode.create(unsealed, original)));
}

function valuesOf(node: OperationNode): readonly unknown[] | undefined {
  if (ValueNode.is(node)) return [node.value];
  if (PrimitiveValueListNode.is(node)) return node.values;
  if (!ValueListNode.is(node)) return undefined;
  const values = node.values.flatMap((each) => (ValueNode.is(each) ? [each.value] : []));
  return values.length === node.values.length ? values : undefined;
}
