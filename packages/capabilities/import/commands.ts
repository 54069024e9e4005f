import { resolve } from 'node:path';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import { command, type CommandContext, type Frozen, type Ink } from '../capability.ts';
import { listRuns, showRun } from './actions/list-runs.ts';
import { cutOverCommands } from './cut-over/commands.ts';
import { ImportResult, RunState, type ImportOptions } from './model.ts';
import { count } from './report/report-document.ts';

// What moves and compares rows is read by the command that does it: an eighth of all code, of no use to any other.

const MAX_JOBS = 16;

const SqliteInput = Type.Object({
  file: Type.String(),
  schema: Type.String({ default: 'public', description: 'the schema the tables go into; made if it is not there' }),
  plan: Type.Boolean({ default: false, description: 'only say what would happen; nothing is written anywhere' }),
  onInvalid: Type.Union([Type.Literal('refuse'), Type.Literal('quarantine')], {
    default: 'refuse',
    description:
      'rows with texts that PostgreSQL cannot hold (NUL, no valid UTF-8): refuse everything, or keep such rows whole in a side table',
  }),
  strictTypes: Type.Boolean({
    default: false,
    description: 'refuse instead of widening a column whose values go against its declared type',
  }),
  replace: Type.Boolean({
    default: false,
    description: 'keep aside what has these names already; `import rollback` brings it back',
  }),
  jobs: Type.Integer({ default: 2, minimum: 1, maximum: MAX_JOBS, description: 'connections that make keys and indexes' }),
  verify: Type.Union([Type.Literal('full'), Type.Literal('counts'), Type.Literal('off')], {
    default: 'full',
    description: 'how the result is proven: every value, the counts, not at all',
  }),
  snakeCase: Type.Boolean({ default: false, description: 'OrderID becomes order_id; the result lists every changed name' }),
  type: Type.Array(Type.String(), {
    default: [],
    description: 'TABLE.COLUMN=TYPE, or TABLE.COLUMN=timestamptz:unix-s for a count of seconds',
  }),
  acceptProposals: Type.Boolean({ default: false, description: 'take every type that --plan proposes' }),
  follow: Type.Boolean({
    default: false,
    description:
      'log in the SQLite file what its application changes from now on (writes triggers into it), for `import catch-up` and `import cut-over`',
  }),
});

const run = { key: 'run', label: 'RUN', description: 'id of the run, or its beginning' };
const RunInput = Type.Object({ run: Type.String() });

const sqlite = command({
  name: 'import sqlite',
  summary: 'move a SQLite database into PostgreSQL and prove that nothing was lost',
  positionals: [{ key: 'file', label: 'FILE', description: 'the SQLite database; it is only read' }],
  input: SqliteInput,
  output: ImportResult,
  example: 'safekeep import sqlite practice.db --plan',
  notSo: 'the import is not proven, of which nothing stands then; with --plan it would be refused',
  event: { kind: 'compliance', planned: null, tells: ['runId', 'state'] },
  run: async (context, input) => {
    const options = optionsOf(input);
    const { importSqlite, planImport } = await import('./actions/import-sqlite.ts');
    if (input.plan) {
      const plan = await planImport({ clock: context.clock, database: await context.database({ migrate: false }) }, options);
      return { result: plan, ok: plan.problems.length === 0 };
    }
    const writing = input.follow
      ? '; WRITING INTO THE SQLITE FILE triggers on every table and the table safekeep_changelog, so that later changes are logged'
      : '';
    await context.confirm(`Importing ${input.file} into schema ${input.schema}${writing}`);
    const database = await context.database();
    const run = input.follow ? (await import('./actions/import-and-follow.ts')).importAndFollow : importSqlite;
    const result = await run({ ...runContext(context), database, signer: await context.signer() }, options);
    return { result, ok: result.state === 'done' };
  },
  render: renderImport,
});

const verify = command({
  name: 'import verify',
  summary: 'prove a finished import again, as both databases are now',
  positionals: [run],
  input: RunInput,
  output: ImportResult,
  example: 'safekeep import verify 019a2c6e-5d1f-7d8a-b0c3-2f6f1f7f9a11',
  notSo: 'a count or a value is not the same on both sides',
  run: async (context, input) => {
    const { verifyRun } = await import('./actions/verify-run.ts');
    return await verifyRun({ clock: context.clock, tenant: context.tenant, database: await context.database() }, input.run);
  },
  render: renderImport,
});

