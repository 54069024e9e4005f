import { randomBytes } from 'node:crypto';
import { access, mkdir, rm, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type pg from 'pg';
import { columnOf, newId, SafekeepError, type Subject } from '@safekeep/core';
import type { Signer } from '@safekeep/crypto';
import { expectShortLives, shrinkNursery } from '@safekeep/postgres';
import { formatPerson, type Person } from '../../holds/index.ts';
import { deleteExpired, expiryOf, keptName } from '../export/kept.ts';
import { fileFailure, fileSink, hashingSink, openSpool, placeNew, sealingSink, type Sink } from '../export/sink.ts';
import { csvCell, fileNamesOf, jsonKindOf, jsonText, type JsonKind } from '../export/texts.ts';
import { pdfDocument } from '../export/pdf.ts';
import { deflate, ZipWriter, type Entry } from '../export/zip.ts';
import type { AccessLog, ExportDone } from '../model.ts';
import { exportColumns } from '../rules/export-columns.ts';
import { processingOf, processingText, type Processing } from '../rules/processing.ts';
import { readmeText } from '../rules/readme.ts';
import { exportRows, sealedValues, type ExportTable, type Window } from '../store/export-rows.ts';
import { countOfPerson } from '../store/rows.ts';
import { hiddenTables, inTransaction, lockPerson } from '../store/session.ts';
import { unmappedWithheld } from './unmapped.ts';
import { followPaths, tableOf, type Reach } from '../store/traverse.ts';
import { soundGraph, type Ground } from './ground.ts';
import { requireTenant } from './require-tenant.ts';

export type ExportFormat = 'zip' | 'json' | 'csv' | 'pdf';

export type ExportOrder = {
  readonly person: Person;
  readonly subject: Subject;
  readonly format: ExportFormat;
  readonly window: Window;
  /** Where to write it, open. Without it, it is kept sealed in `directory`. */
  readonly out?: string;
};

export type ExportGround = Ground & {
  readonly signer: Signer;
  /** Where sealed exports lie. */
  readonly directory: string;
  /** 32 bytes that they are sealed with. */
  readonly key: Buffer;
};

export type ExportOptions = { readonly onProgress?: (done: number, total?: number) => void; readonly signal?: AbortSignal };

/** A PDF is to be read by a person; more than this nobody reads. */
const PDF_ROWS_AT_MOST = 20_000;

type Part = ExportTable & { readonly kinds: readonly JsonKind[]; readonly withheld: ReturnType<typeof exportColumns>['withheld'] };

/**
 * Writes everything of a person to a file, as one moment saw it. The rows are those that an erasure would deal with: both ask
 * the same questions. Memory is bounded by a batch of rows, whatever the person's size. Where it fails no file is left.
 *
 * @throws `subject-unknown`, `rows-hidden`, `map-does-not-fit`, `export-unwritable`, `disk-full`, `export-too-large`, `file-exists`
 */
export async function exportSubject(ground: ExportGround, order: ExportOrder, options: ExportOptions = {}): Promise<ExportDone> {
  // Millions of rows may pass; each is garbage as soon as it is written.
  shrinkNursery();
  expectShortLives();
  const id = newId<'export'>();
  const extension = order.format === 'csv' ? 'zip' : order.format;
  const { tenant } = ground;
  const kept = keptName(ground.key, { tenant, person: order.person }, { id, extension });
  const path = order.out === undefined ? join(ground.directory, kept) : resolve(order.out);
  const partial = `${path}.${randomBytes(4).toString('hex')}.partial`;
  try {
    const expired = await deleteExpired(ground.directory, ground.clock.now());
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await refuseThere(path);
    if (hasManifest(order)) await refuseThere(manifestOf(path));
    const file = await fileSink(partial);
    try {
      const hashed = hashingSink(file);
      const sink = order.out === undefined ? sealingSink(file, ground.key) : hashed;
      const written = await beforeErasure(ground, order.person, async () => {
        const all = await inTransaction(
          ground.database,
          { tenant, mode: 'isolation level repeatable read, read only' },
          (client) => writeExport(client, ground, order, { id, sink, partial, options }),
          'rollback',
        );
        await placeNew(partial, path);
        return all;
      });
      if (hasManifest(order)) await writeManifest(ground, order, { id, path, file: hashed.entry(basename(path)) });
      return {
        ...written,
        file: path,
        sealed: order.out === undefined,
        expiresAt: order.out === undefined ? expiryOf(ground.clock.now()).toISOString() : null,
        expired,
      };
    } catch (error) {
      await file.abandon();
      await rm(partial, { force: true });
      throw error;
    }
  } catch (error) {
    throw fileFailure(error, path);
  }
}

/** Nobody erases the person until the file has its name. In a transaction of its own: the one that reads would look at what was before it waited. */
async function beforeErasure<Result>(
  { database, tenant }: ExportGround,
  person: Person,
  run: () => Promise<Result>,
): Promise<Result> {
  return await inTransaction(
    database,
    { tenant },
    async (client) => {
      await lockPerson(client, { tenant, person, shared: true });
      return await run();
    },
    'rollback',
  );
}

/** Of a single file the signed manifest lies beside it. */
function hasManifest({ out, format }: ExportOrder): boolean {
  return out !== undefined && (format === 'json' || format === 'pdf');
}

function manifestOf(path: string): string {
  return `${path}.manifest.json`;
}

/** Before anything is read: an hour's export is not made for nothing. */
async function refuseThere(path: string): Promise<void> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (isThere) throw new SafekeepError('file-exists', { path });
}

