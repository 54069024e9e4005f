import type pg from 'pg';
import { isSafekeepError, newId, SafekeepError } from '@safekeep/core';
import { keepNurserySmall, operationFailure } from '@safekeep/postgres';
import type { ImportOptions, ImportResult } from '../model.ts';
import type { TableDigest } from '../prove/digest-form.ts';
import { recordBytes } from '../source/record-bytes.ts';
import { createSchema, dropSchema, mayCreate } from '../store/build-schema.ts';
import { releaseLease, takeLease } from '../store/run-lease.ts';
import { endRun, insertQuarantine, insertRun, insertTables, inTenant, readUnfinishedRuns, updateRunState } from '../store/runs.ts';
import { REPORT_KIND, writeReport } from '../report/write-report.ts';
import { build } from './build.ts';
import { digestForm } from './digest-forms.ts';
import type { ImportContext } from './import-context.ts';
import { Phases } from './phases.ts';
import { openRows, prepare, readLoadable, rejectedSummary, type Preparation } from './prepare.ts';
import { askDigests, countTables, proofProblems, proveTables, type Pair, type Proof } from './prove-tables.ts';
import { publish, refuseOccupied } from './publish.ts';
import { newResult, withBuilt, withPreparation, withProof } from './result.ts';
import { refuseSchemaName, someOf } from '../rules.ts';
import type { IntegrityFindings } from '../thread/tasks.ts';
import { scanInTwo, withSource, type Source } from './with-source.ts';

// A server that is gone or full is no matter of the plan.
const EXIT_INTERNAL = 3;

/**
 * Moves a SQLite file into PostgreSQL. Everything is built and proven in a schema of its own and put under its final names in
 * one short transaction at the end: before that nothing is to be seen, after it everything is.
 *
 * A run that refuses the data ends with a result in state `failed`; trouble on the way (no connection, no space) is thrown,
 * and what it leaves behind is cleared away by the next run into the same schema.
 *
 * @param onOpen is called when the state of the file that is imported is held fast.
 */
export async function importSqlite(context: ImportContext, options: ImportOptions, onOpen?: () => void): Promise<ImportResult> {
  refuseSchemaName(options.schema);
  keepNurserySmall();
  const work = async (source: Source): Promise<ImportResult> => {
    const run = beginRun(context, options, source);
    const preparation = await run.phases.measure('scan', () => prepareRun(run, run.buildSchema));
    run.result = withPreparation(run.result, preparation);
    return await context.database.withClient(async (lease) => {
      if (!(await takeLease(lease, options.schema))) throw new SafekeepError('import-run-active', { schema: options.schema });
      const result = await execute(run, preparation);
      await releaseLease(lease);
      return result;
    });
  };
  return await withSource(options.file, work, onOpen);
}

/** Whether the file can be imported at all, before any database is touched. Throws the refusals of a file that is no usable database. */
export async function checkSource(file: string): Promise<void> {
  await withSource(file, async ({ snapshot }) => void readLoadable(snapshot));
}

/** What an import would do, and in `problems` what it would be refused for. Reads only; neither database is written. */
export async function planImport(
  context: Pick<ImportContext, 'clock' | 'database'>,
  options: ImportOptions,
): Promise<ImportResult> {
  refuseSchemaName(options.schema);
  return await withSource(options.file, async (source) => {
    const phases = new Phases(context.clock);
    const preparation = await phases.measure('scan', () => prepareRun({ context, options, source }, options.schema));
    const refusals = await foreseen(() => refuseEarly({ context, options }, preparation));
    const sha256 = await askSha256(source);
    const result = withPreparation(newResult(newId(), options, source.snapshot), preparation);
    return {
      ...result,
      source: { ...result.source, sha256 },
      problems: [...refusals, ...refusedRows(result, options)],
      seconds: phases.total(),
      phases: phases.seconds,
    };
  });
}

/** What a run would be refused for, as what a plan tells. */
async function foreseen(refusing: () => Promise<void>): Promise<string[]> {
  try {
    await refusing();
    return [];
  } catch (error) {
    if (isSafekeepError(error) && error.exit !== EXIT_INTERNAL) return [`${error.message} ${error.remedy}`];
    throw error;
  }
}

/** What a run and a plan have in common. */
type Planned = { readonly context: Pick<ImportContext, 'database'>; readonly options: ImportOptions };

type Run = {
  readonly context: ImportContext;
  readonly options: ImportOptions;
  readonly source: Source;
  readonly runId: string;
  /** Where the tables are built. */
  readonly buildSchema: string;
  /** Where `--replace` keeps what stood in the way. */
  readonly keptSchema: string;
  readonly phases: Phases;
  result: ImportResult;
};

