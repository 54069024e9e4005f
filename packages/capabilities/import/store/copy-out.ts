import type pg from 'pg';
import { collectReceived } from '@safekeep/postgres';

/** Takes in what a COPY … TO STDOUT sends: the bytes of its messages, one message a row, each perhaps in several parts. */
export type CopyOutSink = {
  /** A message of so many bytes begins. */
  begin(bytes: number): void;
  /** Part of the message, from `start` to `end` of a buffer that is not kept. */
  part(buffer: Buffer, start: number, end: number): void;
};

// Message types of the protocol (https://www.postgresql.org/docs/current/protocol-message-formats.html).
const COPY_OUT_RESPONSE = 0x48;
const COPY_DATA = 0x64;
const COPY_DONE = 0x63;
const NOTICE = 0x4e;
const PARAMETER_STATUS = 0x53;
const NOTIFICATION = 0x41;
const PASSED_OVER: ReadonlySet<number> = new Set([COPY_OUT_RESPONSE, NOTICE, PARAMETER_STATUS, NOTIFICATION]);
const HEADER_BYTES = 5;
/** Enough for a collection of under a millisecond to cost nothing beside it. */
const COLLECT_EVERY_BYTES = 8 * 1024 * 1024;

type Reader = (bytes: Buffer) => void;
type Socket = {
  listeners(event: 'data'): Reader[];
  on(event: 'data', reader: Reader): void;
  removeListener(event: 'data', reader: Reader): void;
};
type Connection = { readonly stream: Socket; query(text: string): void };

/** Runs `COPY … TO STDOUT` and gives the sink all it sends. Resolves when the connection is ready for the next query. */
export async function copyOut(client: pg.ClientBase, copySql: string, sink: CopyOutSink): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const query = new CopyOutQuery(copySql, sink, (error) => {
      if (error === undefined) resolve();
      else reject(error instanceof Error ? error : new Error('The copy ended without a reason', { cause: error }));
    });
    // What node-postgres asks of a Submittable is documented as `submit(connection)`; its types want the whole Connection class.
    client.query(query as unknown as pg.Submittable);
  });
}

/**
 * A `COPY … TO STDOUT` as a query of node-postgres. While the rows flow it reads the socket itself and hands their bytes on
 * where they lie: a million rows as a million small buffers would take longer to make than to decode.
 */
class CopyOutQuery {
  readonly #sql: string;
  readonly #sink: CopyOutSink;
  readonly #settle: (error: unknown) => void;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerFilled = 0;
  #remaining = 0;
  #uncollected = 0;
  #isRow = false;
  #failure: unknown;
  #giveBack: ((rest: Buffer) => void) | undefined;

  constructor(sql: string, sink: CopyOutSink, settle: (error: unknown) => void) {
    this.#sql = sql;
    this.#sink = sink;
    this.#settle = settle;
  }

  /** Called by node-postgres when the connection is this query's. */
  submit(connection: Connection): void {
    const { stream } = connection;
    const [original] = stream.listeners('data');
    if (original === undefined) throw new Error('The connection of node-postgres has no reader');
    const reader: Reader = (bytes) => this.#receive(bytes);
    stream.removeListener('data', original);
    stream.on('data', reader);
    this.#giveBack = (rest) => {
      stream.removeListener('data', reader);
      stream.on('data', original);
      this.#giveBack = undefined;
      if (rest.length > 0) original(rest);
    };
    connection.query(this.#sql);
  }

  handleError(error: unknown): void {
    this.#giveBack?.(Buffer.alloc(0));
    this.#settle(this.#failure ?? error);
  }

  handleReadyForQuery(): void {
    this.#settle(this.#failure);
  }

  handleCommandComplete(): void {
    // How many rows there were is counted from the rows themselves.
  }

  #receive(bytes: Buffer): void {
    this.#uncollected += bytes.length;
    if (this.#uncollected >= COLLECT_EVERY_BYTES) {
      this.#uncollected = 0;
      collectReceived();
    }
    let at = 0;
    while (at < bytes.length) {
      if (this.#remaining > 0) {
        const end = Math.min(bytes.length, at + this.#remaining);
        if (this.#isRow) this.#toSink(() => this.#sink.part(bytes, at, end));
        this.#remaining -= end - at;
        at = end;
        continue;
      }
      const taken = bytes.copy(
        this.#header,
        this.#headerFilled,
        at,
        Math.min(bytes.length, at + HEADER_BYTES - this.#headerFilled),
      );
      at += taken;
      this.#headerFilled += taken;
      if (this.#headerFilled < HEADER_BYTES) return;
      this.#headerFilled = 0;
      if (!this.#beginMessage(this.#header.readUInt8(0), this.#header.readUInt32BE(1) - 4, bytes.subarray(at))) return;
    }
  }

  /** False where the message is not part of the COPY: everything from it on belongs to node-postgres again. */
  #beginMessage(type: number, length: number, rest: Buffer): boolean {
    if (type === COPY_DATA || PASSED_OVER.has(type)) {
      this.#isRow = type === COPY_DATA;
      this.#remaining = length;
      if (this.#isRow) this.#toSink(() => this.#sink.begin(length));
      return true;
    }
    this.#giveBack?.(type === COPY_DONE ? Buffer.from(rest) : Buffer.concat([this.#header, rest]));
    return false;
  }

  /** A failure of the sink is told when the COPY has run out: the connection stays in step with the server. */
  #toSink(give: () => void): void {
    if (this.#failure !== undefined) return;
    try {
      give();
    } catch (error) {
      this.#failure = error;
    }
  }
}
