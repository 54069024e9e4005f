import { open } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import { codeOf, formatTableName, parseDay, parseTableName, SafekeepError } from '@safekeep/core';
import { command, type Command, type CommandContext, type Frozen, type Ink } from '../../capability.ts';
import { nameOfPerson } from '../../holds/index.ts';
import { recordEvent } from '../actions/record-event.ts';
import { withAuditKeys } from '../keys/audit-keys.ts';
import { accessLog, recordHistory, searchEvents, type Page } from '../questions/answer.ts';
import { exportEvents } from '../questions/export-events.ts';
import type { ExportFormat } from '../questions/formats.ts';
import { namingOf } from '../questions/naming.ts';
import { EventPage, type EventFilter, type EventView, type Place } from '../questions/model.ts';
import { ComplianceReport, complianceReport, reportMarkdown } from '../questions/report.ts';
import { parsePlace } from '../questions/view.ts';
import { bringUpToDate, type SequenceFirst } from './up-to-date.ts';

const PAGE = 100;
const PAGE_AT_MOST = 10_000;

const Text = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 2000, description }));
const kind = Type.Optional(
  Type.Union(
    [
      Type.Literal('change'),
      Type.Literal('access'),
      Type.Literal('security'),
      Type.Literal('compliance'),
      Type.Literal('retention'),
    ],
    { description: 'only events of this kind' },
  ),
);
const from = Text('only from this time on (2026-03-01 or 2026-03-01T10:00:00Z)');
const to = Text('only before this time');
const filters = {
  table: Text('only events of this table'),
  record: Text('only of the row with this key'),
  subject: Text('only about this person: patient:42'),
  actor: Text('only by this actor'),
  action: Text('only this action: insert, update, delete, …'),
  kind,
  purpose: Text('only for this purpose'),
  request: Text('only of this request'),
  from,
  to,
  text: Text('only with these words in their readable details, as a web search takes them'),
};
const Filters = Type.Object(filters);
const limit = Type.Integer({ default: PAGE, minimum: 1, maximum: PAGE_AT_MOST, description: 'events at most' });
const cursor = Text('where the page before ended');

/** Before anything is looked at, what waits is moved into the log; see {@link bringUpToDate}. */
export function questionCommands(sequenceFirst: SequenceFirst): readonly Command[] {
  return [search, history, accessLogOf, report].map((asking) => ({
    ...asking,
    run: async (context, input) => {
      await context.database();
      await bringUpToDate(context, sequenceFirst);
      return await asking.run(context, input);
    },
  }));
}

const search = command({
  name: 'audit search',
  summary: 'list events of the log, newest first',
  input: Type.Object({ ...filters, limit, cursor }),
  output: EventPage,
  example: 'safekeep audit search --subject patient:42 --action update --from 2026-01-01',
  run: async (context, input) =>
    tell(
      context,
      await searchEvents(await context.database(), context.tenant, filterOf(await named(context, input)), pageOf(input)),
    ),
  render: renderPage,
});

/** The log names people as the database writes their keys. */
async function named<Input extends { readonly subject?: string }>(context: CommandContext, input: Input): Promise<Input> {
  return input.subject === undefined ? input : { ...input, subject: await nameOfPerson(context, input.subject) };
}

const history = command({
  name: 'audit history',
  summary: 'show all that happened to one row, with the values before and after',
  positionals: [{ key: 'record', label: 'RECORD', description: 'table and key: public.patients:42' }],
  input: Type.Object({ record: Type.String({ minLength: 1, maxLength: 2000 }), from, to, limit, cursor }),
  output: EventPage,
  example: 'safekeep audit history public.patients:42',
  event: { none: 'that the history was opened is written into the log before anything of it is shown' },
  run: async (context, { record, ...input }) => {
    const database = await context.database();
    const row = recordOf(record);
    // Where the log has nothing, nothing is opened: the key of a row that was forgotten must not come into it again by a question.
    const { events: found } = await searchEvents(database, context.tenant, row, { limit: 1 });
    if (found.length === 0) return tell(context, { events: [], next: null });
    // The values of people are opened: that somebody looked is an event itself, and it is there before they see anything.
    await recordEvent(database, context.tenant, {
      kind: 'access',
      action: 'history-opened',
      ...row,
      actor: { name: `login:${userInfo().username}` },
    });
    return await withAuditKeys(context, async ({ subjectKeys: keys }) =>
      tell(context, await recordHistory(database, { tenant: context.tenant, keys }, { ...filterOf(input), ...row }, pageOf(input))),
    );
  },
  render: renderPage,
});