async function writeManifest(
  ground: ExportGround,
  order: ExportOrder,
  { id, path, file }: { readonly id: string; readonly path: string; readonly file: Entry },
): Promise<void> {
  await writeFile(manifestOf(path), manifestText({ ground, order }, id, [file]), { mode: 0o600, flag: 'wx' });
}

type Writing = { readonly id: string; readonly sink: Sink; readonly partial: string; readonly options: ExportOptions };
type Written = Pick<ExportDone, 'export' | 'subject' | 'format' | 'tables' | 'rows' | 'withheld' | 'elsewhere'>;

async function writeExport(client: pg.ClientBase, ground: ExportGround, order: ExportOrder, writing: Writing): Promise<Written> {
  const { person, subject, format } = order;
  const graph = soundGraph(ground, subject);
  const reach = await followPaths(
    client,
    { graph, schema: ground.schema, key: person.key, tenant: ground.tenant },
    { lock: false },
  );
  if (reach === undefined) throw new SafekeepError('subject-unknown', { type: person.type });
  const names = [...graph.edgesOf.keys()].toSorted();
  const hidden = await hiddenTables(client, [...graph.passed]);
  if (hidden.length > 0) throw new SafekeepError('rows-hidden', { tables: hidden.join(', ') });
  await requireTenant(client, ground, graph.edgesOf.keys());
  const parts = names.map((table) => partOf(ground, table));
  const source: Source = { client, ground, order, reach, parts, options: writing.options };
  const counts =
    format === 'json'
      ? await writeJson(source, writing)
      : format === 'pdf'
        ? await writePdf(source, writing)
        : await writeZip(source, writing);
  return {
    export: writing.id,
    subject: formatPerson(person),
    format,
    tables: [...counts].map(([table, rows]) => ({ table, rows })),
    rows: [...counts.values()].reduce((sum, rows) => sum + rows, 0),
    withheld: withheldFrom(source, counts),
    elsewhere: processingFor(source, counts).elsewhere.map(({ place, kind }) => ({ place, kind })),
  };
}

/** Of the tables in which something of the person stands. */
function processingFor({ ground, order }: Pick<Source, 'ground' | 'order'>, counts: ReadonlyMap<string, number>): Processing {
  const tables = [...counts].filter(([, rows]) => rows > 0).map(([table]) => table);
  return processingOf(ground.map, order.subject, tables);
}

