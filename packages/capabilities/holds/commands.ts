import { userInfo } from 'node:os';
import { Type } from '@safekeep/core/schema';
import { dayOf, parseDay, isSafekeepError, parseId, SafekeepError, type Subject } from '@safekeep/core';
import { loadMap } from '@safekeep/capabilities/datamap';
import { command, type Command, type CommandContext, type Frozen, type Ink } from '../capability.ts';
import { holdHistory, listHolds } from './actions/list-holds.ts';
import { ownName } from './actions/own-key.ts';
import { placeHold } from './actions/place-hold.ts';
import { releaseHold } from './actions/release-hold.ts';
import { reviewHold } from './actions/review-hold.ts';
import { HoldHistory, HoldPage, HoldText, type Hold, type HoldId, type Period } from './model.ts';
import { holdText } from './rules/hold.ts';
import { parseTarget } from './rules/target.ts';

const PAGE = 100;
const PAGE_AT_MOST = 1000;

const hold = { key: 'hold', label: 'ID', description: 'as `hold list` shows it' };
const Hold = Type.String({ minLength: 1 });
const Reason = Type.String({ minLength: 1, maxLength: 2000, description: 'why, for those who look at it later' });
const Person = Type.Optional(
  Type.String({ minLength: 1, maxLength: 200, description: 'who decides; the user of this system unless said otherwise' }),
);

const place = command({
  name: 'hold place',
  summary: 'keep a person, a row or the rows that a condition finds from being destroyed',
  positionals: [{ key: 'target', label: 'TARGET', description: 'patient:42, public.invoices:17, or a table with --query' }],
  input: Type.Object({
    target: Type.String({ minLength: 1 }),
    reason: Reason,
    owner: Type.String({ minLength: 1, maxLength: 200, description: 'the person or role that answers for it' }),
    reviewBy: Type.String({ description: 'the day on which it is looked at again (YYYY-MM-DD)' }),
    query: Type.Optional(Type.String({ description: "which rows of the table: status = 'open' and amount >= 100" })),
    from: Type.Optional(Type.String({ description: 'the matter is about the time since this day (YYYY-MM-DD)' })),
    until: Type.Optional(Type.String({ description: 'and up to this day' })),
    by: Person,
  }),
  output: HoldText,
  example: 'safekeep hold place patient:42 --reason "claim 7 C 12/26" --owner legal --review-by 2027-06-30',
  event: { kind: 'retention' },
  run: async (context, { target, reason, owner, reviewBy, query, from, until, by }) => {
    const database = await context.database();
    const subjects = await subjectsOf(context);
    const placed = await placeHold(
      database,
      { tenant: context.tenant, clock: context.clock, subjects },
      {
        target: parseTarget(target, query, [...subjects.keys()]),
        reason,
        owner,
        reviewBy,
        by: by ?? userInfo().username,
        concerns: periodOf(from, until),
      },
    );
    return { result: textOf(placed, context) };
  },
  render: (placed, ink) =>
    `${ink.good('Held')}: ${describe(placed, ink)}\n${placed.rows} row(s) were found and stay held whatever becomes of their values.`,
});

const release = command({
  name: 'hold release',
  summary: 'end a hold; what it had stopped is queued again',
  positionals: [hold],
  input: Type.Object({ hold: Hold, reason: Reason, by: Person }),
  output: HoldText,
  example: 'safekeep hold release 01994b0e-7c4a-7000-8000-5f2f6d8b9c10 --reason "settled on 3 May"',
  event: { kind: 'retention' },
  run: async (context, input) => {
    const released = await releaseHold(await context.database(), context, {
      id: idOf(input.hold),
      reason: input.reason,
      by: input.by ?? userInfo().username,
    });
    return { result: textOf(released, context) };
  },
  render: (released, ink) => `Released: ${describe(released, ink)}`,
});

const review = command({
  name: 'hold review',
  summary: 'note that a hold was looked at and stays, until the next review',
  positionals: [hold],
  input: Type.Object({
    hold: Hold,
    reason: Reason,
    reviewBy: Type.String({ description: 'the day of the next review (YYYY-MM-DD)' }),
    by: Person,
  }),
  output: HoldText,
  example: 'safekeep hold review 01994b0e-7c4a-7000-8000-5f2f6d8b9c10 --reason "appeal pending" --review-by 2027-12-31',
  event: { kind: 'retention' },
  run: async (context, input) => {
    const { reason, reviewBy } = input;
    const reviewed = await reviewHold(await context.database(), context, {
      id: idOf(input.hold),
      reason,
      reviewBy,
      by: input.by ?? userInfo().username,
    });
    return { result: textOf(reviewed, context) };
  },
  render: (reviewed, ink) => `Reviewed: ${describe(reviewed, ink)}`,
});