const rollback = command({
  name: 'import rollback',
  summary: 'undo an import: what it brought goes, what it replaced comes back',
  positionals: [run],
  input: Type.Object({
    ...RunInput.properties,
    discardChanges: Type.Boolean({
      default: false,
      description: 'even if the imported tables were changed since; the changes are lost',
    }),
  }),
  output: Type.Object({ runId: Type.String(), state: Type.Literal('rolled-back') }),
  example: 'safekeep import rollback 019a2c6e-5d1f-7d8a-b0c3-2f6f1f7f9a11',
  event: { kind: 'compliance', tells: ['runId'] },
  run: async (context, input) => {
    await context.confirm(`Rolling back the import ${input.run}`);
    const { rollbackRun } = await import('./actions/rollback-run.ts');
    const database = await context.database();
    return {
      result: await rollbackRun(
        { clock: context.clock, tenant: context.tenant, database },
        { runId: input.run, discardChanges: input.discardChanges },
      ),
    };
  },
  render: (result, ink) => `${ink.good('rolled back')} ${result.runId}`,
});

const discard = command({
  name: 'import discard',
  summary: 'delete for good what an import with --replace put aside',
  positionals: [run],
  input: RunInput,
  output: Type.Object({ runId: Type.String(), tables: Type.Integer() }),
  example: 'safekeep import discard 019a2c6e-5d1f-7d8a-b0c3-2f6f1f7f9a11',
  event: { kind: 'compliance', tells: ['runId', 'tables'] },
  run: async (context, input) => {
    await context.confirm(`Deleting what the import ${input.run} replaced`);
    const { discardKept } = await import('./actions/discard-kept.ts');
    return { result: await discardKept({ tenant: context.tenant, database: await context.database() }, input.run) };
  },
  render: ({ runId, tables }, ink) => `${ink.good('deleted')} ${count(tables)} table(s) that run ${runId} had put aside`,
});

const RunSummary = Type.Object({
  runId: Type.String(),
  state: RunState,
  source: Type.String(),
  schema: Type.String(),
  startedAt: Type.String({ description: 'ISO 8601, UTC' }),
  finishedAt: Type.Union([Type.String(), Type.Null()]),
  rows: Type.Integer(),
  failure: Type.Union([Type.String(), Type.Null()]),
});

const list = command({
  name: 'import list',
  summary: 'show the newest imports of this database',
  input: Type.Object({}),
  output: Type.Object({ runs: Type.Array(RunSummary) }),
  example: 'safekeep import list --json',
  run: async (context) => ({ result: { runs: await listRuns({ tenant: context.tenant, database: await context.database() }) } }),
  render: ({ runs }, ink) =>
    runs.length === 0
      ? 'No imports yet.'
      : runs
          .map(
            ({ runId, state, source, schema, rows, startedAt }) =>
              `${runId}  ${inState(state, ink)}  ${count(rows)} rows  ${schema}  ${source}  ${ink.dim(startedAt)}`,
          )
          .join('\n'),
});

const show = command({
  name: 'import show',
  summary: 'show the result of one import again',
  positionals: [run],
  input: RunInput,
  output: ImportResult,
  example: 'safekeep import show 019a2c6e-5d1f-7d8a-b0c3-2f6f1f7f9a11',
  run: async (context, input) => ({
    result: await showRun({ tenant: context.tenant, database: await context.database() }, input.run),
  }),
  render: renderImport,
});

export const commands = [sqlite, verify, rollback, discard, list, show, ...cutOverCommands];

function optionsOf(input: Static<typeof SqliteInput>): ImportOptions {
  const { schema, onInvalid, strictTypes, replace, jobs, verify: how, snakeCase, acceptProposals, type } = input;
  return {
    file: resolve(input.file),
    schema,
    onInvalid,
    strictTypes,
    replace,
    jobs,
    verify: how,
    snakeCase,
    acceptProposals,
    types: type,
  };
}

function runContext(context: CommandContext): Pick<CommandContext, 'home' | 'tenant' | 'clock' | 'signal' | 'progress' | 'say'> {
  const { home, tenant, clock, signal, progress, say } = context;
  return { home, tenant, clock, signal, progress, say };
}

