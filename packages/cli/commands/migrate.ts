import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import { command, type Frozen, type Ink } from '@safekeep/capabilities/capability';
import { prepareJobs } from '@safekeep/capabilities/jobs';
import { migrateDown, migrateUp, migrationStatus } from '@safekeep/postgres';

const Entry = Type.Object({
  version: Type.String(),
  name: Type.String(),
  direction: Type.Union([Type.Literal('up'), Type.Literal('down')]),
  at: Type.String({ description: 'ISO 8601, UTC' }),
  sha256: Type.String({ description: 'of the up file, hex' }),
});

const Status = Type.Object({
  current: Type.String({ description: 'the newest version that stands; 0000 before the first' }),
  pending: Type.Array(Type.String()),
  functions: Type.Array(Type.String(), { description: 'functions of the schema that are not those of this Safekeep' }),
  history: Type.Array(Entry),
});

const version = { key: 'version', label: 'VERSION', description: 'as 2 or 0002; 0 is before the first' };
const OptionalVersion = Type.Object({ version: Type.Optional(Type.String()) });

export const migrate = [
  command({
    name: 'migrate up',
    summary: "bring Safekeep's own schema to the newest version, or to VERSION",
    positionals: [{ ...version, optional: true }],
    input: OptionalVersion,
    output: Status,
    example: 'safekeep migrate up',
    run: async (context, input) => {
      const database = await context.database({ migrate: false });
      const result = await migrateUp(database, input.version === undefined ? {} : { to: input.version });
      // The queue's own schema, for logins of workers that may not create one.
      if (result.pending.length === 0) await prepareJobs(database);
      return { result };
    },
    render: renderStatus,
  }),
  command({
    name: 'migrate down',
    summary: "take Safekeep's own schema back until VERSION is the newest; an older Safekeep can take back a newer one's",
    positionals: [version],
    input: Type.Object({ version: Type.String() }),
    output: Status,
    example: 'safekeep migrate down 1',
    event: { none: 'it takes back the tables of the log itself; the history of migrations keeps it' },
    run: async (context, input) => {
      const database = await context.database({ migrate: false });
      await context.confirm(`Taking schema safekeep back to ${input.version}`);
      return { result: await migrateDown(database, { to: input.version }) };
    },
    render: renderStatus,
  }),
  command({
    name: 'migrate status',
    summary: "show where Safekeep's own schema stands",
    input: Type.Object({}),
    output: Status,
    example: 'safekeep migrate status --json',
    run: async (context) => ({ result: await migrationStatus(await context.database({ migrate: false })) }),
    render: renderStatus,
  }),
  command({
    name: 'migrate history',
    summary: 'list every step up and down that this database has seen',
    input: Type.Object({}),
    output: Status,
    example: 'safekeep migrate history',
    run: async (context) => ({ result: await migrationStatus(await context.database({ migrate: false })) }),
    render: ({ history }, ink) =>
      history.length === 0
        ? 'No migration has run in this database yet. Bring the schema up with `npx safekeep migrate up`.'
        : history.map((entry) => `${ink.dim(entry.at)}  ${entry.direction.padEnd(4)} ${entry.version} ${entry.name}`).join('\n'),
  }),
];

function renderStatus({ current, pending, functions }: Frozen<Static<typeof Status>>, ink: Ink): string {
  const head = `Schema safekeep stands at ${ink.strong(current)}.`;
  if (pending.length > 0) return `${head} ${ink.warn(`Pending: ${pending.join(', ')}`)}`;
  if (functions.length === 0) return `${head} ${ink.good('Nothing is pending.')}`;
  return [
    `${head} ${ink.warn('These functions are not those of this Safekeep; `npx safekeep migrate up` renews them:')}`,
    ...functions,
  ].join('\n  ');
}
