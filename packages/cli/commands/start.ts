import { resolve } from 'node:path';
import Type, { type Static } from 'typebox';
import { command, type CommandContext, type Frozen, type Ink, type Outcome } from '@safekeep/capabilities/capability';
import { runMainJob } from '../main-job/run.ts';
import { StepReport } from '../main-job/step.ts';
import { duration } from '../terminal/progress.ts';

const Report = Type.Object({
  steps: Type.Array(StepReport),
  seconds: Type.Number(),
  home: Type.String(),
});

const sqlite = Type.Optional(Type.String({ description: 'your own SQLite file instead of the generated sample practice' }));

export const start = command({
  name: 'start',
  summary: 'do the main job on a real database file, then serve the console once there is one',
  input: Type.Object({
    sqlite,
    serve: Type.Boolean({ default: true, description: 'end after the report' }),
  }),
  output: Report,
  example: 'safekeep start --no-serve',
  run: doMainJob,
  render: renderReport,
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
