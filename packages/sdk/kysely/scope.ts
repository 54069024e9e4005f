import {
  AliasNode,
  ColumnNode,
  IdentifierNode,
  OperationNodeTransformer,
  ReferenceNode,
  TableNode,
  type FromNode,
  type JoinNode,
  type OperationNode,
  type RootOperationNode,
  type SelectQueryNode,
} from 'kysely';
import type { SealedField } from '../field.ts';
import { notServed, type Fields } from '../safekeep.ts';

/** The tables that a query names, by the name it calls them. */
export type Scope = readonly { readonly alias: string; readonly fields: readonly SealedField[] }[];

export function scopeOf(
  fields: Fields,
  {
    from,
    joins = [],
    tables = [],
  }: { from?: FromNode | undefined; joins?: readonly JoinNode[] | undefined; tables?: readonly OperationNode[] },
): Scope {
  return [...(from?.froms ?? []), ...joins.map(({ table }) => table), ...tables].flatMap((node) => {
    const table = AliasNode.is(node) ? node.node : node;
    if (!TableNode.is(table)) return [];
    const { schema, identifier } = table.table;
    const alias = AliasNode.is(node) && IdentifierNode.is(node.alias) ? node.alias.name : identifier.name;
    const own = fields.all.filter(
      (each) => each.table === identifier.name && (schema === undefined || each.schema === schema.name),
    );
    return [{ alias, fields: own }];
  });
}

class Names extends OperationNodeTransformer {
  readonly found = new Set<string>();

  protected override transformIdentifier(node: IdentifierNode): IdentifierNode {
    this.found.add(node.name);
    return node;
  }
}

/** Another plugin that comes later would turn `birthMail` into `birth_mail`: what is written as a plain column here is none. */
export function refuseRenamed({ all }: Fields, node: RootOperationNode): void {
  const names = new Names();
  names.transformNode(node);
  const forms = new Set([...names.found].map(bare));
  const renamed = all.find(
    ({ table, column }) =>
      forms.has(bare(table)) && forms.has(bare(column)) && !(names.found.has(table) && names.found.has(column)),
  );
  if (renamed !== undefined)
    throw notServed(
      renamed,
      'another plugin of Kysely gives names their form after this one, which knows them in the form of the database',
      {
        index: 'Make the plugin of sealedKysely the last one of `plugins`.',
      },
    );
}

/** What snake_case and camelCase have in common. */
function bare(name: string): string {
  return name.replaceAll('_', '').toLowerCase();
}

/** The encrypted field that a node names, if it names one. */
export function fieldOf(scope: Scope, node: OperationNode): SealedField | undefined {
  const name = columnName(node);
  if (name === undefined) return undefined;
  const alias = aliasOf(node);
  return scope
    .filter((table) => alias === undefined || table.alias === alias)
    .flatMap(({ fields }) => fields)
    .find(({ column }) => column === name);
}

/** The name of the table that stands before a column. */
export function aliasOf(node: OperationNode): string | undefined {
  return ReferenceNode.is(node) ? node.table?.table.identifier.name : undefined;
}

function columnName(node: OperationNode): string | undefined {
  if (ColumnNode.is(node)) return node.column.name;
  return ReferenceNode.is(node) && ColumnNode.is(node.column) ? node.column.column.name : undefined;
}

/** The same reference to another column of the same table. */
export function sibling(node: OperationNode, column: string): ReferenceNode {
  const table = ReferenceNode.is(node) ? node.table : undefined;
  return ReferenceNode.create(ColumnNode.create(column), table);
}

/** Refuses any use of an encrypted field below a node: whatever it would compute there, it would compute on nothing. */
export class Guard extends OperationNodeTransformer {
  readonly #fields: Fields;
  readonly #scopes: Scope[];

  constructor(fields: Fields, scope: Scope) {
    super();
    this.#fields = fields;
    this.#scopes = [scope];
  }

  check<Node extends OperationNode | undefined>(node: Node): Node {
    this.transformNode(node);
    return node;
  }

  protected override transformSelectQuery(node: SelectQueryNode): SelectQueryNode {
    this.#scopes.push(scopeOf(this.#fields, node));
    super.transformSelectQuery(node);
    this.#scopes.pop();
    return node;
  }

  protected override transformReference(node: ReferenceNode): ReferenceNode {
    this.#refuse(node);
    return super.transformReference(node);
  }

  protected override transformColumn(node: ColumnNode): ColumnNode {
    // Below a reference the table is known, and it was looked at there.
    if (!this.nodeStack.some((above) => ReferenceNode.is(above))) this.#refuse(node);
    return super.transformColumn(node);
  }

  #refuse(node: OperationNode): void {
    for (const scope of this.#scopes) {
      const field = fieldOf(scope, node);
      if (field !== undefined)
        throw notServed(field, 'it is sorted, joined, grouped, computed or compared by, which needs the plaintext');
    }
  }
}
