/** For how long a process believes what it was told of fields and keys. Who changes them waits as long. */
export const LEASE_MS = 60_000;
