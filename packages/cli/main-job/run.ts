import type { MainJob, Step, StepReport } from './step.ts';
import { answerAccess, answerErasure, workAsApplication } from './answer.ts';
import { flagsFor } from './place.ts';
import { checkHealth, importSource, migrateSchema, reachServer } from './prepare.ts';
import { checkMap, encryptSensitive, findPersonalData, planAndApply } from './protect.ts';
import { verifyCertificate, verifyLog } from './prove.ts';

/** From a database to proven protection. Done steps are found done when it is run again. */
const steps: readonly Step[] = [
  reachServer,
  migrateSchema,
  importSource,
  findPersonalData,
  checkMap,
  planAndApply,
  encryptSensitive,
  workAsApplication,
  answerAccess,
  answerErasure,
  verifyCertificate,
  verifyLog,
  checkHealth,
];

/** Runs every step, telling each as it ends. Stops between steps when the person interrupts; done steps stand. */
export async function runMainJob(job: MainJob, tell: (report: StepReport) => void): Promise<readonly StepReport[]> {
  const reports: StepReport[] = [];
  for (const step of steps) {
    job.context.signal.throwIfAborted();
    const startedMs = job.context.clock.elapsedMs();
    const detail = withFlags(await step.run(job), flagsFor(job.context));
    const report = { name: step.name, detail, seconds: Math.round(job.context.clock.elapsedMs() - startedMs) / 1_000 };
    reports.push(report);
    tell(report);
  }
  return reports;
}

/** A command that is told is one that can be typed: with the home and the map that it is about. */
function withFlags(detail: string, flags: string): string {
  return flags === '' ? detail : detail.replaceAll(/`(npx safekeep [^`]+)`/g, (_all, command: string) => `\`${command}${flags}\``);
}
