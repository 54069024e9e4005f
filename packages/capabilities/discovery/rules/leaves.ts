/** What stands in a document: for each leaf the key that leads to it, and its values. */
export type Leaf = { readonly key: string; readonly values: readonly string[] };

const DEPTH_AT_MOST = 8;
const LEAVES_AT_MOST = 200;
const VALUES_OF_LEAF = 100;

/**
 * Takes JSON (and hstore, as PostgreSQL prints it) apart. A leaf is named by the nearest key above it, so the elements of a list
 * are one leaf. What is no document is passed over.
 */
export function leavesOf(documents: readonly string[]): readonly Leaf[] {
  const found = new Map<string, Set<string>>();
  for (const document of documents) walk(parse(document), { key: '', depth: 0, found });
  return [...found].map(([key, values]) => ({ key, values: [...values] }));
}

function parse(document: string): unknown {
  try {
    // Whatever it is, it is looked at before it is used.
    return JSON.parse(document) as unknown;
  } catch {
    // hstore prints "key"=>"value"; anything else is garbage that somebody keeps in a json column of their own making.
    const pairs = [...document.matchAll(/"((?:[^"\\]|\\.){1,200})"=>"((?:[^"\\]|\\.){0,1000})"/g)];
    return pairs.length === 0 ? undefined : Object.fromEntries(pairs.map(([, key = '', value = '']) => [key, value]));
  }
}

function walk(
  value: unknown,
  { key, depth, found }: { readonly key: string; readonly depth: number; readonly found: Map<string, Set<string>> },
): void {
  if (value === null || value === undefined || depth > DEPTH_AT_MOST) return;
  if (Array.isArray(value)) {
    for (const item of value) walk(item, { key, depth: depth + 1, found });
    return;
  }
  if (typeof value === 'object') {
    for (const [name, item] of Object.entries(value)) walk(item, { key: name, depth: depth + 1, found });
    return;
  }
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return;
  const values = found.get(key);
  if (values !== undefined) {
    if (values.size < VALUES_OF_LEAF) values.add(String(value).slice(0, 256));
  } else if (found.size < LEAVES_AT_MOST) found.set(key, new Set([String(value).slice(0, 256)]));
}
