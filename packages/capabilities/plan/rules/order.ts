/** What stands on what. */
export type Dependent = { readonly id: string; readonly dependsOn: readonly string[] };

/**
 * Everything after what it depends on; apart from that by id. A dependency that is not in the list counts as met.
 *
 * Without any beginning of the list the order of the rest stays the same: an interrupted run is gone on with in the order of
 * its plan.
 */
export function inOrder<Item extends Dependent>(items: Iterable<Item>): readonly Item[] {
  const byId = new Map([...items].map((item) => [item.id, item]));
  const ordered: Item[] = [];
  const state = new Map<string, 'entered' | 'placed'>();
  const place = (item: Item): void => {
    if (state.get(item.id) === 'placed') return;
    // A contributor's bug: no order satisfies a circle.
    if (state.get(item.id) === 'entered') throw new Error(`${item.id} depends on itself`);
    state.set(item.id, 'entered');
    for (const id of item.dependsOn.toSorted()) {
      const before = byId.get(id);
      if (before !== undefined) place(before);
    }
    state.set(item.id, 'placed');
    ordered.push(item);
  };
  // Plain strings are sorted by code units: the same on every machine.
  for (const id of [...byId.keys()].toSorted()) {
    const item = byId.get(id);
    if (item !== undefined) place(item);
  }
  return ordered;
}

/** The ids, and those of everything that rests on one of them, directly or through others. */
export function withDependents(ids: Iterable<string>, items: Iterable<Dependent>): ReadonlySet<string> {
  const dependents = new Map<string, string[]>();
  for (const { id, dependsOn } of items) {
    for (const before of dependsOn) dependents.set(before, [...(dependents.get(before) ?? []), id]);
  }
  // A set that is added to while it is walked is walked to its end.
  const found = new Set(ids);
  for (const id of found) for (const dependent of dependents.get(id) ?? []) found.add(dependent);
  return found;
}
