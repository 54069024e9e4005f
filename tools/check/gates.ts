import { spawn } from 'node:child_process';
import path from 'node:path';

/** A static check of the whole repository, run as a program of its own from its root. */
export type Gate = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
};

const installed = (program: string): string => path.join('node_modules', '.bin', program);

export const gates: readonly Gate[] = [
  { name: 'types', command: installed('tsc'), args: ['-p', '.'] },
  { name: 'lint', command: installed('oxlint'), args: ['--type-aware', '--deny-warnings', '--report-unused-disable-directives'] },
  { name: 'format', command: installed('oxfmt'), args: ['--check', '.'] },
  { name: 'unused', command: process.execPath, args: ['node_modules/knip/bin/knip.js', '--no-config-hints'] },
  { name: 'tidy', command: process.execPath, args: ['tools/tidy/main.ts'] },
  { name: 'docs', command: process.execPath, args: ['tools/docs.ts', '--check'] },
];

export type Verdict = { readonly ok: boolean; readonly output: string; readonly durationMs: number };

export async function runGate({ command, args }: Gate, root: string): Promise<Verdict> {
  const startedMs = performance.now();
  const child = spawn(command, args, { cwd: root, env: { ...process.env, NO_COLOR: '1' }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const ok = await new Promise<boolean>((resolve) => {
    child.on('error', (error) => {
      output += `${command} cannot be run: ${error.message}`;
      resolve(false);
    });
    child.on('close', (code) => resolve(code === 0));
  });
  return { ok, output, durationMs: performance.now() - startedMs };
}
