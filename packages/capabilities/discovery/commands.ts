import { userInfo } from 'node:os';
import { Type } from '@safekeep/core/schema';
import { command, type Command, type CommandContext, type Frozen, type Ink } from '../capability.ts';
import { askReviewer } from './actions/ask-reviewer.ts';
import { readVerdictFile, recordVerdicts } from './actions/record-verdicts.ts';
import { openFindings } from './actions/open-findings.ts';
import { scanDatabase, type Scan } from './actions/scan.ts';
import { findMap, writeMap } from './actions/write-map.ts';
import { ReviewResult, ScanResult, type Unused, type Verdict } from './model.ts';
import { detect } from './text/commands.ts';

const Schemas = Type.Optional(
  Type.Array(Type.String({ minLength: 1 }), { maxItems: 1000, description: 'look at this schema alone; can be repeated' }),
);

const scan = command({
  name: 'scan',
  summary: 'find the personal data in the database: every column with a category, how sure, and why',
  input: Type.Object({
    schema: Schemas,
    write: Type.Optional(
      Type.Boolean({ description: 'add columns, subjects and paths to the data map; what stands there is not touched' }),
    ),
    sinceLast: Type.Optional(Type.Boolean({ description: 'look only at columns that are new or changed since the last scan' })),
    seed: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 2_147_483_647,
        description: 'of the sample of rows; the same seed looks at the same rows',
      }),
    ),
  }),
  output: ScanResult,
  example: 'safekeep scan --write',
  notSo: 'a table could not be looked at as a whole',
  run: async (context, input) => {
    const startedMs = context.clock.elapsedMs();
    const found = await look(context, input);
    const written = input.write === true ? await writeMap(context.mapFile, found) : undefined;
    const { columns, subjects, problems, unused, known } = found;
    const seconds = Math.round(context.clock.elapsedMs() - startedMs) / 1000;
    context.log.info('scanned', { columns: columns.length, problems: problems.length, durationMs: Math.round(seconds * 1000) });
    const result = {
      columns,
      subjects,
      seconds,
      problems,
      unused,
      languages: [...known.speech.spoken],
      ...(written === undefined ? {} : { written }),
    };
    return { result, ok: problems.length === 0 };
  },
  render: renderScan,
});

type Wish = { readonly schema?: readonly string[]; readonly sinceLast?: boolean; readonly seed?: number };

async function look(context: CommandContext, { schema, sinceLast, seed }: Wish): Promise<Scan> {
  // A plain scan leaves a database as it is; what must remember needs Safekeep's own schema in it.
  const database = await context.database(sinceLast === true ? {} : { migrate: false });
  const map = await findMap(context.mapFile);
  const progress = context.progress('Looking', { unit: 'tables' });
  try {
    return await scanDatabase(database, {
      tenant: context.tenant,
      clock: context.clock,
      signal: context.signal,
      map: map?.map,
      onProgress: progress.update,
      ...(schema === undefined || schema.length === 0 ? {} : { schemas: schema }),
      ...(sinceLast === undefined ? {} : { sinceLast }),
      ...(seed === undefined ? {} : { seed }),
    });
  } finally {
    progress.end();
  }
}

const review = command({
  name: 'scan review',
  summary: 'decide about the columns that a scan is not sure of, by keyboard or from a file of verdicts',
  input: Type.Object({
    schema: Schemas,
    verdicts: Type.Optional(
      Type.String({ description: 'take the decisions from this file (YAML or JSON) instead of the keyboard' }),
    ),
    by: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'who decides; the user of this system unless said otherwise' }),
    ),
  }),
  output: ReviewResult,
  example: 'safekeep scan review --verdicts verdicts.yaml',
  notSo: 'something is still to be decided, or a table could not be looked at',
  run: async (context, { schema, verdicts: file, by }) => {
    await context.database();
    const found = await look(context, schema === undefined ? {} : { schema });
    const open = openFindings(found.columns);
    const given =
      file !== undefined ? await readVerdictFile(file) : context.json || !process.stdin.isTTY ? [] : await ask(context, open);
    const changedInMap = await recordVerdicts(await context.database(), found, {
      verdicts: given,
      tenant: context.tenant,
      by: by ?? userInfo().username,
      clock: context.clock,
      mapFile: context.mapFile,
    });
    const decided = new Set(given.map(({ column }) => column));
    const left = open.filter(({ column }) => !decided.has(column));
    const { problems } = found;
    // What could not be read may be personal: nothing open is not the same as nothing there.
    return {
      result: { open: left, problems, decided: given.length, changedInMap },
      ok: left.length === 0 && problems.length === 0,
    };
  },
  render: renderReview,
});

