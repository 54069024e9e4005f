import { createHash } from 'node:crypto';
import { SafekeepError, type Secret } from '@safekeep/core';
import { WrappingKey } from '@safekeep/crypto';
import type { Root } from './root.ts';

const KEY_BYTES = 32;

/** 32 bytes in base64 from SAFEKEEP_ROOT_KEY: for platforms that hand secrets to a process so. Throws `key-root-unfit`. */
export function environmentRoot(secret: Secret): Root {
  const text = secret.reveal().trim();
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== KEY_BYTES || bytes.toString('base64') !== text)
    throw new SafekeepError('key-root-unfit', { root: 'environment', reason: 'SAFEKEEP_ROOT_KEY is not 32 bytes in base64' });
  const key = new WrappingKey(bytes);
  const id = createHash('sha256').update('safekeep/1 root id').update(bytes).digest('hex').slice(0, 16);
  bytes.fill(0);
  return {
    kind: 'environment',
    id,
    wrap: async (plain) => key.wrap(plain),
    unwrap: async (wrapped) => key.unwrap(wrapped),
    describe: async () => `the key in SAFEKEEP_ROOT_KEY (${id}); whoever sets that keeps it`,
    destroy: async () => 'unsupported',
  };
}
