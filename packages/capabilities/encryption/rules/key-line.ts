import type { Algorithm, Fate, KeyPurpose, KeyState } from '../model.ts';

/** A key as an export holds it: all but how often it was used. Times are ISO 8601 in UTC, to the microsecond. */
export type ExportedKey = {
  readonly keyId: Buffer;
  readonly purpose: KeyPurpose;
  readonly scope: string | null;
  readonly mark: Buffer | null;
  readonly fate: Fate | null;
  readonly algorithm: Algorithm;
  readonly version: number;
  readonly state: KeyState;
  readonly epoch: number;
  readonly wrapped: Buffer | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly destroyedAt: string | null;
};

const TIME = String.raw`\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`;
const LINE = new RegExp(
  `^([0-9a-f]{16})\t(subject|data|index)\t([^\t]*)\t([0-9a-f]{32}|)\t(erasable|kept|)\t(AES-256-GCM|HMAC-SHA-256)\t(\\d{1,10})\t(pre-active|active|decrypt-only|held|shredded)\t(\\d{1,10})\t([0-9a-f]{96}|)\t(${TIME})\t(${TIME}|)\t(${TIME}|)$`,
);

/** One line of `safekeep.open_keys`, which an export consists of; undefined where it is none. */
export function parseKeyLine(line: string): ExportedKey | undefined {
  const parts = LINE.exec(line);
  if (parts === null) return undefined;
  const [, id = '', purpose, scope = '', mark = '', fate, algorithm, version, state, epoch, wrapped = '', ...times] = parts;
  const [createdAt = '', expiresAt = '', destroyedAt = ''] = times;
  // The pattern knows these words only.
  const words = { purpose, fate: fate === '' ? null : fate, algorithm, state } as Pick<
    ExportedKey,
    'purpose' | 'fate' | 'algorithm' | 'state'
  >;
  return {
    ...words,
    keyId: Buffer.from(id, 'hex'),
    scope: scope === '' ? null : scope,
    mark: mark === '' ? null : Buffer.from(mark, 'hex'),
    version: Number(version),
    epoch: Number(epoch),
    wrapped: wrapped === '' ? null : Buffer.from(wrapped, 'hex'),
    createdAt,
    expiresAt: expiresAt === '' ? null : expiresAt,
    destroyedAt: destroyedAt === '' ? null : destroyedAt,
  };
}

/** A line that came from the database itself. */
export function requireKeyLine(line: string): ExportedKey {
  const key = parseKeyLine(line);
  if (key === undefined) throw new Error('safekeep.open_keys answers lines of its own form');
  return key;
}
