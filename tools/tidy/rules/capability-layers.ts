import { placeOf, resolveRelative } from '../places.ts';
import { isTest, isTypeScript, type Fault, type Rule, type RepositoryFile } from '../rule.ts';
import { referencesOf } from '../syntax.ts';

/** The floors inside a capability; a name stands for the file and for the folder of that name. */
const FLOORS: ReadonlyMap<string, number> = new Map([
  ['model', 0],
  ['rules', 1],
  ['store', 2],
  ['actions', 3],
  ['routes', 4],
  ['jobs', 4],
  ['commands', 4],
  ['index', 5],
]);
const RULES = 1;
const STORE = 2;

/** An import within one capability. */
type Edge = {
  readonly capability: string;
  readonly from: string;
  readonly to: string;
  readonly path: string;
  readonly line: number;
};

export const capabilityLayers: Rule = {
  name: 'capability-layers',
  why: 'model <- rules <- store <- actions <- routes, jobs, commands: decisions stay pure and can be tested without a database.',
  check: (files) => {
    const edges = files.filter((file) => isTypeScript(file) && !isTest(file)).flatMap(edgesOf);
    return [...Map.groupBy(edges, ({ capability }) => capability).values()].flatMap(checkCapability);
  },
};

function edgesOf(file: RepositoryFile): Edge[] {
  const { capability, within } = placeOf(file.path);
  if (capability === undefined) return [];
  return referencesOf(file).flatMap(({ specifier, line }) => {
    if (!specifier.startsWith('.')) return [];
    const target = placeOf(resolveRelative(file.path, specifier));
    const edge = { capability, from: layerOf(within), to: layerOf(target.within), path: file.path, line };
    return target.capability === capability && edge.from !== edge.to ? [edge] : [];
  });
}

function layerOf(within: string): string {
  return within.split('/')[0]?.replace(/\.ts$/, '') ?? '';
}

function checkCapability(edges: readonly Edge[]): Fault[] {
  const parts = partsOnStore(edges);
  const floorOf = (layer: string): number => FLOORS.get(layer) ?? (parts.has(layer) ? STORE : RULES);
  return edges.flatMap(({ from, to, path, line }): Fault[] => {
    const [own, other] = [floorOf(from), floorOf(to)];
    const sharesFloor = own === other && own <= STORE;
    if (other < own || sharesFloor) return [];
    const reason = parts.has(to) ? ', which stands on store' : '';
    return [{ path, line, message: `${from} may not import ${to}${reason}` }];
  });
}

/**
 * A folder with a name of its own (the reader of a file format, say) is a part. It stands beside rules, unless it needs
 * the store, itself or through another part; then it stands beside that, and rules may not use it.
 */
function partsOnStore(edges: readonly Edge[]): ReadonlySet<string> {
  const parts = new Set<string>();
  let known = -1;
  while (parts.size > known) {
    known = parts.size;
    for (const { from, to } of edges) if (!FLOORS.has(from) && (to === 'store' || parts.has(to))) parts.add(from);
  }
  return parts;
}