function beginRun(context: ImportContext, options: ImportOptions, source: Source): Run {
  const runId = newId<'import-run'>();
  const short = runId.replaceAll('-', '');
  return {
    context,
    options,
    source,
    runId,
    buildSchema: `safekeep_import_${short}`,
    keptSchema: `safekeep_kept_${short}`,
    phases: new Phases(context.clock),
    result: newResult(runId, options, source.snapshot),
  };
}

async function prepareRun(
  { context, options, source }: Planned & { readonly source: Source },
  buildSchema: string,
): Promise<Preparation> {
  return await prepare(source.snapshot, {
    options,
    buildSchema,
    serverVersion: Math.floor(context.database.server.versionNumber / 10_000),
    scan: (readings) => scanInTwo(source, readings),
  });
}

/** The run proper, under the lease of the target schema. */
async function execute(run: Run, preparation: Preparation): Promise<ImportResult> {
  const { options } = run;
  await refuseEarly(run, preparation);
  await clearAbandoned(run);
  await inTransaction(run, (client) =>
    insertRun(client, run.context.tenant, {
      runId: run.runId,
      source: run.source.snapshot.file,
      targetSchema: run.options.schema,
      buildSchema: run.buildSchema,
      options: run.options,
      startedAt: run.context.clock.now(),
    }),
  );
  try {
    const problems = refusedRows(run.result, options);
    if (problems.length > 0) return await fail(run, problems);
    return await loadAndProve(run, preparation);
  } catch (error) {
    await clearAway(run, error);
    if (!run.context.signal.aborted) throw error;
    throw new SafekeepError(
      'interrupted',
      { action: 'The import', kept: 'What it had built was taken back; the source and the target are as before.' },
      { cause: error },
    );
  }
}

/** Rows that nobody may lose and PostgreSQL cannot hold. */
function refusedRows(result: ImportResult, options: ImportOptions): string[] {
  if (result.rejected === 0 || options.onInvalid === 'quarantine') return [];
  return [`${result.rejected} row(s) hold texts that PostgreSQL cannot hold: ${rejectedSummary(result.rejectedRows)}`];
}

/** What was found about the file itself in the meantime. Throws `import-source-corrupt`. */
async function noteSource(run: Run, preparation: Preparation, background: Background): Promise<void> {
  const { check, damage, remarks } = await background.integrity;
  if (damage.length > 0) throw new SafekeepError('import-source-corrupt', { place: check, detail: someOf(damage) });
  const checks = [
    `${check}: ${remarks.length === 0 ? 'ok' : `${remarks.length} finding(s)`}`,
    ...remarks,
    ...(await orphanLists(run, preparation)),
  ];
  run.result = { ...run.result, source: { ...run.result.source, sha256: await background.sha256, checks } };
}

/** The rows behind every foreign key that had to stay NOT VALID. */
async function orphanLists({ source, result }: Run, preparation: Preparation): Promise<string[]> {
  const invalid = new Set(
    result.objects.filter(({ kind, state }) => kind === 'foreign-key' && state !== 'migrated').map(({ name }) => name),
  );
  const tables = preparation.tables.filter(({ source: table }) => [...invalid].some((name) => name.startsWith(`${table.name}.`)));
  const lists = await Promise.all(
    tables.map(async ({ source: table }) => ({
      table: table.name,
      orphans: await source.thread.ask('orphans', { table: table.name }),
    })),
  );
  return lists.flatMap(({ table, orphans }) =>
    orphans.map(
      ({ parent, rows, firstRowids }) =>
        `foreign_key_check: ${rows} row(s) of ${table} point at no row of ${parent}: rowid ${firstRowids.join(', ')}${rows > firstRowids.length ? ', …' : ''}`,
    ),
  );
}

type Background = {
  readonly sha256: Promise<string>;
  readonly integrity: Promise<IntegrityFindings>;
  readonly digests: ReadonlyMap<string, Promise<TableDigest>>;
};

async function loadAndProve(run: Run, preparation: Preparation): Promise<ImportResult> {
  const { context, options, source, phases } = run;
  await enterState(run, 'loading', (client) => createSchema(client, run.buildSchema));
  const pairs = pairsOf(preparation);
  const background = startBackground(run, pairs);
  await quarantineRows(run, preparation);
  const built = await phases.measure('build', () =>
    build(
      source.snapshot,
      preparation,
      {
        database: context.database,
        signal: context.signal,
        progress: context.progress,
        schema: run.buildSchema,
        jobs: options.jobs,
      },
      phases,
    ),
  );
  run.result = withBuilt(run.result, built);
  await enterState(run, 'verifying');
  const proof = await phases.measure('verify', () => proveRun(run, pairs, background));
  if (proof !== null) run.result = withProof(run.result, proof);
  await noteSource(run, preparation, background);
  const problems = [...lostRows(run.result), ...(proof === null ? [] : proofProblems(proof))];
  if (source.snapshot.hasChanged()) throw new SafekeepError('import-source-changed', { file: options.file });
  if (problems.length > 0) return await fail(run, problems);
  return await phases.measure('publish', () => finish(run, pairs));
}

