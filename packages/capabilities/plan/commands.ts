import { createHash } from 'node:crypto';
import { userInfo } from 'node:os';
import { Type } from '@safekeep/core/schema';
import { SafekeepError } from '@safekeep/core';
import { fingerprintParts } from '@safekeep/postgres';
import { command, type Command, type CommandContext, type Frozen, type Ink, type Outcome } from '../capability.ts';
import { loadMap } from '../datamap/index.ts';
import { applyPlan } from './actions/apply-plan.ts';
import type { Ground } from './actions/execute.ts';
import type { Intent } from './actions/make-plan.ts';
import { planDatabase, planRemoval, readStatus } from './actions/plan-database.ts';
import { rehearse } from './actions/rehearse.ts';
import { refuseHeld, unapply, type Guard, type TakeOut } from './actions/unapply.ts';
import {
  ApplyText,
  PlanText,
  RehearsalText,
  StatusText,
  UnapplyText,
  type Contributor,
  type Plan,
  type StepText,
} from './model.ts';
import { planText } from './rules/text.ts';

/** What the composition root puts together: who wants something in the database, who must be asked before it goes, and what goes first. */
export type PlanParts = {
  readonly contributors: readonly Contributor[];
  readonly guards: readonly Guard[];
  readonly takeOut?: readonly TakeOut[];
};

const NONE = Type.Object({});

export function planCommands(parts: PlanParts): readonly Command[] {
  return [planCommand(parts), applyCommand(parts), statusCommand(parts), unapplyCommand(parts)];
}

function planCommand(parts: PlanParts): Command {
  return command({
    name: 'plan',
    summary: 'show what must be done for the database to be as the map says; nothing is changed',
    input: Type.Object({
      sql: Type.Boolean({ default: false, description: 'show the statements of each step as well; --json always has them' }),
    }),
    output: PlanText,
    example: 'safekeep plan --sql',
    notSo: 'something stands in the way, such as a name of the map that is not there',
    run: async (context) => {
      const plan = await planDatabase(await context.database({ migrate: false }), await intentOf(context, parts));
      return { result: planText(plan), ok: plan.problems.length === 0 };
    },
    render: (plan, ink, { sql }) => renderPlan(plan, ink, sql),
  });
}

function applyCommand(parts: PlanParts): Command {
  return command({
    name: 'apply',
    summary: 'bring the database to what the map says, or rehearse that on a copy',
    input: Type.Object({
      plan: Type.Optional(
        Type.String({ description: 'the hash that `safekeep plan` showed; refused if anything has changed since' }),
      ),
      author: Type.Optional(
        Type.String({ minLength: 1, description: 'who answers for the map, in its history; the user of this machine without it' }),
      ),
      onCopy: Type.Boolean({ default: false, description: 'only try it, on a copy of the database that is dropped afterwards' }),
    }),
    output: Type.Union([ApplyText, RehearsalText]),
    example: 'safekeep apply --plan 9f2c…',
    notSo: 'with --on-copy the rehearsal did not pass, or could not be made',
    event: { kind: 'compliance' },
    run: async (context, input) => {
      const intent = await intentOf(context, parts);
      if (input.onCopy) return await rehearseCommand(context, intent, input.plan);
      const database = await context.database();
      const { author = userInfo().username } = input;
      const hash = input.plan === undefined ? {} : { hash: input.plan };
      const agree = ({ steps }: Plan) =>
        context.confirm(`Applying ${steps.length} step(s) (${inShort(steps)}; \`safekeep plan\` shows each)`);
      return {
        result: await shown(context, 'applying', (surroundings) =>
          applyPlan({ ...surroundings, database }, { intent, author, ...hash, agree }),
        ),
      };
    },
    render: (result, ink) => ('state' in result ? renderRehearsal(result, ink) : renderApplied(result, ink)),
  });
}

/** What is agreed to, in a line: how many of each kind, the locks that are waited for, and what is lost when it is taken out. */
function inShort(steps: Plan['steps']): string {
  const kinds = [...Map.groupBy(steps, ({ action, kind }) => `${action} ${kind}`)].map(([what, all]) => `${all.length} ${what}`);
  const locks = [...new Set(steps.flatMap((step) => step.locks.map(({ mode }) => mode)))];
  const lossy = steps.filter(({ reversible }) => !reversible).length;
  return [
    kinds.join(', '),
    ...(locks.length > 0 ? [`locks ${locks.join(', ')}`] : []),
    ...(lossy > 0 ? [`${lossy} lose something when taken out`] : []),
  ].join('; ');
}

