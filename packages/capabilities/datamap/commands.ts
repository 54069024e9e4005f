import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, resolve } from 'node:path';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import { diffMaps, isSafekeepError, SafekeepError } from '@safekeep/core';
import { readCatalog, type Catalog } from '@safekeep/postgres';
import { command, type CommandContext, type Frozen, type Ink } from '../capability.ts';
import { checkDatabase, checkWithoutDatabase } from './actions/check-map.ts';
import { loadMap, saveMap } from './actions/map-file.ts';
import { mapHistory, mapNamed, mapVersion, recordMapVersion } from './actions/versions.ts';
import { exportDpv } from './exchange/dpv.ts';
import { exportFides } from './exchange/fides-export.ts';
import { importFides } from './exchange/fides-import.ts';
import { layOutMap } from './graph/layout.ts';
import { mermaidOf } from './graph/mermaid.ts';
import { CheckResult, DiffResult, HistoryResult, RecordResult, ShowResult } from './model.ts';
import { showMap } from './rules.ts';
import { readMapText } from './text/document.ts';
import { editMap, newMapText } from './text/edit.ts';

const offline = Type.Optional(Type.Boolean({ description: 'look at the file alone, without a database' }));

const check = command({
  name: 'map check',
  summary: 'hold the data map against the database: every column classified, every path valid',
  input: Type.Object({ offline }),
  output: CheckResult,
  example: 'safekeep map check --json',
  notSo: 'a column is unclassified, a path leads nowhere, or anything else is found; a map that cannot be read is 2',
  run: async (context, input) => {
    const map = await loadMap(context.mapFile);
    if (input.offline === true) {
      const result = checkWithoutDatabase(map);
      return { result, ok: result.ok };
    }
    const { catalog: _catalog, ...result } = await checkDatabase(await context.database({ migrate: false }), map);
    return { result, ok: result.ok };
  },
  render: renderCheck,
});

const show = command({
  name: 'map show',
  summary: 'show the data map: subjects, tables and what is in them; as a picture with --graph or --mermaid',
  input: Type.Object({
    graph: Type.Optional(Type.Boolean({ description: 'add the picture, laid out: nodes and edges with their places' })),
    mermaid: Type.Optional(Type.Boolean({ description: 'add the picture as a Mermaid flowchart' })),
  }),
  output: ShowResult,
  example: 'safekeep map show --graph --json',
  run: async (context, input) => {
    const { map } = await loadMap(context.mapFile);
    return {
      result: {
        ...showMap(map),
        ...(input.graph === true ? { graph: layOutMap(map) } : {}),
        ...(input.mermaid === true ? { mermaid: mermaidOf(map) } : {}),
      },
    };
  },
  render: (result, ink) => result.mermaid ?? renderShow(result, ink),
});

const Format = Type.Union([Type.Literal('fides'), Type.Literal('dpv')], { description: 'fides: a dataset in YAML; dpv: JSON-LD' });
const Exported = Type.Object({ format: Format, document: Type.Unknown({ description: 'YAML text for fides, JSON-LD for dpv' }) });

const exportMap = command({
  name: 'map export',
  summary: 'write the data map as a fides dataset or in the words of the Data Privacy Vocabulary',
  input: Type.Object({ format: Format, offline }),
  output: Exported,
  example: 'safekeep map export --format fides',
  run: async (context, input) => {
    const { map } = await loadMap(context.mapFile);
    if (input.format === 'dpv') return { result: { format: input.format, document: exportDpv(map) } };
    const facts = input.offline === true ? { tables: [] } : await catalogOf(context);
    return { result: { format: input.format, document: exportFides(map, facts) } };
  },
  render: ({ document }) => (typeof document === 'string' ? document.trimEnd() : JSON.stringify(document, null, 2)),
});

const ImportFormat = Type.Union([Type.Literal('fides')], { description: 'what the file is in; there is no other yet' });
const Imported = Type.Object({ file: Type.String(), columns: Type.Integer(), tables: Type.Integer(), subjects: Type.Integer() });

