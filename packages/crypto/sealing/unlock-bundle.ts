import { KEY_BYTES, KEY_ID_BYTES } from './key.ts';

/** A key for `safekeep.unlock` of the database mode. */
export type UnlockedKey = {
  /** `seal`: the current key of its field, which also opens · `open`: an earlier one · `index`: of its blind indexes. */
  readonly use: 'seal' | 'open' | 'index';
  /** 16 hex digits; of an index key {@link indexKeyId}. */
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly field: string;
  readonly tenant: string;
};

/** An index key is known by the version of its index. */
export function indexKeyId(version: number): string {
  return version.toString(16).padStart(16, '0');
}

const MAGIC = Buffer.from('SUK1', 'latin1');
const USES = { seal: 1, open: 2, index: 3 } as const;
const TENANT_BYTES_AT_MOST = 65_535;

/**
 * What `safekeep.unlock` takes. Give it as a bound parameter and never in the text of a statement; it is the keys themselves.
 * Layout in packages/crypto/SPEC.md.
 */
export function unlockBundle(keys: readonly UnlockedKey[]): Buffer {
  return Buffer.concat([MAGIC, ...keys.map(entry)]);
}

function entry({ use, id, bytes, field, tenant }: UnlockedKey): Buffer {
  const name = Buffer.from(tenant, 'utf8');
  if (bytes.length !== KEY_BYTES) throw new TypeError(`A key has ${KEY_BYTES} bytes`);
  if (!/^[0-9a-f]{16}$/.test(id)) throw new TypeError('The id of a key is 16 hex digits');
  if (name.length > TENANT_BYTES_AT_MOST) throw new TypeError(`A tenant has at most ${TENANT_BYTES_AT_MOST} bytes`);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(name.length);
  return Buffer.concat([
    Buffer.of(USES[use]),
    Buffer.from(id, 'hex').subarray(0, KEY_ID_BYTES),
    bytes,
    Buffer.from(field.replaceAll('-', ''), 'hex'),
    length,
    name,
  ]);
}