// ---- for a person ------------------------------------------------------------------------------------------------------

type Result = Frozen<Static<typeof ImportResult>>;

const LISTED = 30;

function renderImport(result: Result, ink: Ink): string {
  const lines = [
    `${ink.strong(result.source.file)} -> schema ${result.schema}: ${inState(result.state, ink)}`,
    '',
    ...result.tables.map((table) => tableLine(table, result, ink)),
    '',
    ...cut(checkLines(result, ink), ink),
    ...notes(result, ink),
    ...cut(rejectedLines(result, ink), ink),
    ...objectLines(result, ink),
    ...result.differences
      .slice(0, LISTED)
      .map((one) => ink.bad(`  ${one.table}: ${one.side} ${one.key} differs in ${one.columns.join(', ')}`)),
    ...result.problems.map((problem) => ink.bad(problem)),
    summary(result, ink),
    ...(result.report === undefined ? [] : [ink.dim(`Signed report: ${result.report}`)]),
  ];
  return lines.join('\n');
}

function tableLine(table: Result['tables'][number], result: Result, ink: Ink): string {
  const proven = table.sourceDigest !== null && table.sourceDigest === table.targetDigest;
  const proof = proven ? ink.good('proven') : table.sourceDigest === null ? ink.dim('not proven') : ink.bad('DIFFERENT');
  const quarantined = table.quarantined > 0 ? ink.warn(`, ${count(table.quarantined)} in quarantine`) : '';
  const rows =
    result.state === 'planned'
      ? `${count(table.rowsRead)} rows`
      : `${count(table.rowsWritten)} of ${count(table.rowsRead)} rows${quarantined}, ${proof}`;
  return `  ${table.target}  ${rows}`;
}

/** What SQLite found in its own file, unless that is nothing. */
function checkLines(result: Result, ink: Ink): string[] {
  return result.source.checks.filter((check) => !check.endsWith(': ok')).map((check) => `  ${ink.warn('source')} ${check}`);
}

function rejectedLines(result: Result, ink: Ink): string[] {
  return result.rejectedRows.map(({ table, rowid, ordinal, columns }) => {
    const place = rowid === null ? `row ${count(ordinal + 1)}` : `rowid ${rowid}`;
    return `  ${ink.warn('not storable')} ${table} ${place}: ${columns.join(', ')}`;
  });
}

function notes(result: Result, ink: Ink): string[] {
  const lines = result.tables.flatMap((table) => [
    ...table.notes.map((note) => `  ${ink.warn('changed')} ${table.target}: ${note}`),
    ...table.columns.flatMap((column) =>
      column.proposal === undefined ? [] : [`  ${ink.dim('proposed')} ${table.target}.${column.target}: ${column.proposal}`],
    ),
  ]);
  return cut(lines, ink);
}

function objectLines(result: Result, ink: Ink): string[] {
  const lost = result.objects
    .filter(({ state }) => state === 'not-migrated')
    .map(({ kind, name, reason }) => `  ${ink.bad('not migrated')} ${kind} ${name}: ${reason}`);
  return cut(lost, ink);
}

function cut(lines: readonly string[], ink: Ink): string[] {
  const rest = lines.length - LISTED;
  return rest > 0 ? [...lines.slice(0, LISTED), ink.dim(`  and ${count(rest)} more, in the report`)] : [...lines];
}

function summary(result: Result, ink: Ink): string {
  const states = { 'migrated': 0, 'changed': 0, 'not-migrated': 0 };
  for (const { state } of result.objects) states[state] += 1;
  const rows = result.tables.reduce((sum, table) => sum + (result.state === 'planned' ? table.rowsRead : table.rowsWritten), 0);
  const objects = `${count(states.migrated)} objects migrated, ${count(states.changed)} changed, ${count(states['not-migrated'])} not migrated`;
  const speed = result.rowsPerSecond > 0 ? ` (${count(result.rowsPerSecond)} rows/s)` : '';
  return `${count(rows)} rows in ${count(result.tables.length)} tables, ${objects}, ${result.seconds.toFixed(1)} s${speed}${result.state === 'planned' ? '' : ink.dim(`, run ${result.runId}`)}`;
}

function inState(state: string, ink: Ink): string {
  return state === 'done' ? ink.good(state) : state === 'failed' ? ink.bad(state) : ink.warn(state);
}
