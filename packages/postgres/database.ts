import type pg from 'pg';

/** A pool of connections to one PostgreSQL. */
export type Database = {
  /** One connection of the pool for the length of `run`; destroyed instead of returned if `run` throws. */
  readonly withClient: <Result>(run: (client: pg.PoolClient) => Promise<Result>) => Promise<Result>;
  readonly server: ServerFacts;
  readonly close: () => Promise<void>;
};

/** What was learnt when the connection was first made. No password. */
export type ServerFacts = {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** `server_version_num`, e.g. 180004. */
  readonly versionNumber: number;
  /** e.g. `18.4`. */
  readonly version: string;
  readonly embedded: boolean;
};
