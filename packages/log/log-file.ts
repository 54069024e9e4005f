import { Buffer } from 'node:buffer';
import { closeSync, constants, fchmodSync, fstatSync, linkSync, mkdirSync, openSync, statSync, writeSync } from 'node:fs';
import type { Clock } from '@safekeep/core';
import { currentFile } from './files.ts';
import { rotate, type RotationLimits } from './rotation.ts';

// How lines reach the file.
//
// Lines are collected and written at the end of the current turn of the event loop, or as soon as BATCH_CHARS are together,
// or at once for an error. So `kill -9` loses at most what was logged in the turn it interrupts, and never more than
// BATCH_CHARS; an ordinary end, process.exit() and an uncaught exception lose nothing. Only a power cut can lose more: the
// system's cache is not forced to disk, a log is not worth an fsync a line.
//
// All processes of a home append to one file. A batch holds whole lines and is one write(2) on a descriptor opened with
// O_APPEND, which local file systems carry out as one step (open(2)): lines of two processes never mix. (NFS does not
// promise that; a home belongs on a local disk.) Whoever finds the file full renames it under a lock; everybody else notices
// before the next batch that the name leads to another file. A batch on its way at that moment ends up in the renamed file.
//
// pino's own destination is not used: on a full disk its flushSync() tries again for ever, and its file is not shared.

const BATCH_CHARS = 16 * 1024;
const TELL_EVERY_MS = 60_000;
const LINE_END = 0x0a;
const STDERR = 2;

export type LogFileOptions = RotationLimits & {
  readonly directory: string;
  readonly clock: Clock;
  /** The line that says how many were lost, and why. */
  readonly lossLine: (count: number, reason: string) => string;
  /** Where a second name of each file is made, under this prefix; for the test run, which outlives the homes of its tests. */
  readonly keepAs?: string | undefined;
};

/** The file as this process has it open. */
type Opened = { readonly fd: number; readonly identity: string };

const openFiles = new Set<LogFile>();