async function ask(context: CommandContext, open: ReturnType<typeof openFindings>): Promise<readonly Verdict[]> {
  return askReviewer(open, { input: process.stdin, output: process.stderr, signal: context.signal });
}

export const commands: readonly Command[] = [scan, review, detect];

/** Columns of one kind that a terminal shows; all of them stand in the JSON. */
const SHOWN_AT_MOST = 200;

const IDLE: Readonly<Record<Unused['why'], string>> = {
  'never-filled': 'is empty in every row',
  'no-value-seen': 'is empty in every row of the server’s sample (too large to ask of every row)',
  'never-read': 'has not been read since the server counts',
};

function renderScan({ columns, subjects, seconds, problems, unused, written }: Frozen<ScanResult>, ink: Ink): string {
  const personal = columns.filter(({ decision }) => decision !== 'none');
  const open = personal.filter(({ decision }) => decision === 'review');
  const width = Math.min(60, Math.max(0, ...personal.map(({ column }) => column.length)));
  const lines = personal.slice(0, SHOWN_AT_MOST).map(({ column, category, confidence, decision, evidence }) => {
    const mark = decision === 'review' ? ink.warn('look ') : ink.good('found');
    return `${mark} ${column.padEnd(width)}  ${ink.strong(category)}  ${confidence.toFixed(2)}\n      ${ink.dim(evidence.slice(0, 3).join('; '))}`;
  });
  const more = personal.length > SHOWN_AT_MOST ? [`… and ${personal.length - SHOWN_AT_MOST} more; --json lists them all.`] : [];
  const people = subjects.map(({ name, table, key }) => `${ink.strong(name)}: a row of ${table} by ${key.join(', ')}`);
  const idle = unused.slice(0, SHOWN_AT_MOST).map(({ table, column, why }) => ink.dim(`${column ?? table} ${IDLE[why]}`));
  return [
    ...lines,
    ...more,
    ...(people.length === 0 ? [] : ['', ...people]),
    ...(idle.length === 0 ? [] : ['', ...idle]),
    ...(problems.length === 0 ? [] : ['', ...problems.map(({ table, message }) => ink.bad(`${table}: ${message}`))]),
    '',
    `${columns.length} columns in ${seconds.toFixed(1)} s: ${personal.length} personal, of which ${open.length} to be looked at (safekeep scan review).`,
    ...(written === undefined
      ? []
      : [
          `Added to ${written.file}: ${written.columns} columns, ${written.subjects} subjects, ${written.paths} paths. What stood there was not touched; views and partitions are covered by their tables.`,
        ]),
  ].join('\n');
}

function renderReview({ open, problems, decided, changedInMap }: Frozen<ReviewResult>, ink: Ink): string {
  const lines = open
    .slice(0, SHOWN_AT_MOST)
    .map(
      ({ column, category, confidence, evidence }) =>
        `${ink.warn(column)}  ${category}  ${confidence.toFixed(2)}\n      ${ink.dim(evidence.join('; '))}`,
    );
  return [
    ...lines,
    ...problems.map(({ table, message }) => ink.bad(`${table}: ${message}`)),
    `${decided} decided, ${open.length} still to be looked at; ${changedInMap} columns of the map changed.`,
  ].join('\n');
}
