import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMap, type MapFile } from '@safekeep/core';
import { layOutMap } from './layout.ts';
import { mermaidOf } from './mermaid.ts';

function map(file: Omit<MapFile, 'version'>) {
  const reading = readMap({ version: 1, ...file });
  assert.ok('map' in reading);
  return reading.map;
}

const clinic = map({
  subjects: { patient: { table: 'patients', key: 'id' } },
  tables: {
    'patients': { columns: { id: { category: 'user.unique_id' }, made: { category: 'none', note: 'x' } } },
    'bookings': { of: { patient: 'patient_id' } },
    'treatments': { of: { patient: 'booking_id -> bookings.patient_id' } },
    'public."A ""b"" [c]"': { of: { patient: [{ path: 'a', meaning: 'about' }, 'b'] } },
    'countries': {},
  },
});

test('tables about people are laid out without touching each other, persons at one end', () => {
  const graph = layOutMap(clinic);
  assert.deepEqual(
    graph.nodes.map(({ id, kind, personalColumns }) => [id, kind, personalColumns]),
    [
      ['public.patients', 'subject', 1],
      ['public.bookings', 'table', 0],
      ['public.treatments', 'table', 0],
      ['public."A ""b"" [c]"', 'table', 0],
    ],
  );
  assert.deepEqual(
    graph.edges.map(({ from, to }) => [from, to]),
    [
      ['public.bookings', 'public.patients'],
      ['public.treatments', 'public.bookings'],
      ['public."A ""b"" [c]"', 'public.patients'],
      ['public."A ""b"" [c]"', 'public.patients'],
    ],
  );
  for (const [index, a] of graph.nodes.entries()) {
    assert.ok(
      a.x - a.width / 2 >= 0 && a.x + a.width / 2 <= graph.width && a.y - a.height / 2 >= 0 && a.y + a.height / 2 <= graph.height,
      a.id,
    );
    for (const b of graph.nodes.slice(index + 1)) {
      assert.ok(
        Math.abs(a.x - b.x) >= (a.width + b.width) / 2 || Math.abs(a.y - b.y) >= (a.height + b.height) / 2,
        `${a.id} covers ${b.id}`,
      );
    }
  }
  assert.ok(graph.edges.every(({ points }) => points.length >= 2));
  const x = new Map(graph.nodes.map((node) => [node.id, node.x]));
  assert.ok(
    (x.get('public.patients') ?? 0) < (x.get('public.bookings') ?? 0) &&
      (x.get('public.bookings') ?? 0) < (x.get('public.treatments') ?? 0),
  );
});

test('the same map is laid out the same every time, and an empty one to nothing', () => {
  assert.deepEqual(layOutMap(clinic), layOutMap(clinic));
  assert.deepEqual(layOutMap(map({})), { width: 0, height: 0, nodes: [], edges: [] });
});

test('a Mermaid flowchart carries names of any form', () => {
  assert.equal(
    mermaidOf(clinic),
    `flowchart RL
  t0(["patient: public.patients"])
  t1["public.bookings"]
  t2["public.treatments"]
  t3["public.#34;A #34;#34;b#34;#34; #91;c#93;#34;"]
  t1 -->|"patient"| t0
  t2 -->|"patient"| t1
  t3 -->|"patient, about"| t0
  t3 -->|"patient"| t0`,
  );
});
