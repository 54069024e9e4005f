import { resolve } from 'node:path';
import Type, { type Static } from 'typebox';
import { command, type Command, type CommandContext, type Frozen, type Ink, type Outcome } from '@safekeep/capabilities/capability';
import type { JobKind } from '@safekeep/capabilities/jobs';
import { runMainJob } from '../main-job/run.ts';
import { StepReport } from '../main-job/step.ts';
import { duration } from '../terminal/progress.ts';
import { serveJobs } from '../worker/serve.ts';

const Report = Type.Object({
  steps: Type.Array(StepReport),
  seconds: Type.Number(),
  home: Type.String(),
});

const sqlite = Type.Optional(Type.String({ description: 'your own SQLite file instead of the generated sample practice' }));

/** `kinds` is what a worker takes up. */
export const start = (kinds: readonly JobKind[]): Command =>
  command({
    name: 'start',
    summary: 'do the main job on a real database file and end with its report; with a role, stay and work',
    input: Type.Object({
      sqlite,
      serve: Type.Boolean({ default: true, description: 'end after the report, whatever the role' }),
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
      const outcome = input.role === 'worker' ? nothingDone(context) : await doMainJob(context, input);
      if (input.role === undefined || !input.serve) return outcome;
      await serveJobs(context, kinds);
      return outcome;
    },
    render: (report, ink) => (report.steps.length === 0 ? 'The worker has ended; its jobs are safe.' : renderReport(report, ink)),
  });

export const demo = command({
  name: 'demo',
  summary: 'do the main job and end with its report',
  input: Type.Object({ sqlite }),
  output: Report,
  example: 'safekeep demo --json',
  run: doMainJob,
  render: renderReport,
});

function nothingDone({ home }: CommandContext): Outcome<Frozen<Static<typeof Report>>> {
  return { result: { steps: [], seconds: 0, home } };
}

async function doMainJob(
  context: CommandContext,
  input: { readonly sqlite?: string },
): Promise<Outcome<Frozen<Static<typeof Report>>>> {
  const startedMs = context.clock.elapsedMs();
  const sqliteFile = input.sqlite === undefined ? undefined : resolve(input.sqlite);
  const steps = await runMainJob({ context, sqliteFile }, ({ name, detail, seconds }) =>
    context.say(`${name.padEnd(10)} ${detail} (${duration(seconds * 1_000)})`),
  );
  const seconds = Math.round(context.clock.elapsedMs() - startedMs) / 1_000;
  return { result: { steps, seconds, home: context.home } };
}

function renderReport(report: Frozen<Static<typeof Report>>, ink: Ink): string {
  return [
    '',
    ink.strong(`Safekeep is ready (${duration(report.seconds * 1_000)}).`),
    `Your files lie in ${report.home}; the database as told above. Deleting both forgets everything.`,
    '',
    'Next:',
    '  npx safekeep import list       what was moved, and its proof',
    '  npx safekeep doctor            what is well and what is not',
    '  npx safekeep url               connect with your own tools',
  ].join('\n');
}
