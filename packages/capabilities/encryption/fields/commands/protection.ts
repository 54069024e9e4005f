import {
  formatColumnName,
  formatTableName,
  isSafekeepError,
  SafekeepError,
  type ColumnRef,
  type MappedColumn,
  type SearchKind,
} from '@safekeep/core';
import type { CommandContext } from '../../../capability.ts';
import { editMap, loadMap, saveMap, type MapText } from '../../../datamap/index.ts';
import type { Mode } from '../model.ts';

// What the map says of a column, and what is written into it once that is so.

type Mapped = { readonly map: MapText | undefined; readonly mapped: MappedColumn | undefined };

/** A column can be encrypted without a map; then nothing is written into one. */
export async function mappedColumn(context: CommandContext, ref: ColumnRef): Promise<Mapped> {
  try {
    const map = await loadMap(context.mapFile);
    return { map, mapped: map.map.tables.get(formatTableName(ref))?.columns.get(ref.column) };
  } catch (error) {
    if (isSafekeepError(error, 'map-missing')) return { map: undefined, mapped: undefined };
    throw error;
  }
}

type Protected = {
  readonly protect: Mode | 'none';
  readonly search: readonly SearchKind[];
  readonly searchWith: readonly string[];
};

export async function writeProtection(
  context: CommandContext,
  ref: ColumnRef,
  { protect, search, searchWith }: Protected,
): Promise<void> {
  const { map, mapped } = await mappedColumn(context, ref);
  const name = formatColumnName(ref);
  if (map === undefined || mapped === undefined) {
    context.say(`The map does not know ${name}: run safekeep scan --write, and give it protect: ${protect} there.`);
    return;
  }
  const values = {
    protect,
    ...(search.length > 0 || mapped.search.length > 0 ? { search: [...search] } : {}),
    ...(searchWith.length > 0 || mapped.searchWith.length > 0 ? { search_with: [...searchWith] } : {}),
  };
  const text = editMap(map, [{ kind: 'set-column', table: formatTableName(ref), column: ref.column, values }]);
  try {
    await saveMap(context.mapFile, text, map.text);
  } catch (error) {
    // What was done to the database stands; only the file is behind.
    if (!isSafekeepError(error)) throw error;
    throw new SafekeepError('field-map-behind', { field: name, protect, reason: error.message }, { cause: error });
  }
}
