import { Type } from '@safekeep/core/schema';

/** The levels of the log; were one missing, the lines of the log would not fit in here. */
const level = Type.Union(
  [
    Type.Literal('trace'),
    Type.Literal('debug'),
    Type.Literal('info'),
    Type.Literal('warn'),
    Type.Literal('error'),
    Type.Literal('fatal'),
  ],
  { description: 'only events at least this severe' },
);

/** A line as `--json` prints it: what every line has, and the fields of its event beside it. */
const Line = Type.Object(
  { time: Type.String(), level, event: Type.String(), component: Type.String(), pid: Type.Integer() },
  { additionalProperties: true },
);

/** Beyond this many lines a program is the better reader: the files are NDJSON. */
const MOST_LINES = 10_000;

export const TailInput = Type.Object({
  follow: Type.Optional(Type.Boolean({ description: 'go on with what is written from now on, until interrupted' })),
  id: Type.Optional(Type.String({ description: 'only lines of this request, job or run', minLength: 1 })),
  kind: Type.Optional(Type.String({ description: 'only this event, e.g. job-finished', minLength: 1 })),
  level: Type.Optional(level),
  component: Type.Optional(Type.String({ description: 'only this part of Safekeep: cli, api, worker', minLength: 1 })),
  since: Type.Optional(
    Type.String({ description: 'only lines since this time (2026-03-01T10:00:00Z) or for this long (90s, 15m, 2h, 7d)' }),
  ),
  lines: Type.Integer({ description: 'how many of the last lines', default: 50, minimum: 0, maximum: MOST_LINES }),
});

export const TailResult = Type.Object({
  lines: Type.Array(Line),
  /** Lines in the files that are none of ours: torn by a crash or a full disk, or written by somebody else. */
  malformed: Type.Integer(),
});
