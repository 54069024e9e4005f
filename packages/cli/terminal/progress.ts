import type { Clock } from '@safekeep/core';
import type { Progress } from '@safekeep/capabilities/capability';

const TERMINAL_EVERY_MS = 100;
const LINE_EVERY_MS = 3_000;
const BAR_CELLS = 24;

/** Shows one piece of long work on stderr: a bar that is redrawn on a terminal, else a line every few seconds. */
export function startProgress(
  stream: NodeJS.WriteStream,
  clock: Clock,
  work: { readonly label: string; readonly total?: number | undefined; readonly unit?: string | undefined },
): Progress {
  const startedMs = clock.elapsedMs();
  const everyMs = stream.isTTY ? TERMINAL_EVERY_MS : LINE_EVERY_MS;
  let total = work.total;
  let done = 0;
  // The first line off a terminal comes only after a few seconds: short work stays silent.
  let nextMs = startedMs + (stream.isTTY ? 0 : LINE_EVERY_MS);
  let drawn = false;

  const draw = (): void => {
    const line = progressLine({ ...work, total, done, elapsedMs: clock.elapsedMs() - startedMs });
    stream.write(stream.isTTY ? `\r\u001b[2K${line.slice(0, Math.max(20, stream.columns - 1))}` : `${line}\n`);
    drawn = true;
  };
  return {
    update: (nowDone, nowTotal) => {
      done = nowDone;
      total = nowTotal ?? total;
      if (clock.elapsedMs() < nextMs) return;
      nextMs = clock.elapsedMs() + everyMs;
      draw();
    },
    end: () => {
      if (!drawn) return;
      if (stream.isTTY) stream.write('\r\u001b[2K');
      else draw();
    },
  };
}

/** `bookings [########----------------] 4,000 of 12,000 rows, 51,000/s, 1 s left` */
function progressLine(state: {
  readonly label: string;
  readonly unit?: string | undefined;
  readonly done: number;
  readonly total?: number | undefined;
  readonly elapsedMs: number;
}): string {
  const { label, done, total, elapsedMs } = state;
  const unit = state.unit ?? 'rows';
  const perSecond = elapsedMs > 0 ? (done * 1_000) / elapsedMs : 0;
  const rate = `${count(Math.round(perSecond))}/s`;
  if (total === undefined || total === 0) return `${label} ${count(done)} ${unit}, ${rate}`;
  const cells = Math.round(Math.min(1, done / total) * BAR_CELLS);
  const left = perSecond > 0 ? `, ${duration((Math.max(0, total - done) / perSecond) * 1_000)} left` : '';
  return `${label} [${'#'.repeat(cells)}${'-'.repeat(BAR_CELLS - cells)}] ${count(done)} of ${count(total)} ${unit}, ${rate}${left}`;
}

/** `840 ms`, `4.2 s`, `3 min 20 s` */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

/** `12,000` */
export function count(number: number): string {
  return number.toLocaleString('en-US');
}