function partOf({ map, schema, ports }: ExportGround, table: string): Part {
  const facts = tableOf(schema, table);
  const { columns, withheld } = exportColumns({ map, schema, canOpen: ports.opener !== undefined }, table, facts);
  const kinds = columns.map(({ stored, sealed }) => {
    const column = columnOf(facts, stored);
    return sealed || column === undefined ? 'string' : jsonKindOf(column.baseType, column.isArray);
  });
  return { table, columns, kinds, withheld, leftOut: new Map(), since: map.tables.get(table)?.retention?.after ?? null };
}

/** What the person does not get, and why: known when all rows have passed. */
function withheldFrom(
  { ground, parts }: Pick<Source, 'ground' | 'parts'>,
  counts: ReadonlyMap<string, number>,
): ExportDone['withheld'] {
  const tables = [...counts].filter(([, rows]) => rows > 0).map(([table]) => table);
  return [...withheldOf(parts), ...unmappedWithheld(ground, tables)];
}

function withheldOf(parts: readonly Part[]): ExportDone['withheld'] {
  return parts.flatMap(({ table, withheld, leftOut }) => [
    ...withheld.map((each) => ({ table, ...each })),
    ...[...leftOut].map(([column, rows]) => ({
      table,
      column,
      reason: `in ${rows} ${rows === 1 ? 'entry' : 'entries'} not theirs alone, and not marked as theirs in the map`,
    })),
  ]);
}

type Source = {
  readonly client: pg.ClientBase;
  readonly ground: ExportGround;
  readonly order: ExportOrder;
  readonly reach: Reach;
  readonly parts: readonly Part[];
  readonly options: ExportOptions;
};

/** The rows of one table, opened. */
async function* batches(
  { client, ground, order, reach, options }: Source,
  part: Part,
): AsyncGenerator<readonly (string | null)[][]> {
  const sealed = part.columns.flatMap((column, place) => (column.sealed ? [{ column, place }] : []));
  for await (const rows of exportRows(client, { map: ground.map, reach, person: order.person }, part, order.window)) {
    options.signal?.throwIfAborted();
    for (const { column, place } of sealed) {
      const plain =
        (await ground.ports.opener?.open(client, { tenant: ground.tenant }, sealedValues(part.table, column, place, rows))) ?? [];
      let next = 0;
      for (const row of rows)
        row[place] =
          row[place]?.startsWith('p') === true ? row[place].slice(1) : row[place] === null ? null : (plain[next++] ?? null);
    }
    yield rows;
  }
}

type Write = (bytes: Uint8Array) => Promise<void>;