const importMap = command({
  name: 'map import',
  summary: 'add to the data map what a fides dataset says and the map does not',
  positionals: [{ key: 'file', label: 'FILE', description: 'YAML with dataset:' }],
  input: Type.Object({ file: Type.String(), format: Type.Optional(ImportFormat) }),
  output: Imported,
  example: 'safekeep map import --format fides dataset.yml',
  run: async (context, input) => {
    const text = await readForeign(input.file);
    const existing = await loadMap(context.mapFile).catch((error: unknown) => {
      if (isSafekeepError(error, 'map-missing')) return undefined;
      throw error;
    });
    const map = existing ?? readMapText(newMapText({ version: 1, tenant: 'fixed' }), basename(context.mapFile));
    const edits = importFides(text, basename(input.file), map.map);
    if (edits.length > 0) await saveMap(context.mapFile, editMap(map, edits), existing?.text);
    const count = (kind: (typeof edits)[number]['kind']): number => edits.filter((edit) => edit.kind === kind).length;
    return {
      result: { file: context.mapFile, columns: count('set-column'), tables: count('set-table'), subjects: count('set-subject') },
    };
  },
  render: ({ file, columns, tables, subjects }) =>
    `Added to ${file}: ${columns} columns, ${tables} paths, ${subjects} subjects. What stood there was not touched.`,
});

const diff = command({
  name: 'map diff',
  summary: 'list what changes in meaning between two maps: files or numbers of the history',
  positionals: [
    { key: 'from', label: 'A', description: 'a file or a number; the newest recorded version without it', optional: true },
    { key: 'to', label: 'B', description: 'a file or a number; the map file without it', optional: true },
  ],
  input: Type.Object({ from: Type.Optional(Type.String()), to: Type.Optional(Type.String()) }),
  output: DiffResult,
  example: 'safekeep map diff 3',
  run: async (context, input) => {
    const version = async (number?: number) => mapVersion(await context.database(), context.tenant, number);
    const before = input.from === undefined ? await version() : await mapNamed(input.from, version);
    const after = input.to === undefined ? await loadMap(context.mapFile) : await mapNamed(input.to, version);
    return { result: { from: before.file, to: after.file, changes: diffMaps(before.map, after.map) } };
  },
  render: ({ from, to, changes }, ink) =>
    [
      `${from} -> ${to}`,
      ...(changes.length === 0
        ? ['Nothing changes in meaning.']
        : changes.map(({ kind, text }) => (kind === 'removed' ? ink.bad : kind === 'added' ? ink.good : ink.warn)(text))),
    ].join('\n'),
});

const record = command({
  name: 'map record',
  summary: 'keep the data map as it is now as a version, with author, time and hash',
  input: Type.Object({
    author: Type.Optional(Type.String({ description: 'who changed it; the user of this machine without it' })),
  }),
  output: RecordResult,
  example: 'safekeep map record --author "Ada Lovelace"',
  run: async (context, input) => {
    const map = await loadMap(context.mapFile);
    const { clock, tenant } = context;
    return {
      result: await recordMapVersion(await context.database(), map, { tenant, clock, author: input.author ?? userInfo().username }),
    };
  },
  render: ({ recorded, version }) =>
    recorded
      ? `Recorded as version ${version.number} (sha256 ${version.sha256}).`
      : `Version ${version.number} is this map already.`,
});

const history = command({
  name: 'map history',
  summary: 'list the recorded versions of the data map, newest first',
  input: Type.Object({}),
  output: HistoryResult,
  example: 'safekeep map history',
  run: async (context) => ({ result: { versions: await mapHistory(await context.database(), context.tenant) } }),
  render: ({ versions }, ink) =>
    versions.length === 0
      ? 'No version has been recorded yet. `safekeep apply` and `safekeep map record` keep them.'
      : versions
          .map(({ number, at, author, sha256, changes }) =>
            [
              `${ink.strong(String(number))}  ${at}  ${author}  ${ink.dim(sha256.slice(0, 12))}`,
              ...changes.map((text) => `   ${text}`),
            ].join('\n'),
          )
          .join('\n'),
});

