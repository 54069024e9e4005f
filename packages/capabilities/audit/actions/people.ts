import type pg from 'pg';
import type { Capture, CapturedPath, Values } from '../model.ts';
import { joinKey } from '../rules/key.ts';
import { readDeleted, type InboxRow } from '../store/inbox.ts';
import { readStep } from '../store/live-rows.ts';

/** Parents that were deleted are looked for among the newest so many rows; beyond them nobody can be told, and that is said. */
const DELETED_AT_MOST = 200_000;

/** The person at the end of a path, by its first key; undefined where nobody can be told. */
export type People = (capture: Capture, path: number, link: string) => string | undefined;

type Question = { readonly path: CapturedPath; readonly links: Set<string> };

/**
 * Finds whom the changes are about: by the rows as they stand in this transaction's snapshot, else (under ON DELETE CASCADE the parent is
 * gone already) by what the parent was when it was deleted.
 */
export async function findPeople(
  client: pg.ClientBase,
  rows: readonly InboxRow[],
  captureOf: (row: InboxRow) => Capture | undefined,
): Promise<People> {
  const questions = new Map<string, Question>();
  for (const row of rows) {
    const capture = captureOf(row);
    capture?.paths.forEach((path, place) => {
      if (path.hops.length === 0) return;
      for (const link of [row.links?.[place], row.oldLinks?.[place]]) {
        if (link === null || link === undefined) continue;
        const name = questionOf(capture, place);
        const known = questions.get(name) ?? { path, links: new Set<string>() };
        questions.set(name, known);
        known.links.add(link);
      }
    });
  }
  const deleted = deletedRows(client, rows);
  const answers = new Map<string, ReadonlyMap<string, string>>();
  for (const [name, { path, links }] of questions) answers.set(name, await walk(client, path, { links: [...links], deleted }));
  return (capture, place, link) =>
    capture.paths[place]?.hops.length === 0 ? link : answers.get(questionOf(capture, place))?.get(link);
}

function questionOf(capture: Capture, place: number): string {
  return `${capture.tenant} ${capture.table} ${place}`;
}

type Walk = { readonly links: readonly string[]; readonly deleted: (table: string) => Promise<readonly Values[]> };

async function walk(client: pg.ClientBase, path: CapturedPath, { links, deleted }: Walk): Promise<ReadonlyMap<string, string>> {
  let reached: ReadonlyMap<string, string> = new Map(links.map((link) => [link, link]));
  for (const [place, hop] of path.hops.entries()) {
    const next = path.hops[place + 1]?.columns ?? path.key;
    const references = hop.references.map(({ name }) => name);
    if (sameNames(references, next)) continue;
    const wanted = [...new Set(reached.values())];
    const found = new Map(await readStep(client, { ...hop, next }, wanted));
    const missing = wanted.filter((link) => !found.has(link));
    if (missing.length > 0) addDeleted(found, await deleted(hop.to), { references, next, missing: new Set(missing) });
    reached = new Map(
      [...reached].flatMap(([link, at]) => {
        const on = found.get(at);
        return on === undefined ? [] : [[link, on]];
      }),
    );
  }
  return reached;
}

function sameNames(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, place) => name === other[place]);
}

type Missing = { readonly references: readonly string[]; readonly next: readonly string[]; readonly missing: ReadonlySet<string> };

function addDeleted(found: Map<string, string>, deleted: readonly Values[], { references, next, missing }: Missing): void {
  for (const values of deleted) {
    const at = keyOf(values, references);
    const on = keyOf(values, next);
    if (at !== undefined && on !== undefined && missing.has(at)) found.set(at, on);
  }
}

function keyOf(values: Values, columns: readonly string[]): string | undefined {
  const parts = columns.map((column) => values[column]);
  return parts.every((part) => typeof part === 'string') ? joinKey(parts) : undefined;
}

/** By table: what its deleted rows were, those of the inboxes included. Each is read once, when it is first asked for. */
function deletedRows(client: pg.ClientBase, rows: readonly InboxRow[]): (table: string) => Promise<readonly Values[]> {
  const known = new Map<string, Promise<readonly Values[]>>();
  const read = async (table: string): Promise<readonly Values[]> => {
    const own = rows.filter((row) => row.action === 'delete' && row.table === table);
    const others = await readDeleted(client, [table], DELETED_AT_MOST);
    return [...others, ...own].flatMap(({ old }) => (old === null ? [] : [old]));
  };
  return (table) => {
    const reading = known.get(table) ?? read(table);
    known.set(table, reading);
    return reading;
  };
}