const list = command({
  name: 'hold list',
  summary: 'list the holds that stand, newest first',
  input: Type.Object({
    overdue: Type.Optional(Type.Boolean({ description: 'only those whose review is late' })),
    subject: Type.Optional(Type.String({ description: 'only those on this person: patient:42' })),
    all: Type.Optional(Type.Boolean({ description: 'released ones too' })),
    limit: Type.Integer({ default: PAGE, minimum: 1, maximum: PAGE_AT_MOST, description: 'holds at most' }),
    cursor: Type.Optional(Type.String({ description: 'where the page before ended' })),
  }),
  output: HoldPage,
  example: 'safekeep hold list --overdue',
  run: async (context, { overdue = false, subject, all = false, limit, cursor }) => ({
    result: await listHolds(await context.database(), context, {
      overdue,
      all,
      limit,
      ...(subject === undefined ? {} : { subject: await nameOfPerson(context, subject) }),
      ...(cursor === undefined ? {} : { after: idOf(cursor) }),
    }),
  }),
  render: ({ holds, next }, ink) =>
    holds.length === 0
      ? 'There are no such holds.'
      : [...holds.map((each) => describe(each, ink)), ...(next === null ? [] : [ink.dim(`more with --cursor ${next}`)])].join('\n'),
});

const history = command({
  name: 'hold history',
  summary: 'show everything that was decided on a hold',
  positionals: [hold],
  input: Type.Object({ hold: Hold }),
  output: HoldHistory,
  example: 'safekeep hold history 01994b0e-7c4a-7000-8000-5f2f6d8b9c10',
  run: async (context, input) => ({ result: await holdHistory(await context.database(), context, idOf(input.hold)) }),
  render: ({ hold: shown, events }, ink) =>
    [
      describe(shown, ink),
      ...events.map(
        ({ at, event, by, reason, reviewBy }) =>
          `  ${at}  ${event} by ${by}: ${reason}${reviewBy === null ? '' : ink.dim(` (review by ${reviewBy})`)}`,
      ),
    ].join('\n'),
});

export const holdCommands: readonly Command[] = [place, release, review, list, history];

/** A person as holds and the log name them, whatever way the key is typed. */
export async function nameOfPerson(context: CommandContext, name: string): Promise<string> {
  return await ownName(await context.database(), context.tenant, { subjects: await subjectsOf(context), name });
}

/** Without a map there are no subjects, and rows can be held all the same. */
async function subjectsOf(context: CommandContext): Promise<ReadonlyMap<string, Subject>> {
  try {
    return (await loadMap(context.mapFile)).map.subjects;
  } catch (error) {
    if (isSafekeepError(error, 'map-missing')) return new Map();
    throw error;
  }
}

function periodOf(from: string | undefined, until: string | undefined): Period {
  const [first, last] = [dayIn(from), dayIn(until)];
  // Up to and including that day.
  return { from: first, until: last === null ? null : new Date(last.getTime() + 86_400_000) };
}

function dayIn(text: string | undefined): Date | null {
  if (text === undefined) return null;
  const day = parseDay(text);
  if (day === undefined) throw new SafekeepError('hold-dates-unfit', { reason: '--from and --until are days (YYYY-MM-DD)' });
  return day;
}

function idOf(text: string): HoldId {
  const id = parseId<'hold'>(text);
  if (id === undefined)
    throw new SafekeepError('usage', { problem: 'The id of a hold is a UUID, as `safekeep hold list` shows it.' });
  return id;
}

function textOf(placed: Hold, { clock }: CommandContext): HoldText {
  return holdText(placed, dayOf(clock.now()));
}

function describe({ id, target, query, state, overdue, owner, reviewBy, reason }: Frozen<HoldText>, ink: Ink): string {
  const shown = overdue ? ink.bad('overdue') : state === 'standing' ? ink.warn(state) : ink.dim(state);
  return `${ink.dim(id)}  ${shown}  ${ink.strong(target)}${query === null ? '' : ` where ${query}`}  ${owner}, review by ${reviewBy}  ${reason}`;
}
