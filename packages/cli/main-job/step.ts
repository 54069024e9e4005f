import Type, { type Static } from 'typebox';
import type { CommandContext } from '@safekeep/capabilities/capability';

/** One step of the main job as its report shows it. */
export const StepReport = Type.Object({
  name: Type.String(),
  /** One line: what was found, done or proven. Counts and file names, never a personal value. */
  detail: Type.String(),
  seconds: Type.Number(),
});

export type StepReport = Static<typeof StepReport>;

/** What the person asked for, and what the steps hand on to each other. */
export type MainJob = {
  readonly context: CommandContext;
  /** The person's own SQLite file; without it the sample practice is generated. */
  readonly sqliteFile: string | undefined;
};

/** A step of the main job: does its part and says in one line what came of it. */
export type Step = {
  readonly name: string;
  readonly run: (job: MainJob) => Promise<string>;
};
