import type { MainJob, Step, StepReport } from './step.ts';
import { checkHealth, migrateSchema, importSource, reachServer } from './steps.ts';

/** The main job as far as it exists; a capability that works adds its step here. */
const steps: readonly Step[] = [reachServer, migrateSchema, importSource, checkHealth];

/** Runs every step, telling each as it ends. Stops between steps when the person interrupts; done steps stand. */
export async function runMainJob(job: MainJob, tell: (report: StepReport) => void): Promise<readonly StepReport[]> {
  const reports: StepReport[] = [];
  for (const step of steps) {
    job.context.signal.throwIfAborted();
    const startedMs = job.context.clock.elapsedMs();
    const detail = await step.run(job);
    const report = { name: step.name, detail, seconds: Math.round(job.context.clock.elapsedMs() - startedMs) / 1_000 };
    reports.push(report);
    tell(report);
  }
  return reports;
}
