import { parseDocument } from 'yaml';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import Schema from 'typebox/schema';
import {
  formatPath,
  formatTableName,
  SafekeepError,
  subjectsOfTable,
  type DataMap,
  type MapEdit,
  type PathStep,
} from '@safekeep/core';

const Meta = Type.Union([
  Type.Null(),
  Type.Object({
    references: Type.Optional(
      Type.Union([
        Type.Null(),
        Type.Array(
          Type.Object({
            dataset: Type.String(),
            field: Type.String(),
            direction: Type.Optional(Type.Union([Type.String(), Type.Null()])),
          }),
        ),
      ]),
    ),
    identity: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    primary_key: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
    namespace: Type.Optional(Type.Union([Type.Null(), Type.Object({ schema: Type.Optional(Type.String()) })])),
  }),
]);
const Categories = Type.Optional(Type.Union([Type.Null(), Type.Array(Type.String())]));
const Field = Type.Object({ name: Type.String(), data_categories: Categories, fides_meta: Type.Optional(Meta) });
const Dataset = Type.Object({
  fides_key: Type.String(),
  fides_meta: Type.Optional(Meta),
  collections: Type.Array(Type.Object({ name: Type.String(), data_categories: Categories, fields: Type.Array(Field) })),
});
const FidesFile = Type.Object({ dataset: Type.Array(Dataset) });
type Collection = Static<typeof Dataset>['collections'][number];
type Reference = { readonly dataset: string; readonly field: string; readonly direction?: string | null };

const STEPS_AT_MOST = 8;

/**
 * What a fides dataset says that the map does not say yet: categories of columns, persons where an identity stands, and paths
 * along its references. What stands in the map already stays as it is.
 */
export function importFides(text: string, file: string, map: DataMap): readonly MapEdit[] {
  const tables = readTables(text, file);
  return [...subjectEdits(tables, map), ...[...tables.values()].flatMap((table) => tableEdits(table, tables, map))];
}

type Table = { readonly name: string; readonly table: string; readonly fields: Collection['fields'] };

function readTables(text: string, file: string): ReadonlyMap<string, Table> {
  const document = parseDocument(text, { prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined)
    throw new SafekeepError('fides-invalid', { file, reason: `it is no YAML (${error.message.split('\n')[0] ?? error.code})` });
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  if (!Schema.Check(FidesFile, value)) {
    const [fault] = Schema.Errors(FidesFile, value)[1];
    throw new SafekeepError('fides-invalid', {
      file,
      reason: `${fault?.instancePath === '' ? 'the file' : (fault?.instancePath ?? 'it')} ${fault?.message ?? 'has another form'}`,
    });
  }
  return new Map(
    value.dataset.flatMap((dataset) =>
      dataset.collections.map((collection): [string, Table] => {
        const schema = dataset.fides_meta?.namespace?.schema ?? 'public';
        // Fields without categories of their own have those of the collection.
        const fields = collection.fields.map((field) => ({
          ...field,
          data_categories: field.data_categories ?? collection.data_categories ?? null,
        }));
        return [
          `${dataset.fides_key}.${collection.name}`,
          { name: collection.name, table: formatTableName({ schema, table: collection.name }), fields },
        ];
      }),
    ),
  );
}

function identityFields({ fields }: Table): readonly string[] {
  return fields.filter(({ fides_meta: meta }) => typeof meta?.identity === 'string').map(({ name }) => name);
}

/** A collection by which a person is found is a table of persons. */
function subjectEdits(tables: ReadonlyMap<string, Table>, map: DataMap): readonly MapEdit[] {
  return [...tables.values()].flatMap((table): readonly MapEdit[] => {
    const findBy = identityFields(table);
    const key = table.fields.filter(({ fides_meta: meta }) => meta?.primary_key === true).map(({ name }) => name);
    const isKnown = map.subjects.has(table.name) || subjectsOfTable(map, table.table).length > 0;
    const [first, ...more] = key;
    if (findBy.length === 0 || isKnown || first === undefined) return [];
    return [
      {
        kind: 'set-subject',
        name: table.name,
        subject: { table: table.table, key: more.length === 0 ? first : [first, ...more], find_by: [...findBy] },
      },
    ];
  });
}

function tableEdits(table: Table, tables: ReadonlyMap<string, Table>, map: DataMap): readonly MapEdit[] {
  const mapped = map.tables.get(table.table);
  const isSaid = mapped !== undefined && (mapped.of.length > 0 || mapped.ofNobody);
  const way = isSaid ? undefined : wayToPerson(table, tables);
  const columns = table.fields.filter(
    ({ name, data_categories: keys }) => mapped?.columns.has(name) !== true && (keys ?? []).length > 0,
  );
  return [
    ...(way === undefined
      ? []
      : [{ kind: 'set-table' as const, table: table.table, values: { of: { [way.subject]: formatPath({ steps: way.steps }) } } }]),
    ...columns.map(({ name, data_categories: keys }): MapEdit => {
      const [only = 'none', ...more] = keys ?? [];
      return {
        kind: 'set-column',
        table: table.table,
        column: name,
        values: { category: more.length === 0 ? only : [only, ...more] },
      };
    }),
  ];
}

type Way = { readonly subject: string; readonly steps: readonly PathStep[] };

/** The shortest chain of references to a collection of persons. */
function wayToPerson(start: Table, tables: ReadonlyMap<string, Table>): Way | undefined {
  if (identityFields(start).length > 0) return undefined;
  let front: readonly { readonly at: Table; readonly steps: readonly PathStep[] }[] = [{ at: start, steps: [] }];
  const seen = new Set([start]);
  for (let length = 0; length < STEPS_AT_MOST; length += 1) {
    const next: { readonly at: Table; readonly steps: readonly PathStep[] }[] = [];
    for (const { at, steps } of front) {
      for (const { name, fides_meta: meta } of at.fields) {
        for (const reference of meta?.references ?? []) {
          const [to, column] = target(reference, tables);
          if (to === undefined || column === undefined || reference.direction === 'to' || seen.has(to)) continue;
          const leaving: PathStep = { arrow: '->', table: null, columns: [name] };
          if (identityFields(to).length > 0) return { subject: to.name, steps: [...steps, leaving] };
          seen.add(to);
          next.push({ at: to, steps: [...steps, leaving, { arrow: '->', table: to.table, columns: [column] }] });
        }
      }
    }
    front = next;
  }
  return undefined;
}

function target(
  { dataset, field }: Reference,
  tables: ReadonlyMap<string, Table>,
): readonly [Table | undefined, string | undefined] {
  const dot = field.lastIndexOf('.');
  return [tables.get(`${dataset}.${field.slice(0, dot)}`), dot < 0 ? undefined : field.slice(dot + 1)];
}