/** Appends lines to the log of a home. No method ever throws: what cannot be written is counted and told. */
export class LogFile {
  readonly #options: LogFileOptions;
  readonly #path: string;
  #opened: Opened | undefined;
  #pending = '';
  #pendingLines = 0;
  #scheduled: NodeJS.Immediate | undefined;
  #closed = false;
  #dropped = 0;
  /** Lost lines that the log does not yet tell of, and what stood in the way. */
  #untold = { lines: 0, reason: '' };
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#path = currentFile(options.directory);
    if (openFiles.size === 0) process.on('exit', flushAll);
    openFiles.add(this);
  }

  /** Lines that were lost since the beginning. */
  get dropped(): number {
    return this.#dropped;
  }

  append(line: string): void {
    if (this.#closed) {
      this.lose(1, 'closed');
      return;
    }
    this.#pending += line;
    this.#pendingLines += 1;
    if (this.#pending.length >= BATCH_CHARS) this.flush();
    else this.#scheduled ??= setImmediate(() => this.flush());
  }

  /** Writes what is pending, and what there is to tell about lines lost before. */
  flush(): void {
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    const [batch, lines] = [this.#pending, this.#pendingLines];
    this.#pending = '';
    this.#pendingLines = 0;
    if (this.#closed || (batch === '' && this.#untold.lines === 0)) return;
    this.#write(batch, lines);
  }

  /** Counts lines that will never be written. */
  lose(lines: number, reason: string): void {
    this.#dropped += lines;
    this.#untold = { lines: this.#untold.lines + lines, reason };
  }

  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    openFiles.delete(this);
    if (openFiles.size === 0) process.off('exit', flushAll);
    this.#release();
  }

  #write(batch: string, lines: number): void {
    const { lines: untold, reason } = this.#untold;
    // A line of its own: the loss may have begun in the middle of one.
    const telling = untold > 0 ? `\n${this.#options.lossLine(untold, reason)}` : '';
    try {
      const bytes = Buffer.from(telling + batch, 'utf8');
      const written = writeSync(this.#ready(bytes.length), bytes);
      // A full disk may take a part. A line torn by it is lost: its second half would stand behind another process's line.
      const missing = countLines(bytes.subarray(bytes.subarray(0, written).lastIndexOf(LINE_END) + 1));
      // The telling goes first: if anything got through, it did.
      if (missing <= lines) this.#untold = { lines: 0, reason: '' };
      if (missing > 0) this.#fail(Math.min(missing, lines), 'short-write');
    } catch (error) {
      this.#fail(lines, error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown');
    }
  }

  #fail(lines: number, reason: string): void {
    this.lose(lines, reason);
    this.#tell(
      `safekeep: the log ${this.#path} cannot be written (${reason}). The work goes on; lines that are lost are counted.\n`,
    );
    // Whatever is wrong with the descriptor, the next batch starts with a fresh one.
    this.#release();
  }

  /** One line on stderr, not more often than once a minute however long the fault lasts. */
  #tell(line: string): void {
    const nowMs = this.#options.clock.elapsedMs();
    if (nowMs - this.#toldAtMs < TELL_EVERY_MS) return;
    this.#toldAtMs = nowMs;
    try {
      writeSync(STDERR, line);
    } catch {
      // Nobody listens on stderr either. The count remains.
    }
  }

  /** The descriptor of the file that the name leads to now, with room for so many bytes. */
  #ready(incomingBytes: number): number {
    const { maxFileBytes } = this.#options;
    const { fd } = this.#current();
    const { size } = fstatSync(fd);
    if (size === 0 || size + incomingBytes <= maxFileBytes) return fd;
    this.#rotate(incomingBytes);
    return this.#current().fd;
  }

  #rotate(incomingBytes: number): void {
    try {
      rotate(this.#options.directory, this.#options, incomingBytes);
    } catch (error) {
      // A log that is too long is better than none.
      const reason = error instanceof Error ? error.message : 'unknown';
      this.#tell(`safekeep: the log ${this.#path} cannot be rotated (${reason}). It grows beyond its limit.\n`);
    }
  }

  #current(): Opened {
    const found = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    if (this.#opened !== undefined && found !== undefined && identityOf(found) === this.#opened.identity) return this.#opened;
    this.#release();
    this.#opened = this.#open();
    return this.#opened;
  }

  #open(): Opened {
    mkdirSync(this.#options.directory, { recursive: true, mode: 0o700 });
    const fd = openSync(this.#path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
    try {
      const stat = fstatSync(fd, { bigint: true });
      const identity = identityOf(stat);
      if (stat.isFile()) {
        // Whatever the umask was of whoever made it.
        fchmodSync(fd, 0o600);
        this.#keep(identity);
      }
      return { fd, identity };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  #keep(identity: string): void {
    if (this.#options.keepAs === undefined) return;
    const second = `${this.#options.keepAs}-${identity}.log`;
    if (statSync(second, { throwIfNoEntry: false }) === undefined) linkOnce(this.#path, second);
  }

  #release(): void {
    const fd = this.#opened?.fd;
    this.#opened = undefined;
    if (fd === undefined) return;
    try {
      closeSync(fd);
    } catch {
      // The last write's own result was looked at; there is nothing left to lose.
    }
  }
}

function flushAll(): void {
  for (const file of openFiles) file.flush();
}

function identityOf({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${dev}-${ino}`;
}

/** Another process of the same home may have been quicker: with the link, or in setting the file aside, and then it linked it. */
function linkOnce(path: string, second: string): void {
  try {
    linkSync(path, second);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'EEXIST' || error.code === 'ENOENT'))) throw error;
  }
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(LINE_END); at !== -1; at = bytes.indexOf(LINE_END, at + 1)) lines += 1;
  return lines;
}
