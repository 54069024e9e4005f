import { encryptedName, formatColumnName, formatTableName, indexName, SafekeepError, type ColumnRef } from '@safekeep/core';
import type { Field } from '../model.ts';
import { createTriggers, lockToAlter, runAll } from '../store/definition.ts';
import { readLiveNames, recordNames, renameColumn, type LiveNames } from '../store/live-names.ts';
import { objectName } from '../store/names.ts';
import { listFields, readField } from '../store/records.ts';
import { createView, dropView } from '../store/view.ts';
import { isAtLeast } from '../rules/life.ts';
import { follow, inTransaction, nameOf, reading, requireUnaltered, withLease, type Ground } from './ground.ts';
import { fresh } from './known.ts';
import { refuseReaders } from './readers-of-view.ts';

/** A field and what it is called since. */
type Renamed = { readonly known: Field; readonly now: Field };

/**
 * Takes a column over that was renamed, or whose table was, since it was encrypted. Nothing is sealed anew: values are bound to the id of
 * the field and to no name. Under one short lock ciphertext and indexes get the names that go with the column's, and triggers, view and
 * capture are made for them. What else is encrypted in the same table comes along.
 *
 * @throws `field-unknown` where no encrypted column has come to this name, `field-going-back`, `field-unfit`, `field-busy`, `lock-timeout`.
 */
export async function takeOver(
  ground: Ground,
  column: ColumnRef,
  { agree }: { readonly agree: (was: readonly Field[]) => Promise<void> },
): Promise<Field> {
  const all = await standing(ground);
  const own = all.find(({ now }) => isNamed(now, column));
  if (own === undefined) throw new SafekeepError('field-unknown', { field: formatColumnName(column) });
  const together = all.filter(({ now }) => now.table.schema === own.now.table.schema && now.table.table === own.now.table.table);
  const renamed = together.filter(
    ({ known, now }) => nameOf(known) !== nameOf(now) || known.encryptedColumn !== now.encryptedColumn,
  );
  if (renamed.length === 0) return own.known;
  refuseCopies(all, together);
  for (const { known } of together) {
    if (known.direction === 'out') throw new SafekeepError('field-going-back', { field: nameOf(known) });
    await refuseReaders(ground, known);
  }
  await agree(renamed.map(({ known }) => known));
  await withLease(
    ground,
    together.map(({ known }) => known),
    async (held) => {
      await inTransaction(held, own.now, async (client) => {
        await lockToAlter(client, own.now);
        const kept: string[] = [];
        for (const { known, now } of renamed) kept.push(...(await dropView(client, known, now)));
        for (const { known, now } of renamed) {
          const [live, ...copies] = await readLiveNames(client, known);
          if (live === undefined || copies.length > 0 || nameOf(live) !== nameOf(now))
            throw new SafekeepError('field-changed', { field: nameOf(now) });
          await nameCompanions(client, live, now);
          await requireUnaltered(client, now);
          await recordNames(client, now);
        }
        const fields = (await listFields(client, held.tenant)).filter((each) => together.some(({ known }) => known.id === each.id));
        // Indexes over several columns name the others', too.
        for (const field of fields) await runAll(client, createTriggers(field, field.phase));
        await follow(client, held, own.now);
        const shown = fields.find(({ mode, phase }) => mode === 'database' && isAtLeast(phase, 'switched'));
        if (shown !== undefined) await createView(client, shown, kept);
      });
    },
  );
  return await fresh(ground, own.now);
}

/** Of a table and its copy nobody can tell which one the field went with, and the other would stay with ciphertext that nobody looks after. */
function refuseCopies(all: readonly Renamed[], together: readonly Renamed[]): void {
  for (const { known } of together) {
    const tables = all.filter((each) => each.known.id === known.id).map(({ now }) => formatTableName(now.table));
    if (tables.length < 2) continue;
    const reasons = `- tables ${tables.join(', ')}: all of them have the triggers of this column, as a table has that was copied with its own. What to do first: drop the copy, or its triggers (${objectName('both', known)} and what else begins with zz_safekeep_).`;
    throw new SafekeepError('field-unfit', { field: nameOf(known), reasons });
  }
}

function isNamed({ table, column }: Pick<Field, 'table' | 'column'>, ref: ColumnRef): boolean {
  return table.schema === ref.schema && table.table === ref.table && column === ref.column;
}

/** All fields of the tenant whose triggers stand, with the names that they should have by what their columns are called now; once for each table. */
async function standing(ground: Ground): Promise<readonly Renamed[]> {
  return await reading(ground, async (client) => {
    const found: Renamed[] = [];
    for (const listed of await listFields(client, ground.tenant)) {
      const known = (await readField(client, listed)) ?? listed;
      for (const { table, column } of await readLiveNames(client, listed)) {
        const indexes = known.indexes.map((index) => ({ ...index, column: indexName(column, index.kind, index.version) }));
        found.push({ known, now: { ...known, table, column, encryptedColumn: encryptedName(column), indexes } });
      }
    }
    return found;
  });
}

type Client = Parameters<typeof renameColumn>[0];

async function nameCompanions(client: Client, live: LiveNames, now: Field): Promise<void> {
  await renameColumn(client, now.table, { from: live.encryptedColumn, to: now.encryptedColumn });
  for (const [place, { column }] of now.indexes.entries())
    await renameColumn(client, now.table, { from: live.indexes[place]?.column ?? column, to: column });
}
