import assert from 'node:assert/strict';
import type { ObjectKind, ObjectReport, ObjectState, PostLoadStatement, TargetTable } from './model.ts';

/** What a part of the translation says about one object. */
export type Finding = { readonly state: ObjectState; readonly reason: string };

export const migrated: Finding = { state: 'migrated', reason: '' };

export function remarked(remark: string): Finding {
  return { state: 'migrated', reason: remark };
}

export function changed(reason: string): Finding {
  return { state: 'changed', reason };
}

export function notMigrated(reason: string): Finding {
  return { state: 'not-migrated', reason };
}

/** All reasons are kept; the state that is furthest from `migrated` wins. */
export function combine(findings: readonly Finding[]): Finding {
  const order: readonly ObjectState[] = ['migrated', 'changed', 'not-migrated'];
  const worst = findings.reduce<ObjectState>(
    (state, finding) => (order.indexOf(finding.state) > order.indexOf(state) ? finding.state : state),
    'migrated',
  );
  const reasons = new Set(findings.map((finding) => finding.reason).filter((reason) => reason !== ''));
  return { state: worst, reason: [...reasons].join('; ') };
}

/** Collects the objects of a plan; each is added once and gets an id. */
export class ObjectInventory {
  readonly #objects: ObjectReport[] = [];
  readonly #ids = new Set<string>();

  add(kind: ObjectKind, name: string, finding: Finding, source: string | null = null): string {
    assert(finding.state === 'migrated' || finding.reason !== '', `${kind} ${name} needs a reason`);
    const wanted = `${kind} ${name}`;
    let id = wanted;
    for (let number = 2; this.#ids.has(id); number += 1) id = `${wanted} #${number}`;
    this.#ids.add(id);
    this.#objects.push({ id, kind, name, ...finding, source });
    return id;
  }

  get objects(): readonly ObjectReport[] {
    return this.#objects;
  }
}

/** The server refused a statement of object `id`: it is not migrated, in the server's own words. */
export function refuse(objects: readonly ObjectReport[], id: string, reason: string): ObjectReport[] {
  return restate(objects, id, () => notMigrated(`PostgreSQL refused it: ${reason}`));
}

/** The statement's NOT VALID form was run in its place. */
export function settleViolated(objects: readonly ObjectReport[], statement: PostLoadStatement): ObjectReport[] {
  const { violated } = statement;
  assert(violated !== null, `${statement.object} has no form for rows that violate it`);
  return restate(objects, statement.object, (object) => combine([object, changed(violated.reason)]));
}

/** The server refused CREATE TABLE, and its generated columns were made ordinary ones: their values are all there. */
export function settlePlain(objects: readonly ObjectReport[], table: TargetTable, reason: string): ObjectReport[] {
  return table.columns
    .filter(({ generated }) => generated)
    .reduce<ObjectReport[]>(
      (all, { object: id }) =>
        restate(all, id, (object) =>
          combine([
            object,
            changed(`no longer computed, its values stand in an ordinary column: PostgreSQL refused the expression (${reason})`),
          ]),
        ),
      [...objects],
    );
}

function restate(objects: readonly ObjectReport[], id: string, finding: (object: ObjectReport) => Finding): ObjectReport[] {
  assert(
    objects.some((object) => object.id === id),
    `No object ${id} in the report`,
  );
  return objects.map((object) => (object.id === id ? { ...object, ...finding(object) } : object));
}
