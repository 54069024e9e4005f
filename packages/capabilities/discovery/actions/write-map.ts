import { basename } from 'node:path';
import { isSafekeepError, type MapFile } from '@safekeep/core';
import { editMap, loadMap, newMapText, saveMap, type MapText } from '@safekeep/capabilities/datamap';
import type { Written } from '../model.ts';
import { applyProposal, columnText, proposeEdits, SCAN_NOTE } from '../rules/propose-map.ts';
import type { Scan } from './scan.ts';

const EMPTY: MapFile = { version: 1, tenant: 'fixed' };

/**
 * Adds to the map what the scan found and the map does not say; makes the file where there is none. What people wrote stays to the
 * byte. Throws `map-invalid`, `map-changed`, `file-unwritable`.
 */
export async function writeMap(file: string, scan: Scan): Promise<Written> {
  const existing = await findMap(file);
  const edits = proposeEdits(existing?.written ?? EMPTY, { facts: scan.catalog, ...scan });
  const count = (kind: (typeof edits)[number]['kind']): number => edits.filter((edit) => edit.kind === kind).length;
  if (existing === undefined) await saveMap(file, newMapText(applyProposal(EMPTY, edits)), undefined);
  else if (edits.length > 0) await saveMap(file, editMap(existing, edits), existing.text);
  return {
    file: basename(file),
    columns: count('set-column'),
    subjects: count('set-subject'),
    paths: edits.filter((edit) => edit.kind === 'set-table' && edit.values.of !== undefined && edit.values.of !== 'none').length,
    toLookAt: edits.filter(
      (edit) => edit.kind === 'set-column' && edit.values.note?.startsWith(`${SCAN_NOTE} to be looked at`) === true,
    ).length,
  };
}

/**
 * Puts verdicts into the map where a scan wrote the column, its note untouched since; a column that somebody wrote, or changed, is
 * theirs. Returns how many were changed.
 */
export async function writeVerdicts(
  file: string,
  verdicts: readonly { readonly table: string; readonly name: string; readonly category: string; readonly note: string | null }[],
): Promise<number> {
  const existing = await findMap(file);
  if (existing === undefined) return 0;
  const edits = verdicts.flatMap(({ table, name, category, note }) => {
    const mapped = existing.map.tables.get(table)?.columns.get(name);
    if (mapped === undefined || mapped.note?.startsWith(SCAN_NOTE) !== true) return [];
    const text = columnText({
      table,
      column: '',
      category,
      confidence: 1,
      decision: category === 'none' ? 'none' : 'certain',
      evidence: [],
      freeText: mapped.freeText,
      pinned: true,
      fresh: false,
    });
    return [
      { kind: 'set-column' as const, table, column: name, values: { ...text, note: note ?? `${SCAN_NOTE} a person decided` } },
    ];
  });
  if (edits.length > 0) await saveMap(file, editMap(existing, edits), existing.text);
  return edits.length;
}

/** The map of this file; undefined where there is no file yet. */
export async function findMap(file: string): Promise<MapText | undefined> {
  return loadMap(file).catch((error: unknown) => {
    if (isSafekeepError(error, 'map-missing')) return undefined;
    throw error;
  });
}
