import type { Rule } from './rule.ts';
import { capabilityCircles } from './rules/capability-circles.ts';
import { capabilityLayers } from './rules/capability-layers.ts';
import { capabilityShape } from './rules/capability-shape.ts';
import { dependenciesExplained } from './rules/dependencies-explained.ts';
import { errorCodes } from './rules/error-codes.ts';
import { fileNames } from './rules/file-names.ts';
import { liveFace } from './rules/live-face.ts';
import { lockFile } from './rules/lock-file.ts';
import { logCalls } from './rules/log-calls.ts';
import { migrationNumbers } from './rules/migration-numbers.ts';
import { noBarrels } from './rules/no-barrels.ts';
import { noConsole } from './rules/no-console.ts';
import { noForeignPlaces } from './rules/no-foreign-places.ts';
import { noUnfinished } from './rules/no-unfinished.ts';
import { packageDirection } from './rules/package-direction.ts';
import { pinnedDependencies } from './rules/pinned-dependencies.ts';
import { publicFace } from './rules/public-face.ts';
import { pureFloors } from './rules/pure-floors.ts';
import { reasonedAssertions } from './rules/reasoned-assertions.ts';
import { requirementsLedger } from './rules/requirements-ledger.ts';
import { sqlPlace } from './rules/sql-place.ts';
import { wholeTests } from './rules/whole-tests.ts';

export const rules: readonly Rule[] = [
  packageDirection,
  publicFace,
  liveFace,
  capabilityLayers,
  capabilityCircles,
  capabilityShape,
  fileNames,
  noBarrels,
  sqlPlace,
  migrationNumbers,
  pureFloors,
  logCalls,
  noConsole,
  reasonedAssertions,
  wholeTests,
  errorCodes,
  noUnfinished,
  noForeignPlaces,
  pinnedDependencies,
  lockFile,
  dependenciesExplained,
  requirementsLedger,
];