/** What the other thread does while this one loads: hash the file, let SQLite examine it, make the digests of the source side. */
function startBackground({ source, options }: Run, pairs: readonly Pair[]): Background {
  const full = options.verify === 'full';
  const background = {
    sha256: askSha256(source),
    integrity: source.thread.ask('integrity', { sizeBytes: source.snapshot.sizeBytes }),
    digests: full ? askDigests(source, pairs) : new Map<string, Promise<TableDigest>>(),
  };
  // They are awaited later; until then a failure must not count as one that nobody handles.
  for (const promise of [background.sha256, background.integrity]) promise.catch(() => undefined);
  return background;
}

async function askSha256({ snapshot, thread }: Source): Promise<string> {
  return await thread.ask('sha256', { sizeBytes: snapshot.sizeBytes, walBytes: snapshot.walBytes });
}

function pairsOf(preparation: Preparation): Pair[] {
  return preparation.tables.map((prepared) => {
    const target = preparation.plan.tables.find(({ source }) => source === prepared.source.name);
    if (target === undefined) throw new Error(`${prepared.source.name} was not planned`);
    const skip = new Set(prepared.rejected.map(({ ordinal }) => ordinal));
    return {
      source: prepared.source.name,
      target: target.name,
      form: digestForm(prepared, target),
      reading: prepared.reading,
      skip,
    };
  });
}

async function proveRun(
  { context, options, source, buildSchema }: Run,
  pairs: readonly Pair[],
  background: Background,
): Promise<Proof | null> {
  const target = { database: context.database, schema: buildSchema };
  if (options.verify === 'full') return await proveTables(source.snapshot, pairs, background.digests, target);
  return options.verify === 'counts' ? await countTables(source.snapshot, pairs, target) : null;
}

/** Rows are accounted for whatever was verified: read = written + quarantined. */
function lostRows(result: ImportResult): string[] {
  return result.tables
    .filter((table) => table.rowsRead !== table.rowsWritten + table.quarantined)
    .map(
      (table) => `${table.source}: ${table.rowsRead} rows read, ${table.rowsWritten} written, ${table.quarantined} in quarantine`,
    );
}

/** Keeps the rows that the target cannot hold, whole. */
async function quarantineRows(run: Run, preparation: Preparation): Promise<void> {
  const { context, source, runId } = run;
  for (const prepared of preparation.tables.filter(({ rejected }) => rejected.length > 0)) {
    const wanted = new Map(prepared.rejected.map((row) => [row.ordinal, row]));
    const columns = prepared.reading.columns.map(({ name }) => name);
    await inTransaction(run, async (client) => {
      const cursor = openRows(source.snapshot, prepared.reading);
      for (let ordinal = 0; cursor.next(); ordinal += 1) {
        const row = wanted.get(ordinal);
        if (row === undefined) continue;
        await insertQuarantine(client, context.tenant, runId, {
          source: prepared.source.name,
          ordinal,
          rowid: row.rowid,
          columns: row.columns.map((at) => columns[at] ?? ''),
          record: recordBytes(cursor),
        });
      }
    });
  }
}

/** Everything under its final names and the run's last word, in one transaction. */
async function finish(run: Run, pairs: readonly Pair[]): Promise<ImportResult> {
  const { context, options, phases } = run;
  const { result, signature } = await inTransaction(run, async (client) => {
    const published = await publish(client, {
      buildSchema: run.buildSchema,
      targetSchema: options.schema,
      keptSchema: options.replace ? run.keptSchema : null,
    });
    const relations = published.relations.map(({ name, kind }) => ({
      name,
      kind: kind === 'v' ? ('view' as const) : ('table' as const),
    }));
    const last = timed({ ...run.result, state: 'done', relations }, phases);
    const signed = context.signer.signDocument(REPORT_KIND, last);
    await insertTables(client, context.tenant, run.runId, provenTables(last, pairs));
    const keptSchema = published.setAside ? run.keptSchema : null;
    await endRun(client, context.tenant, {
      runId: run.runId,
      state: 'done',
      finishedAt: context.clock.now(),
      keptSchema,
      result: last,
      signature: signed,
    });
    return { result: last, signature: signed };
  });
  return { ...result, report: await writeReport(context.home, result, { signature, verifierKey: context.signer.verifierKey }) };
}

