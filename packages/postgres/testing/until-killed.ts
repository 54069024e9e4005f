import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';

/** Runs a program of ours and kills it -9, so long after its first word. Answers the lines that it told whole. */
export async function untilKilled(args: readonly string[], afterMs: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (told += text));
  const ended = once(child, 'close');
  // From its first work on; starting the process is not what is tested.
  await Promise.race([once(child.stdout, 'data'), ended]);
  await Promise.race([wait(afterMs), ended]);
  child.kill('SIGKILL');
  await ended;
  assert.notEqual(child.exitCode, 1, 'it did not fail by itself');
  return told.slice(0, told.lastIndexOf('\n') + 1).split('\n');
}
