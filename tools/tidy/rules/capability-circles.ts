import { ownPackage, placeOf, resolveRelative } from '../places.ts';
import { isTest, isTypeScript, type Fault, type RepositoryFile, type Rule } from '../rule.ts';
import { referencesOf } from '../syntax.ts';

/** Everything is derived from the map, so it stands on nothing. */
const STANDS_ALONE = 'datamap';

type Edge = { readonly from: string; readonly to: string; readonly path: string; readonly line: number };

export const capabilityCircles: Rule = {
  name: 'capability-circles',
  why: 'Capabilities that need each other in a circle are one capability, and none of them can be understood or removed alone.',
  check: (files) => {
    const edges = files.filter((file) => isTypeScript(file) && !isTest(file)).flatMap(edgesOf);
    return edges.flatMap((edge) => {
      const fault = (message: string): Fault[] => [{ path: edge.path, line: edge.line, message }];
      if (edge.from === STANDS_ALONE) return fault(`${STANDS_ALONE} may not import another capability (${edge.to})`);
      const way = wayBack(edge, edges);
      return way === undefined ? [] : fault(`a circle of capabilities: ${[edge.from, ...way].join(' -> ')}`);
    });
  },
};

function edgesOf(file: RepositoryFile): Edge[] {
  const from = placeOf(file.path).capability;
  if (from === undefined) return [];
  return referencesOf(file).flatMap(({ specifier, line }) => {
    const to = importedCapability(file.path, specifier);
    return to === undefined || to === from ? [] : [{ from, to, path: file.path, line }];
  });
}

function importedCapability(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return placeOf(resolveRelative(from, specifier)).capability;
  const own = ownPackage(specifier);
  return own?.name === 'capabilities' && own.subpath !== 'capability' ? own.subpath.split('/')[0] : undefined;
}

/** The capabilities from the end of `edge` back to its beginning. */
function wayBack(edge: Edge, edges: readonly Edge[]): string[] | undefined {
  const ways: string[][] = [[edge.to]];
  const seen = new Set([edge.to]);
  for (const way of ways) {
    const last = way.at(-1);
    if (last === edge.from) return way;
    for (const { from, to } of edges) {
      if (from !== last || seen.has(to)) continue;
      seen.add(to);
      ways.push([...way, to]);
    }
  }
  return undefined;
}