function provenTables(result: ImportResult, pairs: readonly Pair[]): Parameters<typeof insertTables>[3] {
  return result.tables.map((table) => {
    const pair = pairs.find(({ source }) => source === table.source);
    if (pair === undefined) throw new Error(`${table.source} was not planned`);
    const { source, rowsRead, rowsWritten, quarantined, sourceDigest, targetDigest } = table;
    return { source, target: pair.target, rowsRead, rowsWritten, quarantined, sourceDigest, targetDigest, form: pair.form };
  });
}

/** The data is refused: nothing of the run stays in the target but its record. */
async function fail(run: Run, problems: readonly string[]): Promise<ImportResult> {
  const { context, phases } = run;
  const sha256 = run.result.source.sha256 || (await askSha256(run.source));
  const result = timed(
    { ...run.result, state: 'failed', problems: [...problems], source: { ...run.result.source, sha256 } },
    phases,
  );
  const signature = context.signer.signDocument(REPORT_KIND, result);
  await inTransaction(run, async (client) => {
    await dropSchema(client, run.buildSchema);
    await endRun(client, context.tenant, {
      runId: run.runId,
      state: 'failed',
      finishedAt: context.clock.now(),
      result,
      signature,
      failure: problems.join('; '),
    });
  });
  return { ...result, report: await writeReport(context.home, result, { signature, verifierKey: context.signer.verifierKey }) };
}

/** Takes away what a run that broke off has built, where the server still answers; else the next run does it. */
async function clearAway(run: Run, error: unknown): Promise<void> {
  const failure = isSafekeepError(error) ? error.code : 'internal';
  await inTransaction(run, async (client) => {
    await dropSchema(client, run.buildSchema);
    await endRun(client, run.context.tenant, { runId: run.runId, state: 'failed', finishedAt: run.context.clock.now(), failure });
  }).catch(() =>
    run.context.say(`The run ${run.runId} could not be cleared away now; the next import into ${run.options.schema} does it.`),
  );
}

/** Whoever holds the lease knows that nobody works on the unfinished runs of this schema. */
async function clearAbandoned(run: Run): Promise<void> {
  const { context, options } = run;
  await inTransaction(run, async (client) => {
    for (const left of await readUnfinishedRuns(client, context.tenant, options.schema)) {
      await dropSchema(client, left.build_schema);
      await endRun(client, context.tenant, {
        runId: left.run_id,
        state: 'failed',
        finishedAt: context.clock.now(),
        failure: 'it ended before it was done',
      });
    }
  });
}

async function refuseEarly({ context, options }: Planned, preparation: Preparation): Promise<void> {
  await context.database.withClient(async (client) => {
    const rights = await mayCreate(client, options.schema);
    const { user, database } = rights;
    if (!rights.inDatabase)
      throw new SafekeepError('privilege-missing', {
        user,
        right: `CREATE on database ${database}`,
        grant: `GRANT CREATE ON DATABASE ${client.escapeIdentifier(database)} TO ${client.escapeIdentifier(user)};`,
      });
    if (!rights.inSchema)
      throw new SafekeepError('privilege-missing', {
        user,
        right: `CREATE on schema ${options.schema}`,
        grant: `GRANT CREATE, USAGE ON SCHEMA ${client.escapeIdentifier(options.schema)} TO ${client.escapeIdentifier(user)};`,
      });
    await refuseOccupied(client, options.schema, finalNames(preparation), options.replace);
  });
}

function finalNames(preparation: Preparation): string[] {
  return [
    ...preparation.plan.tables.map(({ name }) => name),
    ...preparation.plan.statements.filter(({ kind }) => kind === 'view').map(({ table }) => table),
  ];
}

async function enterState(
  run: Run,
  state: 'loading' | 'verifying',
  also: (client: pg.ClientBase) => Promise<void> = async () => undefined,
): Promise<void> {
  await inTransaction(run, async (client) => {
    await also(client);
    await updateRunState(client, run.context.tenant, { runId: run.runId, state });
  });
  run.result = { ...run.result, state };
}

async function inTransaction<Result>({ context }: Run, action: (client: pg.ClientBase) => Promise<Result>): Promise<Result> {
  try {
    return await context.database.withClient((client) => inTenant(client, context.tenant, () => action(client)));
  } catch (error) {
    throw operationFailure(error, 'writing the run');
  }
}

function timed(result: ImportResult, phases: Phases): ImportResult {
  const seconds = phases.total();
  const rows = result.tables.reduce((sum, table) => sum + table.rowsWritten, 0);
  return { ...result, seconds, phases: { ...phases.seconds }, rowsPerSecond: seconds > 0 ? Math.round(rows / seconds) : 0 };
}