const AccessPage = Type.Object({
  subject: Type.String(),
  events: Type.Array(
    Type.Object({
      index: Type.Integer(),
      id: Type.String(),
      at: Type.String(),
      action: Type.String(),
      actor: Type.Union([Type.String(), Type.Null()]),
      /** A program and not a person. */
      machine: Type.Boolean(),
      sentence: Type.String(),
    }),
  ),
  next: Type.Union([Type.String(), Type.Null()]),
});

const accessLogOf = command({
  name: 'subject access-log',
  summary: 'tell a person who looked at and changed their record, in plain sentences',
  positionals: [{ key: 'subject', label: 'ID', description: 'patient:42' }],
  input: Type.Object({ subject: Type.String({ minLength: 3, maxLength: 2000, pattern: '^[^:]+:.+$' }), from, to, limit, cursor }),
  output: AccessPage,
  example: 'safekeep subject access-log patient:42',
  run: async (context, { subject: typed, ...input }) => {
    const period = periodOf(input);
    const naming = namingOf(context.configuration.accessLogActors, await context.signer());
    const ground = { tenant: context.tenant, naming };
    const subject = await nameOfPerson(context, typed);
    const page = await accessLog(await context.database(), ground, { subject, ...period }, pageOf(input));
    return { result: { subject, ...page } };
  },
  render: ({ subject, events, next }, ink) =>
    events.length === 0
      ? `The log has nothing about ${subject}.`
      : [...events.map(({ sentence }) => sentence), ...more(next, ink)].join('\n'),
});

const report = command({
  name: 'audit report',
  summary: 'count what happened in a period and by whom, where nothing was written, and whether capture was in place',
  input: Type.Object({
    from: Type.String({ description: 'first day or moment' }),
    to: Type.String({ description: 'the first moment that does not belong to it any more' }),
  }),
  output: ComplianceReport,
  example: 'safekeep audit report --from 2026-01-01 --to 2026-04-01',
  run: async (context, input) => {
    const period = periodOf(input);
    if (period.from === undefined || period.to === undefined || period.from >= period.to) {
      throw new SafekeepError('usage', { problem: '--from must be earlier than --to.' });
    }
    const { from: first, to: last } = { from: period.from, to: period.to };
    return {
      result: await complianceReport(await context.database(), context.tenant, { from: first, to: last, now: context.clock.now() }),
    };
  },
  render: (result) => reportMarkdown(result),
});

/** The events that fit, as lines of a format, into a file or to stdout. */
export async function exportTo(
  context: CommandContext,
  {
    format,
    out,
    filter,
    version,
  }: {
    readonly format: ExportFormat;
    readonly out: string | undefined;
    readonly filter: Static<typeof Filters>;
    readonly version: string;
  },
): Promise<number> {
  const database = await context.database();
  const ground = { tenant: context.tenant, version, signal: context.signal };
  const asked = { filter: filterOf(filter), format };
  if (out === undefined) {
    // A pipe is written to at the pace of its reader.
    return await exportEvents(database, ground, asked, (text) => context.stream(text.replace(/\n$/, '')));
  }
  const file = await create(out);
  try {
    const events = await exportEvents(database, ground, asked, async (text) => void (await file.write(text)));
    await file.sync();
    return events;
  } finally {
    await file.close();
  }
}

/** Readable by its owner alone, and never in the place of a file that is there. */
async function create(path: string) {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw new SafekeepError('file-exists', { path }, { cause: error });
    throw new SafekeepError('file-unwritable', { path, reason: codeOf(error) ?? 'unknown' }, { cause: error });
  }
}

