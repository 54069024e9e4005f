import { isMapping } from '../mapping.ts';
import { formatColumnName, parseTableName } from '../names.ts';
import type { DataMap } from './model.ts';
import { readColumnName } from './names.ts';
import { writeMap } from './write.ts';

/** One thing that a map says and another does not, or says otherwise. */
export type MapChange = {
  readonly kind: 'added' | 'removed' | 'changed';
  /** What it is about: `public.patients.ssn`, `purpose treatment`, `subject patient`, `map`. */
  readonly subject: string;
  /** Which of its properties; null where it came or went as a whole. */
  readonly property: string | null;
  readonly from: string | null;
  readonly to: string | null;
  /** The whole in words: `public.patients.ssn: protect none -> client`. */
  readonly text: string;
};

/**
 * What changes in meaning from one map to another; order, comments and what is written out that was so anyway are no changes.
 */
export function diffMaps(before: DataMap, after: DataMap): readonly MapChange[] {
  const [from, to] = [partsOf(before), partsOf(after)];
  return [...new Set([...from.keys(), ...to.keys()])].flatMap((subject) => diffPart(subject, from.get(subject), to.get(subject)));
}

type Properties = Readonly<Record<string, unknown>>;

/** What the properties of a column are where it does not say. */
const COLUMN_DEFAULTS: Properties = { protect: 'none', search: [], search_with: [], free_text: false };

/** A map taken apart into what people speak of, in the order in which they read it. */
function partsOf(map: DataMap): ReadonlyMap<string, Properties> {
  const { purposes = {}, subjects = {}, tables = {}, outside = {}, version: _version, ...whole } = writeMap(map);
  return new Map<string, Properties>([
    ['map', whole],
    ...Object.entries(purposes).map(([name, purpose]): [string, Properties] => [`purpose ${name}`, purpose]),
    ...Object.entries(subjects).map(([name, subject]): [string, Properties] => [`subject ${name}`, subject]),
    ...Object.entries(outside).map(([name, place]): [string, Properties] => [`outside ${name}`, place]),
    ...Object.entries(tables).flatMap(([name, { columns = {}, ...table }]): [string, Properties][] => [
      [name, table],
      ...Object.entries(columns).map(([column, properties]): [string, Properties] => [
        formatColumnName({ ...parseTableName(name), column: readColumnName(column) }),
        { ...COLUMN_DEFAULTS, ...properties },
      ]),
    ]),
  ]);
}

function diffPart(subject: string, from: Properties | undefined, to: Properties | undefined): readonly MapChange[] {
  if (from === undefined)
    return [{ kind: 'added', subject, property: null, from: null, to: null, text: `${subject}: added${summary(to)}` }];
  if (to === undefined)
    return [{ kind: 'removed', subject, property: null, from: null, to: null, text: `${subject}: removed${summary(from)}` }];
  return [...new Set([...Object.keys(from), ...Object.keys(to)])].flatMap((property) =>
    diffProperty(subject, property, { from: from[property], to: to[property] }),
  );
}

function diffProperty(
  subject: string,
  property: string,
  values: { readonly from: unknown; readonly to: unknown },
): readonly MapChange[] {
  const [from, to] = [shown(values.from), shown(values.to)];
  if (from === to) return [];
  return [
    {
      kind: 'changed',
      subject,
      property,
      from,
      to,
      text: `${subject}: ${property} ${from ?? '(nothing)'} -> ${to ?? '(nothing)'}`,
    },
  ];
}

/** A new column is best known by its category. */
function summary(properties: Properties | undefined): string {
  const category = properties?.['category'];
  return category === undefined ? '' : ` (${shown(category)})`;
}

/** Plain words as they are, everything else as JSON with its keys in order, so that the order in a file does not count. */
function shown(value: unknown): string | null {
  if (value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value, inOrder);
}

function inOrder(_key: string, value: unknown): unknown {
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
