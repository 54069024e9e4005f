import { createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import canonicalize from 'canonicalize';
import { newId, parseId } from '@safekeep/core';
import type { LedgerId } from '../model.ts';

/** The key that marks are made with, and the ledger it belongs to. */
export type LedgerKey = { readonly ledger: LedgerId; readonly key: KeyObject };

const FORMAT = 'safekeep-ledger-key/1';
const KEY_BYTES = 32;
const KEY_TEXT = /^safekeep-ledger-key\/1\n(?<ledger>[0-9a-f-]{36})\n(?<key>[0-9a-f]{64})\n$/;

/** The text of a key file for a new ledger. */
export function newLedgerKey(): string {
  return `${FORMAT}\n${newId<'ledger'>()}\n${randomBytes(KEY_BYTES).toString('hex')}\n`;
}

/** `undefined` where the text is no key. */
export function readLedgerKey(text: string): LedgerKey | undefined {
  const groups = KEY_TEXT.exec(text)?.groups;
  const ledger = parseId<'ledger'>(groups?.['ledger'] ?? '');
  if (ledger === undefined) return undefined;
  return { ledger, key: createSecretKey(Buffer.from(groups?.['key'] ?? '', 'hex')) };
}

export type Marked = {
  readonly tenant: string;
  /** External name. */
  readonly table: string;
  /** Of the person's key. Made at random for each person, so that a key reissued to a stranger after a restore gives another mark. */
  readonly subjectKeyId: string;
  readonly primaryKey: readonly string[];
};

/** HMAC-SHA-256: says of a row whether it is the one that was destroyed, to nobody but who has the key. */
export function markOf({ key }: Pick<LedgerKey, 'key'>, { tenant, table, subjectKeyId, primaryKey }: Marked): string {
  return hmac(key, ['mark', tenant, table, subjectKeyId, [...primaryKey]]);
}

/** Stands in the first line, so that a wrong key is noticed before anything is marked with it. */
export function keyCheckOf({ key, ledger }: LedgerKey): string {
  return hmac(key, ['check', ledger]);
}

/** Stands at the end of every line, over its hash and with it over all lines before: only who has the key can write one. */
export function tagOf({ key }: Pick<LedgerKey, 'key'>, sha256: string): string {
  return hmac(key, ['line', sha256]);
}

function hmac(key: KeyObject, parts: readonly unknown[]): string {
  return createHmac('sha256', key)
    .update(`safekeep/1 ledger ${canonicalize(parts) ?? ''}`)
    .digest('hex');
}