export const exportFilters = filters;

/** With `--json` a line for each event, so that a page of any length can be read as it comes. */
async function tell(context: CommandContext, page: Page<EventView>): Promise<{ result: Page<EventView>; streamed?: true }> {
  if (!context.json) return { result: page };
  for (const event of page.events) await context.stream(event);
  if (page.next !== null) context.say(`more with --cursor ${page.next}`);
  return { result: page, streamed: true };
}

function renderPage({ events, next }: Frozen<Static<typeof EventPage>>, ink: Ink): string {
  if (events.length === 0) return 'There are no such events.';
  return [...events.map((event) => line(event, ink)), ...more(next, ink)].join('\n');
}

function line(event: Frozen<Static<typeof EventPage>>['events'][number], ink: Ink): string {
  const { index, at, kind: sort, action, table, record, subject, actor, actorState, columns, changes, erased } = event;
  const place = `${table ?? sort}${record === null ? '' : `:${record}`}`;
  const about = subject === null ? '' : `  about ${subject}`;
  const values = changes?.map(({ column, before, after }) => `\n      ${column}: ${show(before)} -> ${show(after)}`).join('') ?? '';
  const names = columns.length === 0 ? '' : `  (${columns.join(', ')})`;
  return `${String(index).padStart(8)}  ${ink.dim(at)}  ${ink.strong(action)} ${place}${about}  by ${actor ?? 'unknown'} ${ink.dim(`[${actorState}]`)}${names}${erased ? ink.dim('  erased') : ''}${values}`;
}

function show(value: unknown): string {
  return value === undefined ? '' : JSON.stringify(value);
}

function more(next: string | null, ink: Ink): string[] {
  return next === null ? [] : [ink.dim(`more with --cursor ${next}`)];
}

function filterOf({ table, ...input }: Static<typeof Filters>): EventFilter {
  const { from: _from, to: _to, ...rest } = input;
  return { ...rest, ...periodOf(input), ...(table === undefined ? {} : { table: formatTableName(parseTableName(table)) }) };
}

function periodOf(input: { readonly from?: string; readonly to?: string }): { readonly from?: string; readonly to?: string } {
  return {
    ...(input.from === undefined ? {} : { from: momentOf(input.from, '--from') }),
    ...(input.to === undefined ? {} : { to: momentOf(input.to, '--to') }),
  };
}

/** A day begins at midnight UTC. What has no zone is UTC, wherever the machine stands. */
function momentOf(text: string, flag: string): string {
  const isWhole = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?$/.test(text);
  const zoned = /^\d{4}-\d\d-\d\d$|Z$|[+-]\d\d:\d\d$/.test(text) ? text : `${text}Z`;
  const milliseconds = isWhole && parseDay(text.slice(0, 10)) !== undefined ? Date.parse(zoned) : Number.NaN;
  if (Number.isNaN(milliseconds)) {
    throw new SafekeepError('usage', { problem: `${flag} is no time: write 2026-03-01 or 2026-03-01T10:00:00Z.` });
  }
  return new Date(milliseconds).toISOString();
}

function pageOf({ limit: most, cursor: place }: { readonly limit: number; readonly cursor?: string }): {
  limit: number;
  after?: Place;
} {
  if (place === undefined) return { limit: most };
  const after = parsePlace(place);
  if (after === undefined) throw new SafekeepError('usage', { problem: '--cursor is none that a page ended with.' });
  return { limit: most, after };
}

/** `public.patients:42`. The first colon outside of quotes ends the table. */
function recordOf(text: string): { readonly table: string; readonly record: string } {
  const colon = (/^(?:"(?:[^"]|"")*"|[^":])*:/u.exec(text)?.[0].length ?? 0) - 1;
  if (colon < 1 || colon === text.length - 1)
    throw new SafekeepError('usage', { problem: 'A row is written table:key, like public.patients:42.' });
  return { table: formatTableName(parseTableName(text.slice(0, colon))), record: text.slice(colon + 1) };
}
