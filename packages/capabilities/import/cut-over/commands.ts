import { Type } from '@safekeep/core/schema';
import { command, type CommandContext, type Frozen, type Ink } from '../../capability.ts';
import type { FollowContext } from './follow.ts';
import { CatchUpResult, CutOverResult, FollowResult } from './model.ts';
import { SafekeepError } from '@safekeep/core';
import { count } from '../report/report-document.ts';

const WAY_BACK_DAYS = 7;
const LONGEST_WAY_BACK_DAYS = 365;

const run = { key: 'run', label: 'RUN', description: 'id of the import, or its beginning' };

const follow = command({
  name: 'import follow',
  summary: 'log what the application changes in the SQLite file, so that it can be brought over while it is in use',
  positionals: [run],
  input: Type.Object({
    run: Type.String(),
    stop: Type.Boolean({
      default: false,
      description: 'end it: take every trigger and table of ours out of the SQLite file and out of PostgreSQL again',
    }),
  }),
  output: FollowResult,
  example: 'safekeep import follow 019a2c6e-5d1f-7d8a-b0c3-2f6f1f7f9a11',
  event: {
    none: 'it changes no protection: it writes down changes of the source, and the cut-over that takes them over is an event',
  },
  run: async (context, input) => {
    if (input.stop) {
      await context.confirm(
        `Ending to follow the source of run ${input.run}: our triggers and tables leave the SQLite file, which can be written to again, and the imported tables`,
      );
      const { stopFollowing } = await import('./stop.ts');
      const stopped = await stopFollowing(await followContext(context), input.run);
      if (stopped === undefined) throw new SafekeepError('import-follow-missing', { run: input.run });
      return { result: stopped };
    }
    await context.confirm(
      `WRITING INTO THE SQLITE FILE of run ${input.run}: triggers on every table and the table safekeep_changelog, so that changes are logged (no row of yours is touched; writers wait while the file is compared with the import)`,
    );
    const { followRun } = await import('./follow.ts');
    return { result: await followRun(await followContext(context), input.run) };
  },
  render: renderFollow,
});

const catchUpCommand = command({
  name: 'import catch-up',
  summary: 'bring over what changed in the SQLite file since the last time',
  positionals: [run],
  input: Type.Object({ run: Type.String() }),
  output: CatchUpResult,
  example: 'safekeep import catch-up 019a2c6e-5d1f-7d8a-b0c3-2f6f1f7f9a11',
  event: { none: 'it changes no protection: it goes on with an import, and the cut-over that ends it is an event' },
  run: async (context, input) => {
    await context.confirm(`Writing the changes of the source of run ${input.run} into the imported tables`);
    const { catchUp } = await import('./catch-up.ts');
    return { result: await catchUp(await followContext(context), input.run) };
  },
  render: (result, ink) =>
    `${count(result.changes)} change(s), ${count(result.written)} row(s) written in ${result.rounds} round(s), ${result.seconds.toFixed(1)} s${ink.dim(`, up to entry ${result.position}`)}`,
});

const cutOverCommand = command({
  name: 'import cut-over',
  summary: 'switch from the SQLite file to PostgreSQL: stop writers for a moment, bring over the rest, compare',
  positionals: [run],
  input: Type.Object({
    run: Type.String(),
    closeSource: Type.Boolean({ default: false, description: 'let every later write to the SQLite file fail' }),
    verify: Type.Union([Type.Literal('changed'), Type.Literal('full')], {
      default: 'changed',
      description: 'compare the counts and every changed row, or all rows, while writers wait',
    }),
    wayBackDays: Type.Integer({
      default: WAY_BACK_DAYS,
      minimum: 0,
      maximum: LONGEST_WAY_BACK_DAYS,
      description: 'how long changes in PostgreSQL are logged so that --back can write them into the SQLite file; 0: not at all',
    }),
    back: Type.Boolean({
      default: false,
      description: 'the other way: write what changed in PostgreSQL since the cut-over into the SQLite file and open it again',
    }),
    overwrite: Type.Boolean({
      default: false,
      description: 'with --back: rows that changed on both sides become what they are in PostgreSQL',
    }),
  }),
  output: CutOverResult,
  example: 'safekeep import cut-over 019a2c6e-5d1f-7d8a-b0c3-2f6f1f7f9a11 --close-source',
  event: { kind: 'compliance', tells: ['runId'] },
  run: async (context, input) => {
    if (input.back) {
      await context.confirm(
        `WRITING INTO THE SQLITE FILE of run ${input.run} what changed in PostgreSQL since the cut-over; our triggers leave both`,
      );
      const { handBack } = await import('./hand-back.ts');
      return { result: await handBack(await followContext(context), input.run, { overwrite: input.overwrite }) };
    }
    const closing = input.closeSource ? '; WRITING INTO THE SQLITE FILE triggers that let every later write to it fail' : '';
    await context.confirm(`Cutting over run ${input.run} to PostgreSQL${closing}`);
    const { closeSource, verify, wayBackDays } = input;
    const { cutOver } = await import('./cut-over.ts');
    return { result: await cutOver(await followContext(context), input.run, { closeSource, verify, wayBackDays }) };
  },
  render: renderCutOver,
});

export const cutOverCommands = [follow, catchUpCommand, cutOverCommand];

async function followContext({ tenant, clock, signal, progress, database }: CommandContext): Promise<FollowContext> {
  return { tenant, clock, signal, progress, database: await database() };
}

function renderFollow(result: Frozen<FollowResult>, ink: Ink): string {
  const head =
    result.state === 'stopped'
      ? `${result.file} is not followed any more`
      : `${ink.good('Following')} ${count(result.tables)} tables of ${result.file}`;
  return [head, ...result.notCaught.map((what) => `  ${ink.warn('not logged')} ${what}`)].join('\n');
}

function renderCutOver(result: Frozen<CutOverResult>, ink: Ink): string {
  if (result.state === 'handed-back') {
    return [
      `${ink.good('Handed back')}: ${count(result.written)} rows written into the SQLite file`,
      ...result.notes.map((note) => `  ${ink.warn(note)}`),
    ].join('\n');
  }
  const rows = result.tables.reduce((sum, table) => sum + table.rows, 0);
  return [
    `${ink.good('Cut over')}: ${count(rows)} rows in ${count(result.tables.length)} tables are the same on both sides; writers waited ${result.stoppedSeconds.toFixed(2)} s`,
    ...result.foreignKeys
      .filter(({ state }) => state === 'not-valid')
      .map(({ name, reason }) => `  ${ink.warn('not valid')} ${name}: ${reason}`),
    ...result.notes.map((note) => `  ${ink.warn(note)}`),
    result.sourceClosed
      ? 'The SQLite file refuses every write from now on.'
      : ink.warn('The SQLite file can still be written to: point its application to PostgreSQL now.'),
    result.wayBackUntil === null ? 'No way back is kept.' : `The way back is open until ${result.wayBackUntil}.`,
  ].join('\n');
}
