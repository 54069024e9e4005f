import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AppliedObject, Step } from '../model.ts';
import { wish } from '../testing/contributors.ts';
import { inOrder } from './order.ts';
import { partsOf } from './parts.ts';
import { definitionSha256, planHash, stepsOut, stepsToward } from './steps.ts';

const object = (id: string, dependsOn: readonly string[] = [], definition = '') =>
  wish({
    id,
    kind: 'thing',
    target: id,
    definition,
    create: [`make ${id}`],
    remove: [`drop ${id}`],
    probe: { sql: '', key: [] },
    locks: [],
    dependsOn,
  });
const applied = (made: ReturnType<typeof object>): AppliedObject => ({
  ...made,
  definitionSha256: definitionSha256(made),
  state: 'as made',
});
const standing = (...objects: readonly AppliedObject[]) => ({
  applied: objects,
  live: new Map(objects.map(({ id }) => [id, { state: 'as made', disabled: false }])),
});
const told = (steps: readonly Step[]) => steps.map(({ action, object: id }) => `${action} ${id}`);

/** Objects that depend only on ones of a smaller number: no circle. */
const graph = fc.uniqueArray(fc.nat({ max: 30 }), { minLength: 1, maxLength: 12 }).chain((ids) =>
  fc.tuple(
    ...ids.map((id) =>
      fc.subarray(ids.filter((other) => other < id)).map((before) =>
        object(
          `o${id}`,
          before.map((each) => `o${each}`),
        ),
      ),
    ),
  ),
);

test('everything stands after what it depends on, and what is left of an order keeps it', () => {
  fc.assert(
    fc.property(graph, fc.nat(), (objects, cut) => {
      const ordered = inOrder(objects);
      const place = new Map(ordered.map(({ id }, index) => [id, index]));
      for (const { id, dependsOn } of objects)
        for (const before of dependsOn) assert.ok((place.get(before) ?? Infinity) < (place.get(id) ?? -1));
      const rest = ordered.slice(cut % (ordered.length + 1));
      assert.deepEqual(inOrder(rest.toReversed()), rest);
    }),
  );
});

test('after its steps nothing is left to do, and out again is the reverse', () => {
  fc.assert(
    fc.property(graph, (objects) => {
      const steps = stepsToward(objects, standing());
      const all = standing(...objects.map(applied));
      assert.deepEqual(stepsToward(objects, all), []);
      assert.deepEqual(
        stepsOut(all).map((step) => step.object),
        steps.map((step) => step.object).toReversed(),
      );
    }),
  );
});

test('what rests on a replaced object goes before it and comes after it', () => {
  const [table, trigger, other] = [object('table'), object('trigger', ['table']), object('other')];
  const changed = object('table', [], 'changed');
  assert.deepEqual(told(stepsToward([changed, trigger, other], standing(applied(table), applied(trigger), applied(other)))), [
    'remove trigger',
    'remove table',
    'create table',
    'create trigger',
  ]);
});

test('a circle, an object wanted twice and a dependency that nobody wants are bugs of a contributor', () => {
  assert.throws(() => stepsToward([object('a', ['b']), object('b', ['a'])], standing()), /depends on itself/);
  assert.throws(() => stepsToward([object('a'), object('a')], standing()), /Two contributors want a/);
  assert.throws(() => stepsToward([object('a', ['b'])], standing()), /which nobody wants/);
});

test('an estimate of rows does not outdate a plan; everything else about a step does', () => {
  const hashOf = (change: object) =>
    planHash({ tenant: 't', map: 'm', structure: 's', steps: stepsToward([{ ...object('a'), ...change }], standing()) });
  assert.equal(hashOf({ rows: 5 }), hashOf({ rows: 6 }));
  for (const change of [
    { target: 'x' },
    { create: ['y'] },
    { rewrites: true },
    { reversible: false },
    { runsIn: 'alone' },
    { locks: [{ schema: 's', table: 't', mode: 'SHARE' }] },
  ])
    assert.notEqual(hashOf(change), hashOf({}), JSON.stringify(change));
});

test('a transaction locks no more tables than it may, and what runs alone is a part of its own', () => {
  const on = (id: string, table: string) => ({ ...object(id), locks: [{ schema: 'public', table, mode: 'SHARE' as const }] });
  const steps = stepsToward(
    [on('a', '1'), on('b', '1'), on('c', '2'), on('d', '3'), { ...object('e'), runsIn: 'alone' }, on('f', '3')],
    standing(),
  );
  assert.deepEqual(
    partsOf(steps, 2).map((part) => part.map((step) => step.object)),
    [['a', 'b', 'c'], ['d'], ['e'], ['f']],
  );
});