async function writeZip(source: Source, { id, sink, partial }: Writing): Promise<Map<string, number>> {
  const { ground, order, parts, options } = source;
  const zip = new ZipWriter(sink);
  const entries: Entry[] = [];
  const counts = new Map<string, number>();
  const names = fileNamesOf(parts.map(({ table }) => table));
  const fileOf = (table: string): string => `tables/${names.get(table) ?? table}.csv`;
  let looks = 0;
  const spool = await openSpool(`${partial}.json`, unlink);
  try {
    const json = jsonWriter(source, id);
    const isWhole = order.format === 'zip';
    const written = await deflate(
      (bytes) => spool.write(bytes),
      async (writeJsonBytes) => {
        if (isWhole) await writeJsonBytes(Buffer.from(json.head()));
        for (const part of parts) {
          const name = fileOf(part.table);
          entries.push(
            await zip.file(name, async (writeCsv) => {
              await writeCsv(Buffer.from(`${part.columns.map((column) => csvCell(column.name, 'string')).join(',')}\r\n`));
              let count = 0;
              if (isWhole) await writeJsonBytes(Buffer.from(json.tableHead(part)));
              for await (const rows of batches(source, part)) {
                await writeCsv(Buffer.from(csvText(rows, part.kinds)));
                if (isWhole) await writeJsonBytes(Buffer.from(json.rows(part, rows, count)));
                count += rows.length;
                options.onProgress?.([...counts.values()].reduce((sum, each) => sum + each, count));
              }
              if (isWhole) await writeJsonBytes(Buffer.from(json.tableTail()));
              counts.set(part.table, count);
            }),
          );
        }
        entries.push(
          await zip.file('accessLog.csv', async (writeCsv) => {
            looks = await writeAccessLog(source, { csv: writeCsv, ...(isWhole ? { json: writeJsonBytes } : {}) });
          }),
        );
        if (isWhole) await writeJsonEnd(source, counts, writeJsonBytes);
      },
    );
    if (isWhole) entries.push(await zip.packed('data.json', written, spool.read()));
  } finally {
    await spool.close();
  }
  const readme = readmeText({
    subject: formatPerson(order.person),
    at: ground.clock.now().toISOString(),
    controller: ground.map.controller,
    tables: [...counts].map(([table, rows]) => ({ table, rows, file: fileOf(table) })),
    withheld: withheldFrom(source, counts),
    window: order.window,
    processing: processingFor(source, counts),
    looks,
    windowed: parts.filter(({ since }) => since !== null).map(({ table }) => table),
  });
  entries.push(await zip.file('README.txt', (write) => write(Buffer.from(readme))));
  await zip.file('manifest.json', (write) => write(Buffer.from(manifestText(source, id, entries))));
  await zip.end();
  return counts;
}

function manifestText({ ground, order }: Pick<Source, 'ground' | 'order'>, id: string, files: readonly Entry[]): string {
  const document = {
    format: 'safekeep-export/1',
    kind: 'export',
    id,
    tenant: ground.tenant,
    issuedAt: ground.clock.now().toISOString(),
    subject: formatPerson(order.person),
    from: order.window.from?.toISOString() ?? null,
    to: order.window.to?.toISOString() ?? null,
    files,
  };
  return `${JSON.stringify({ document, signature: ground.signer.signDocument('export-manifest', document) }, null, 2)}\n`;
}

function csvText(rows: readonly (readonly (string | null)[])[], kinds: readonly JsonKind[]): string {
  let text = '';
  for (const row of rows) {
    for (let place = 0; place < kinds.length; place += 1) {
      if (place > 0) text += ',';
      text += csvCell(row[place] ?? null, kinds[place] ?? 'string');
    }
    text += '\r\n';
  }
  return text;
}

type JsonWriter = {
  readonly head: () => string;
  readonly tableHead: (part: Part) => string;
  readonly rows: (part: Part, rows: readonly (readonly (string | null)[])[], before: number) => string;
  readonly tableTail: () => string;
};

/** docs/export.md has the schema of what this writes. */
function jsonWriter({ ground, order }: Source, id: string): JsonWriter {
  let tables = 0;
  const names = new Map<string, readonly string[]>();
  return {
    head: () =>
      `{"format":"safekeep-export/1","id":${JSON.stringify(id)},"exportedAt":${JSON.stringify(ground.clock.now().toISOString())},"subject":${JSON.stringify({ type: order.person.type, key: order.person.key })},"controller":${JSON.stringify(ground.map.controller)},"tables":[`,
    tableHead: (part) => {
      tables += 1;
      names.set(
        part.table,
        part.columns.map(({ name }) => `${JSON.stringify(name)}:`),
      );
      const columns = part.columns.map(({ name }) => ({
        name,
        categories: ground.map.tables.get(part.table)?.columns.get(name)?.categories ?? [],
      }));
      return `${tables === 1 ? '' : ','}\n{"table":${JSON.stringify(part.table)},"columns":${JSON.stringify(columns)},"rows":[`;
    },
    rows: (part, rows, before) => {
      const keys = names.get(part.table) ?? [];
      let text = '';
      for (const [number, row] of rows.entries()) {
        text += before + number === 0 ? '\n{' : ',\n{';
        for (let place = 0; place < keys.length; place += 1) {
          if (place > 0) text += ',';
          text += keys[place] ?? '';
          text += jsonText(row[place] ?? null, part.kinds[place] ?? 'string');
        }
        text += '}';
      }
      return text;
    },
    tableTail: () => ']}',
  };
}

