/**
 * For how long a process may believe what it was told of encrypted columns and their keys. No notice passes a transaction pooler, so each
 * asks again; and whoever changes a column or destroys a key waits for as long. A client that believed longer would write values that
 * nobody opens any more.
 */
export const LEASE_MS = 60_000;
