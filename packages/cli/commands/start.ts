import { resolve } from 'node:path';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import { command, type Command, type CommandContext, type Frozen, type Ink } from '@safekeep/capabilities/capability';
import type { JobKind } from '@safekeep/capabilities/jobs';
import { performer } from '../main-job/perform.ts';
import { flagsFor, placeFor, sourceOf } from '../main-job/place.ts';
import { StepReport, type MainJob } from '../main-job/step.ts';
import { duration } from '../terminal/progress.ts';
import { serveJobs } from '../worker/serve.ts';

const Report = Type.Object({
  steps: Type.Array(StepReport),
  seconds: Type.Number(),
  home: Type.String(),
  options: Type.String({
    description: 'what further commands take to reach this home and map; empty where they are the usual ones',
  }),
  files: Type.Record(Type.String(), Type.String(), { description: 'where what was made lies, by what it is' }),
  notices: Type.Array(Type.String(), { description: 'what the steps warned of' }),
});

const sqlite = Type.Optional(Type.String({ description: 'your own SQLite file instead of the generated sample practice' }));
const erase = Type.Optional(
  Type.String({ description: 'the person to erase (type:key); in a database of yours nobody is erased unless named here' }),
);

/** Of `demo`, so that what is typed for `npm start` can be typed for it. */
const endsAnyway = Type.Boolean({ default: true, description: 'end after the report, as it does anyway' });
const serve = Type.Boolean({ default: true, description: 'end after the report, whatever the role' });

/** `kinds` is what a worker takes up, `all` the finished list of commands, by which the main job goes. */
export const start = (kinds: readonly JobKind[], all: () => readonly Command[]): Command =>
  command({
    name: 'start',
    summary: 'do the main job on a real database file and end with its report; with a role, stay and work',
    input: Type.Object({
      sqlite,
      erase,
      serve,
      port: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: 65_535,
          description: 'where the console will be served, once there is one; nothing listens yet',
        }),
      ),
      role: Type.Optional(
        Type.Union([Type.Literal('all'), Type.Literal('worker')], {
          description: 'worker: only take jobs, until stopped; all: the main job first. Without it: end after the report',
        }),
      ),
    }),
    output: Report,
    example: 'safekeep start --role worker',
    run: async (context, input) => {
      const outcome = input.role === 'worker' ? nothingDone(context) : await doMainJob(context, input, all());
      if (input.role === undefined || !input.serve) return outcome;
      await serveJobs(context, kinds);
      return outcome;
    },
    render: (report, ink) => (report.steps.length === 0 ? 'The worker has ended; its jobs are safe.' : renderReport(report, ink)),
  });

export const demo = (all: () => readonly Command[]): Command =>
  command({
    name: 'demo',
    summary: 'do the main job and end with its report',
    input: Type.Object({ sqlite, erase, serve: endsAnyway }),
    output: Report,
    example: 'safekeep demo --json',
    run: async (context, input) => await doMainJob(context, input, all()),
    render: renderReport,
  });

function nothingDone({ home }: CommandContext): { readonly result: Frozen<Static<typeof Report>> } {
  return { result: { steps: [], seconds: 0, home, options: '', files: {}, notices: [] } };
}

async function doMainJob(
  context: CommandContext,
  input: { readonly sqlite?: string; readonly erase?: string },
  commands: readonly Command[],
): Promise<{ readonly result: Frozen<Static<typeof Report>> }> {
  // Loaded by who does it: it brings the sample, the SDK and Kysely.
  const { runMainJob } = await import('../main-job/run.ts');
  const startedMs = context.clock.elapsedMs();
  const sqliteFile = input.sqlite === undefined ? undefined : resolve(input.sqlite);
  const notices = new Set<string>();
  const source = sourceOf(context, sqliteFile);
  const place = await placeFor(context, source);
  if (place !== context)
    context.say(`${'home'.padEnd(10)} ${place.home}, with ${place.mapFile}: ${context.home} is for other data than ${source.text}`);
  // What a step warns of is read at the end, under the report, and not between two lines of it.
  const quiet: CommandContext = { ...place, say: (line) => void notices.add(line) };
  const job: MainJob = {
    context: quiet,
    perform: performer(commands, quiet),
    sqliteFile,
    erase: input.erase,
    source: source.text,
    isSample: sqliteFile === undefined && context.configuration.databaseUrl === undefined,
    files: new Map(),
  };
  try {
    const steps = await runMainJob(job, ({ name, detail, seconds }) =>
      context.say(`${name.padEnd(10)} ${detail} (${duration(seconds * 1_000)})`),
    );
    const seconds = Math.round(context.clock.elapsedMs() - startedMs) / 1_000;
    const files = Object.fromEntries(job.files);
    return { result: { steps, seconds, home: place.home, options: flagsFor(place), files, notices: [...notices] } };
  } catch (error) {
    for (const notice of notices) context.say(notice);
    throw error;
  }
}

function renderReport({ seconds, home, options, files, notices }: Frozen<Static<typeof Report>>, ink: Ink): string {
  const shown = Object.entries({ ...files, keys: `${home}/keys` });
  const width = Math.max(...shown.map(([what]) => what.length));
  return [
    '',
    ink.strong(`Safekeep is ready (${duration(seconds * 1_000)}).`),
    '',
    'What was made:',
    ...shown.map(([what, path]) => `  ${what.padEnd(width)}  ${path}`),
    ...noticed(notices),
    '',
    'Next:',
    '  npx safekeep map show          whose data is where, as it was found; the map is yours to correct',
    '  npx safekeep status            whether everything that was applied still stands',
    '  npx safekeep audit search      what was changed, by whom, and why',
    '  npx safekeep keys backup --out DIR --shares 3 --threshold 2',
    '                                 before anything is lost: without the keys nobody opens what is sealed',
    '  npx safekeep unapply           take all of it out again, encrypted columns first',
    '                                 (with --no-wait where no application uses the SDK yet: it waits a minute for those)',
    ...(options === '' ? [] : [`  each of them with${options}`]),
    '',
    ink.dim(`Keys, log and reports lie in ${home}, and schema safekeep in the database.`),
  ].join('\n');
}

/** The report fits a screen; `--json` has all of them. */
const NOTICES_SHOWN = 4;

function noticed(notices: readonly string[]): readonly string[] {
  if (notices.length === 0) return [];
  const more = notices.length - NOTICES_SHOWN;
  return [
    '',
    'To know:',
    ...notices.slice(0, NOTICES_SHOWN).map((notice) => `  ${notice}`),
    ...(more > 0 ? [`  and ${more} more; with --json all of them stand under notices`] : []),
  ];
}
