import { once } from 'node:events';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { CopyBuffer } from '../encode/copy-buffer.ts';

// Beyond 256 kB a larger buffer gained nothing on a local socket; two of them overlap encoding with sending.
const BUFFER_BYTES = 262_144;
const SIGNATURE = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
const TRAILER = -1;

/** A running `COPY … FROM STDIN (FORMAT binary)`: fill `buffer`, and call `makeRoom` before what may not fit. */
export class CopyIn {
  buffer = new CopyBuffer(BUFFER_BYTES);
  #spare = new CopyBuffer(BUFFER_BYTES);
  #sent: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  readonly #client: pg.ClientBase;
  readonly #noteFailure = (error: Error): void => {
    this.#failure ??= error;
  };
  readonly #stream: NodeJS.WritableStream & { readonly rowCount: number };

  constructor(client: pg.ClientBase, copySql: string) {
    const stream = client.query(copyFrom(copySql));
    // A connection that is cut shows on the stream, on the client, or on both; whichever comes first is told by the next call.
    client.on('error', this.#noteFailure);
    stream.on('error', this.#noteFailure);
    this.#client = client;
    this.#stream = stream;
    this.buffer.copy(SIGNATURE, 0, SIGNATURE.length);
  }

  /** Whether `bytes` more may be appended without `makeRoom`. */
  hasRoom(bytes: number): boolean {
    return this.buffer.room >= bytes;
  }

  /** Sends what stands in the buffer, waits only while the one before it is still on its way. */
  async makeRoom(bytes: number): Promise<void> {
    await this.#sent;
    if (this.#failure !== undefined) throw this.#failure;
    const full = this.buffer;
    this.buffer = this.#spare.bytes.length >= bytes ? this.#spare : new CopyBuffer(bytes);
    this.buffer.at = 0;
    this.#spare = full;
    this.#sent = this.#send(full.bytes.subarray(0, full.at));
  }

  /** Ends the COPY and returns how many rows the server took. */
  async finish(): Promise<number> {
    if (!this.hasRoom(2)) await this.makeRoom(2);
    this.buffer.int16(TRAILER);
    await this.makeRoom(0);
    await this.#sent;
    if (this.#failure !== undefined) throw this.#failure;
    const finished = once(this.#stream, 'finish');
    this.#stream.end();
    await finished;
    this.#client.removeListener('error', this.#noteFailure);
    return this.#stream.rowCount;
  }

  async #send(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    await new Promise<void>((resolve, reject) => {
      const failed = (error: Error): void => reject(error);
      this.#stream.once('error', failed);
      this.#stream.write(bytes, (error) => {
        this.#stream.removeListener('error', failed);
        if (error) reject(error);
        else resolve();
      });
    }).catch((error: unknown) => {
      // Kept for the next call: nobody may be waiting for this buffer at the moment.
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    });
  }
}