const LOOK_COLUMNS = ['at', 'action', 'actor', 'sentence'] as const;

async function* looksAt({ client, ground, order }: Source): ReturnType<AccessLog> {
  const scope = { tenant: ground.tenant, person: order.person, from: order.window.from, to: order.window.to };
  yield* ground.ports.accessLog?.(client, scope) ?? [];
}

/** Who looked at the person's data, in one pass; returns how many lines that were. */
async function writeAccessLog(source: Source, { json, csv }: { readonly json?: Write; readonly csv?: Write }): Promise<number> {
  await json?.(Buffer.from('],"accessLog":['));
  await csv?.(Buffer.from(`${LOOK_COLUMNS.join(',')}\r\n`));
  let count = 0;
  for await (const seen of looksAt(source)) {
    await json?.(Buffer.from(`${count === 0 ? '' : ','}\n${JSON.stringify(seen)}`));
    await csv?.(Buffer.from(`${LOOK_COLUMNS.map((name) => csvCell(seen[name] ?? null, 'string')).join(',')}\r\n`));
    count += 1;
  }
  await json?.(Buffer.from(']'));
  return count;
}

async function writeJsonEnd(source: Source, counts: ReadonlyMap<string, number>, write: Write): Promise<void> {
  await write(Buffer.from(`,"processing":${JSON.stringify(processingFor(source, counts))}}\n`));
}

async function writeJson(source: Source, { id, sink }: Writing): Promise<Map<string, number>> {
  const json = jsonWriter(source, id);
  const counts = new Map<string, number>();
  await sink.write(Buffer.from(json.head()));
  for (const part of source.parts) {
    await sink.write(Buffer.from(json.tableHead(part)));
    let count = 0;
    for await (const rows of batches(source, part)) {
      await sink.write(Buffer.from(json.rows(part, rows, count)));
      count += rows.length;
      source.options.onProgress?.([...counts.values()].reduce((sum, each) => sum + each, count));
    }
    await sink.write(Buffer.from(json.tableTail()));
    counts.set(part.table, count);
  }
  const write: Write = (bytes) => sink.write(bytes);
  await writeAccessLog(source, { json: write });
  await writeJsonEnd(source, counts, write);
  await sink.end();
  return counts;
}

async function writePdf(source: Source, { sink }: Writing): Promise<Map<string, number>> {
  const { client, ground, order, parts, reach } = source;
  const counts = new Map<string, number>();
  for (const { table } of parts) counts.set(table, await countOfPerson(client, reach, { table, person: order.person }));
  const total = [...counts.values()].reduce((sum, rows) => sum + rows, 0);
  if (total > PDF_ROWS_AT_MOST) throw new SafekeepError('export-too-large', { limit: PDF_ROWS_AT_MOST });
  const heading = { subject: formatPerson(order.person), at: ground.clock.now(), controller: ground.map.controller?.name ?? null };
  await pdfDocument(sink, heading, async (page) => {
    for (const part of parts) {
      if ((counts.get(part.table) ?? 0) === 0) continue;
      page.table(part.table);
      for await (const rows of batches(source, part)) {
        for (const row of rows) await page.row(part.columns.map(({ name }, place) => ({ name, value: row[place] ?? null })));
      }
    }
    page.table('Who looked at the data');
    for await (const seen of looksAt(source)) await page.row(LOOK_COLUMNS.map((name) => ({ name, value: seen[name] ?? null })));
    page.table('About the processing');
    for (const line of processingText(processingFor(source, counts), ground.map.controller))
      await page.row([{ name: '', value: line }]);
  });
  await sink.end();
  return counts;
}
