import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import type { CommandContext } from '@safekeep/capabilities/capability';
import type { Perform } from './perform.ts';

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
  readonly perform: Perform;
  /** The person's own SQLite file; without it the sample practice is generated. */
  readonly sqliteFile: string | undefined;
  /** Whom to erase, named by the person (`patient:42`). Of the sample practice somebody is erased unasked. */
  readonly erase: string | undefined;
  /** Whose data the home is for. */
  readonly source: string;
  /** Nothing here is anybody's: the generated practice in a home of its own. */
  readonly isSample: boolean;
  /** Where what was made lies, by what it is; shown at the end. */
  readonly files: Map<string, string>;
};

/** A step of the main job: does its part and says in one line what came of it. */
export type Step = {
  readonly name: string;
  readonly run: (job: MainJob) => Promise<string>;
};
