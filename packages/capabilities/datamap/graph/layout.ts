import * as dagre from '@dagrejs/dagre';
import { formatPath, isPersonalColumn, subjectsOfTable, type DataMap, type MappedTable, type SubjectEdge } from '@safekeep/core';
import type { Graph } from '../model.ts';

/** In units of the console's canvas. The width follows the name: about the width of a letter each. */
const NODE = { height: 44, letterWidth: 7.5, padding: 32, minWidth: 120 } as const;

/** A graph of dagre, as far as we use it. */
type LayoutGraph = {
  readonly setGraph: (label: { readonly rankdir: 'RL'; readonly nodesep: number; readonly ranksep: number }) => void;
  readonly setNode: (name: string, label: { readonly width: number; readonly height: number }) => void;
  readonly setEdge: (edge: LayoutEdge, label: object) => void;
  readonly graph: () => { readonly width?: number; readonly height?: number };
  readonly node: (name: string) => { readonly x?: number; readonly y?: number; readonly width: number; readonly height: number };
  readonly edge: (edge: LayoutEdge) => { readonly points?: readonly { readonly x: number; readonly y: number }[] } | undefined;
};
type LayoutEdge = { readonly v: string; readonly w: string; readonly name: string };

/** What we use of dagre. */
type Dagre = {
  readonly graphlib: { readonly Graph: new (options: { readonly multigraph: boolean }) => LayoutGraph };
  readonly layout: (graph: LayoutGraph) => void;
};

// Its declarations import each other without file endings, which Node's module resolution does not follow: of these parts the
// compiler sees nothing, so they are told here.
const { graphlib, layout } = dagre as unknown as Dagre;

type Line = Omit<Graph['edges'][number], 'points'>;

/** The map as a picture: persons at the left, what belongs to them towards the right. Laid out here, so that the browser need not. */
export function layOutMap(map: DataMap): Graph {
  const lines = linesOf(map);
  const names = [
    ...new Set([...[...map.subjects.values()].map(({ table }) => table), ...lines.flatMap(({ from, to }) => [from, to])]),
  ];
  const graph = new graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: 'RL', nodesep: 24, ranksep: 90 });
  for (const name of names)
    graph.setNode(name, { width: Math.max(NODE.minWidth, name.length * NODE.letterWidth + NODE.padding), height: NODE.height });
  for (const [index, { from, to }] of lines.entries()) graph.setEdge({ v: from, w: to, name: String(index) }, {});
  layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  return {
    // An empty map has no extent; dagre says minus infinity.
    width: Number.isFinite(width) ? width : 0,
    height: Number.isFinite(height) ? height : 0,
    nodes: names.map((name) => ({ ...describe(map, name), ...boxOf(graph.node(name)) })),
    edges: lines.map((line, index) => ({
      ...line,
      points: pointsOf(graph.edge({ v: line.from, w: line.to, name: String(index) })),
    })),
  };
}

/** From each table to the next one on the way to a person. */
export function linesOf(map: DataMap): readonly Line[] {
  return [...map.tables.values()].flatMap((table) =>
    table.of.flatMap((edge) => {
      const to = nextTable(map, edge);
      return to === undefined
        ? []
        : [{ from: table.name, to, subject: edge.subject, path: formatPath(edge.path), meaning: edge.meaning }];
    }),
  );
}

function nextTable(map: DataMap, { subject, path }: SubjectEdge): string | undefined {
  return path.steps.find(({ table }) => table !== null)?.table ?? map.subjects.get(subject)?.table;
}

function describe(map: DataMap, name: string): Pick<Graph['nodes'][number], 'id' | 'kind' | 'subjects' | 'personalColumns'> {
  const subjects = subjectsOfTable(map, name).map((subject) => subject.name);
  const columns: MappedTable['columns'] = map.tables.get(name)?.columns ?? new Map();
  return {
    id: name,
    kind: subjects.length > 0 ? 'subject' : 'table',
    subjects,
    personalColumns: [...columns.values()].filter(isPersonalColumn).length,
  };
}

type Box = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

function boxOf(node: { readonly x?: number; readonly y?: number; readonly width: number; readonly height: number }): Box {
  const { x, y, width, height } = node;
  if (x === undefined || y === undefined) throw new Error('The layout left a table without a place');
  return { x, y, width, height };
}

function pointsOf(
  edge: { readonly points?: readonly { readonly x: number; readonly y: number }[] } | undefined,
): { x: number; y: number }[] {
  return (edge?.points ?? []).map(({ x, y }) => ({ x, y }));
}