async function rehearseCommand(context: CommandContext, intent: Intent, plan: string | undefined): Promise<Outcome<RehearsalText>> {
  if (plan !== undefined)
    throw new SafekeepError('usage', { problem: '--on-copy rehearses the plan as it is now and takes no --plan.' });
  const url = await context.databaseUrl();
  const result = await shown(context, 'rehearsing', (surroundings) =>
    rehearse({ ...surroundings, url, confirm: context.confirm }, intent),
  );
  return { result, ok: result.state === 'passed' };
}

function statusCommand(parts: PlanParts): Command {
  return command({
    name: 'status',
    summary: 'say whether everything that was applied still stands',
    input: NONE,
    output: StatusText,
    example: 'safekeep status --json',
    notSo:
      'something that was applied was changed, switched off or dropped, or a column came by hand; steps that are only pending are no drift',
    run: async (context) => {
      const result = await readStatus(await context.database({ migrate: false }), await intentOf(context, parts));
      return { result, ok: result.ok };
    },
    render: renderStatus,
  });
}

function unapplyCommand({ guards, takeOut = [] }: PlanParts): Command {
  return command({
    name: 'unapply',
    summary: 'take everything of Safekeep out of your schemas again and prove that they are as before',
    input: Type.Object({
      wait: Type.Boolean({
        default: true,
        description: 'no application uses the SDK on this database: do not wait until each has learnt that columns are plain again',
      }),
    }),
    output: UnapplyText,
    example: 'safekeep unapply --yes',
    event: { kind: 'compliance' },
    run: async (context, { wait }) => {
      const database = await context.database();
      // Before anything is given back, and again with the steps.
      await refuseHeld(guards, { database, tenant: context.tenant });
      // One question for all of it: a second one could be declined with half of it done.
      const { steps, catalog } = await planRemoval(database, context.tenant);
      await context.confirm(`Giving encrypted columns their plaintext back and taking out ${steps.length} protections`);
      const agree = async (): Promise<void> => undefined;
      const before: string[] = [];
      for (const { run } of takeOut) before.push(...(await run({ ...context, confirm: agree }, { wait })));
      const all = [...guards, ...takeOut.flatMap(({ left }) => left ?? [])];
      const taken = await shown(context, 'taking out', (surroundings) =>
        unapply({ ...surroundings, database }, { guards: all, agree, standing: fingerprintParts(catalog) }),
      );
      for (const { ended } of takeOut) await ended?.(context, taken.steps);
      return { result: { before, ...taken } };
    },
    render: renderUnapplied,
  });
}

async function intentOf(context: CommandContext, { contributors }: PlanParts): Promise<Intent> {
  const { map, text } = await loadMap(context.mapFile);
  return { tenant: context.tenant, contributors, read: { map, text, sha256: createHash('sha256').update(text).digest('hex') } };
}

/** Runs a change with its progress shown, to the end of it however it ends. */
async function shown<Result>(
  context: CommandContext,
  label: string,
  run: (surroundings: Omit<Ground, 'database'>) => Promise<Result>,
): Promise<Result> {
  const { tenant, clock, signal } = context;
  const progress = context.progress(label, { unit: 'steps' });
  try {
    return await run({ tenant, clock, signal, observe: (_moment, { done, total }) => progress.update(done, total) });
  } finally {
    progress.end();
  }
}

function renderStep({ id, locks, rows, rewrites, reversible, sql }: Frozen<StepText>, ink: Ink, withSql: boolean): string {
  const facts = [
    ...new Set(locks.map(({ mode, table }) => `${mode} on ${table}`)),
    ...(rows === 0 ? [] : [`about ${rows} rows`]),
    ...(rewrites ? [ink.warn('rewrites the table')] : []),
    ...(reversible ? [] : [ink.warn('cannot be undone without loss')]),
  ];
  const head = `  ${ink.strong(id)}  ${ink.dim(facts.join(', ') || 'no lock')}`;
  return [head, ...(withSql ? sql : []).map((statement) => `    ${statement.replaceAll('\n', '\n    ')};`)].join('\n');
}

