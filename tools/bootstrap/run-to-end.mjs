import { spawn } from 'node:child_process';
import process from 'node:process';

import { cameFromTerminal, onSignals } from './signals.mjs';

/**
 * Runs a program in our place: same input and output, signals passed on to it, and we end the way it ended.
 * `false` when the program cannot run on this machine.
 */
export async function runToEnd(command, args, options) {
  const child = spawn(command, args, { ...options, stdio: 'inherit' });
  // Twice the same signal means "at once" to many programs, so one the child has had is not passed on.
  const restoreSignals = onSignals((signal) => cameFromTerminal(signal) || child.kill(signal));
  const ended = await new Promise((resolve, reject) => {
    child.on('error', (error) => (NOT_RUNNABLE.has(error.code) ? resolve(undefined) : reject(error)));
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  restoreSignals();
  if (ended === undefined) return false;
  // Dying of the same signal is the only way to tell our caller the truth about how it ended.
  if (ended.signal !== null) process.kill(process.pid, ended.signal);
  else process.exitCode = ended.code;
  return true;
}

/** Missing, made for another machine or C library, or not executable. */
const NOT_RUNNABLE = new Set(['ENOENT', 'ENOEXEC', 'EACCES']);