export const mapCommands = [check, show, exportMap, importMap, diff, record, history];

async function catalogOf(context: CommandContext): Promise<Catalog> {
  const database = await context.database({ migrate: false });
  return database.withClient((client) => readCatalog(client));
}

async function readForeign(path: string): Promise<string> {
  try {
    return await readFile(resolve(path), 'utf8');
  } catch (cause) {
    throw new SafekeepError(
      'file-unreadable',
      { path, reason: cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason' },
      { cause },
    );
  }
}

/** Problems that a terminal shows; all of them stand in the JSON. */
const SHOWN_AT_MOST = 100;

function renderCheck(
  { ok, problems, tables, columns, unconfirmed, several }: Frozen<Static<typeof CheckResult>>,
  ink: Ink,
): string {
  const extent = tables === 0 ? 'The map alone' : `${tables} table(s) with ${columns} column(s)`;
  const notices = [
    ...unconfirmed.map((name) =>
      ink.warn(`${name}: a scan proposed this purpose. Confirm its use, basis and period: every export tells them to the person.`),
    ),
    ...several.map(({ table, paths, columns: unsaid }) =>
      ink.warn(
        `${table}: several people may stand in a row (${paths.join(', ')}), and nothing says whose ${unsaid.join(', ')} is there: no export gives it, and an erasure leaves it as long as one of them stays. Mark it with of.`,
      ),
    ),
  ];
  if (ok) return [ink.good(`${extent}: nothing is missing.`), ...notices].join('\n');
  const lines = problems
    .slice(0, SHOWN_AT_MOST)
    .map(
      ({ file, line, position, code, message, remedy }) =>
        `${ink.dim(`${file}:${line}:${position}`)} ${ink.bad(code)} ${message}\n    ${remedy}`,
    );
  const more = problems.length > SHOWN_AT_MOST ? [`… and ${problems.length - SHOWN_AT_MOST} more; --json lists them all.`] : [];
  return [...lines, ...more, ...notices, ink.bad(`${extent}: ${problems.length} problem(s).`)].join('\n');
}

function renderShow({ subjects, tables }: Frozen<Static<typeof ShowResult>>, ink: Ink): string {
  const people = subjects.map(({ name, table, key }) => `${ink.strong(name)}: a row of ${table} by ${key.join(', ')}`);
  const shown = tables.map(({ table, of, columns, retention, ...wishes }) => {
    const whose = of.map(({ subject, path, meaning }) => `  of ${subject} by ${path}${meaning === null ? '' : ` (${meaning})`}`);
    const kept = retention === null ? [] : [`  kept ${retention}`];
    const width = Math.max(0, ...columns.map(({ name }) => name.length));
    const lines = columns.map(({ name, category, protect, erase }) => {
      const marks = [protect === 'none' ? '' : `protected (${protect})`, erase === null ? '' : `erase: ${erase}`].filter(
        (mark) => mark !== '',
      );
      const what = category.length === 0 ? ink.dim('not personal') : category.join(', ');
      return `  ${name.padEnd(width)}  ${[what, ...marks].join('; ')}`;
    });
    return [ink.strong(table), ...whose, ...kept, ...renderWishes(wishes), ...lines].join('\n');
  });
  return [...people, '', ...shown].join('\n');
}

type Wishes = Pick<Frozen<Static<typeof ShowResult>>['tables'][number], 'compliance' | 'hideDeleted' | 'isolate'>;

function renderWishes({ compliance, hideDeleted, isolate }: Wishes): readonly string[] {
  return [
    ...(compliance === null ? [] : [`  compliance fields: ${compliance}`]),
    ...(hideDeleted ? ['  deleted rows are hidden from reads'] : []),
    ...(isolate ? ['  rows are seen and written by their tenant only'] : []),
  ];
}