function renderPlan({ hash, steps, problems, notes }: Frozen<PlanText>, ink: Ink, withSql: boolean): string {
  const told = [...renderProblems(problems, ink), ...renderNotes(notes, ink)];
  const all = steps.map((step) => renderStep(step, ink, withSql));
  if (problems.length > 0) return [...all, ...told, '', ink.bad(blocked(problems.length, steps.length))].join('\n');
  if (steps.length === 0) return [...told, ink.good('Nothing to do: the database is as the map says.')].join('\n');
  const statements = withSql ? '' : ' Their statements: `safekeep plan --sql`.';
  return [
    ...all,
    ...told,
    '',
    `${steps.length} steps.${statements} Apply exactly these with:`,
    `  safekeep apply --plan ${hash}`,
  ].join('\n');
}

function blocked(problems: number, steps: number): string {
  const waiting = steps === 0 ? '' : `; the ${steps} step(s) above wait for that`;
  return `Nothing can be applied before the ${problems} problem(s) are mended, in the map or in the database${waiting}.`;
}

function renderApplied({ steps, seconds, hash }: Frozen<ApplyText>, ink: Ink): string {
  if (steps.length === 0) return ink.good('Nothing to do: the database is as the map says.');
  return `${ink.good('applied')} ${steps.length} steps in ${seconds.toFixed(2)} s ${ink.dim(`(plan ${hash.slice(0, 12)})`)}`;
}

function renderRehearsal({ state, reason, steps, copySeconds, applySeconds, restored }: Frozen<RehearsalText>, ink: Ink): string {
  if (state === 'not-evaluable') return `${ink.warn('not evaluable')}: ${reason ?? ''}\nYour database was not changed.`;
  const slowest = steps.toSorted((one, other) => other.seconds - one.seconds).slice(0, 5);
  return [
    state === 'passed' ? ink.good('passed on a copy') : `${ink.bad('failed on a copy')}: ${reason ?? ''}`,
    `  copying took ${copySeconds.toFixed(2)} s, ${steps.length} steps ${applySeconds.toFixed(2)} s`,
    ...slowest.map(({ id, seconds }) => `  ${seconds.toFixed(3)} s  ${id}`),
    ...(restored === null ? [] : [`  taken out again: ${restored ? 'as before' : ink.bad('NOT as before')}`]),
    'The copy is gone. Your database was not changed.',
  ].join('\n');
}

function renderStatus({ ok, drift, pending, problems, notes, applied }: Frozen<StatusText>, ink: Ink): string {
  const drifted = drift.flatMap(({ object, change, expected, found, remedy }) => [
    `${ink.bad(change)} ${object}`,
    `  ${ink.dim(`expected ${expected ?? 'nothing'}, found ${found ?? 'nothing'}`)}`,
    `  what to do: ${remedy}`,
  ]);
  return [
    ...drifted,
    ...renderProblems(problems, ink),
    ...renderNotes(notes, ink),
    ...(pending.length === 0 ? [] : [`${ink.warn(`${pending.length} steps are pending`)}; \`safekeep plan\` shows them.`]),
    ok ? ink.good(`No drift: ${applied} objects stand as they were applied.`) : ink.bad(`${drift.length} difference(s).`),
  ].join('\n');
}

function renderUnapplied({ before, steps, restored, changedSince, seconds }: Frozen<UnapplyText>, ink: Ink): string {
  const proof = restored
    ? ink.good('Your schemas are as before the first apply.')
    : 'All that Safekeep touched is as before the first apply. You changed since:';
  const taken = `Taken out in ${steps.length} steps, ${seconds.toFixed(2)} s.`;
  return [...before, taken, proof, ...changedSince.map((each) => `  ${each}`)].join('\n');
}

function renderProblems(problems: Frozen<PlanText>['problems'], ink: Ink): readonly string[] {
  return problems.map(({ target, reason }) => `${ink.bad('problem')} ${target}: ${reason}`);
}

function renderNotes(notes: Frozen<PlanText>['notes'], ink: Ink): readonly string[] {
  return notes.map(({ target, text }) => `${ink.warn('note')} ${target}: ${text}`);
}
