import { stringify } from 'yaml';
import {
  bareType,
  categoryOf,
  columnOf,
  indexSchema,
  isWithin,
  lengthOf,
  parseTableName,
  resolveEdge,
  type ColumnFacts,
  type DataMap,
  type Hop,
  type MappedColumn,
  type MappedTable,
  type SchemaFacts,
  type SchemaIndex,
} from '@safekeep/core';

/** A dataset of fides: https://ethyca.github.io/fideslang/resources/dataset/ */
export type FidesDataset = {
  readonly fides_key: string;
  readonly organization_fides_key: string;
  readonly name: string;
  readonly description: string;
  readonly fides_meta: { readonly namespace: { readonly schema: string } };
  readonly collections: readonly FidesCollection[];
};
export type FidesCollection = { readonly name: string; readonly fields: readonly FidesField[] };
export type FidesField = { readonly name: string; readonly data_categories?: readonly string[]; readonly fides_meta?: FidesMeta };
export type FidesReference = { readonly dataset: string; readonly field: string; readonly direction: 'from' };
export type FidesMeta = {
  readonly references?: readonly FidesReference[];
  readonly identity?: string;
  readonly primary_key?: boolean;
  readonly data_type?: string;
  readonly length?: number;
};

/** The map as fides datasets, one for each schema, with the references that its requests follow. */
export function exportFides(map: DataMap, facts: SchemaFacts): string {
  return stringify({ dataset: fidesDatasets(map, facts) }, { lineWidth: 0 });
}

export function fidesDatasets(map: DataMap, facts: SchemaFacts): readonly FidesDataset[] {
  const schema = indexSchema(facts);
  const references = referencesOf(map, schema);
  const bySchema = Map.groupBy(map.tables.values(), ({ name }) => parseTableName(name).schema);
  return [...bySchema].map(([name, tables]) => ({
    fides_key: datasetKey(name),
    organization_fides_key: 'default_organization',
    name: map.controller === null ? name : `${map.controller.name}: ${name}`,
    description: 'Exported from datamap.yaml by Safekeep.',
    fides_meta: { namespace: { schema: name } },
    collections: tables.map((table) => ({
      name: parseTableName(table.name).table,
      fields: [...table.columns.values()].map((column) =>
        fieldOf({ map, schema, table, references: references.get(`${table.name}\n${column.name}`) ?? [] }, column),
      ),
    })),
  }));
}

/** Keys of fides are letters, digits and _ . < > -. */
function datasetKey(schema: string): string {
  return schema.replaceAll(/[^a-zA-Z0-9_.<>-]/g, '_');
}

/** The references along all paths, by table and column; each once. Composite ones column by column, as fides has them. */
function referencesOf(map: DataMap, schema: SchemaIndex): ReadonlyMap<string, readonly FidesReference[]> {
  const found = new Map<string, Map<string, FidesReference>>();
  const add = (hop: Hop, place: number): void => {
    const [column, other] = [hop.columns[place], hop.references[place]];
    if (column === undefined || other === undefined) return;
    const key = `${hop.from}\n${column}`;
    const { schema: to, table } = parseTableName(hop.to);
    const reference: FidesReference = { dataset: datasetKey(to), field: `${table}.${other}`, direction: 'from' };
    const known = found.get(key) ?? new Map<string, FidesReference>();
    found.set(key, known.set(`${reference.dataset}\n${reference.field}`, reference));
  };
  for (const table of map.tables.values()) {
    for (const edge of table.of) {
      const resolved = resolveEdge(map, schema, table.name, edge);
      if ('kind' in resolved || resolved.meaning === 'stop') continue;
      for (const hop of resolved.hops) for (const place of hop.columns.keys()) add(hop, place);
    }
  }
  return new Map([...found].map(([key, references]) => [key, [...references.values()]]));
}

type Around = {
  readonly map: DataMap;
  readonly schema: SchemaIndex;
  readonly table: MappedTable;
  readonly references: readonly FidesReference[];
};

function fieldOf({ map, schema, table, references }: Around, column: MappedColumn): FidesField {
  const live = schema.byName.get(table.name);
  const facts = live === undefined ? undefined : columnOf(live, column.name);
  const subjects = [...map.subjects.values()].filter((subject) => subject.table === table.name);
  const isKey = live?.primaryKey?.columns.includes(column.name) ?? subjects.some(({ key }) => key.includes(column.name));
  const categories = [...new Set(column.categories.map(fidesCategory))];
  const meta: FidesMeta = {
    ...(isKey ? { primary_key: true } : {}),
    ...(subjects.some(({ findBy }) => findBy.includes(column.name)) ? { identity: identityOf(column) } : {}),
    ...(references.length === 0 ? {} : { references }),
    ...(facts === undefined ? {} : dataType(facts)),
  };
  return {
    name: column.name,
    ...(categories.length === 0 ? {} : { data_categories: categories }),
    ...(Object.keys(meta).length === 0 ? {} : { fides_meta: meta }),
  };
}

/** Where our taxonomy goes below fideslang, the nearest key that fides knows. */
function fidesCategory(key: string): string {
  const category = categoryOf(key);
  if (category?.origin !== 'safekeep' || category.parent === null) return key;
  return fidesCategory(category.parent);
}

function identityOf({ name, categories }: MappedColumn): string {
  if (categories.some((key) => isWithin(key, 'user.contact.email'))) return 'email';
  return categories.some((key) => isWithin(key, 'user.contact.phone_number')) ? 'phone_number' : name;
}

const DATA_TYPES: Readonly<Record<string, string>> = {
  'smallint': 'integer',
  'integer': 'integer',
  'bigint': 'integer',
  'numeric': 'float',
  'real': 'float',
  'double precision': 'float',
  'boolean': 'boolean',
  'json': 'object',
  'jsonb': 'object',
  'text': 'string',
  'character varying': 'string',
  'character': 'string',
};

function dataType(column: ColumnFacts): Pick<FidesMeta, 'data_type' | 'length'> {
  const name = DATA_TYPES[bareType({ baseType: column.baseType.replace(/(\[\])+$/, '') })];
  const length = lengthOf(column);
  if (name === undefined) return {};
  return { data_type: column.isArray ? `${name}[]` : name, ...(length === undefined ? {} : { length }) };
}
