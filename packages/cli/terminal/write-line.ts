import type { Writable } from 'node:stream';

const ENDS = ['drain', 'close', 'error'] as const;

/** Writes a line, and waits until the reader has taken enough for the next one or has gone away, which ends the wait too. */
export async function writeLine(out: Writable, line: string): Promise<void> {
  if (out.write(`${line}\n`) || out.destroyed) return;
  await new Promise<void>((done) => {
    const end = (): void => {
      for (const event of ENDS) out.off(event, end);
      done();
    };
    for (const event of ENDS) out.once(event, end);
  });
}
