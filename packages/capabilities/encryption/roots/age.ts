import { SafekeepError, type Secret } from '@safekeep/core';
import type { Root } from './root.ts';

/** An age identity (age-encryption.org/v1) from SAFEKEEP_ROOT_AGE_IDENTITY. Throws `key-root-unfit`. */
export async function ageRoot(secret: Secret): Promise<Root> {
  // Its cryptography is a tenth of what a command would read at its start.
  const { Decrypter, Encrypter, identityToRecipient } = await import('age-encryption');
  const identity = secret
    .reveal()
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line !== '' && !line.startsWith('#'));
  let recipient: string;
  try {
    recipient = await identityToRecipient(identity ?? '');
  } catch (cause) {
    // Its message may quote what it was given.
    throw new SafekeepError('key-root-unfit', {
      root: 'age',
      reason: `SAFEKEEP_ROOT_AGE_IDENTITY is no age identity (${nameOf(cause)})`,
    });
  }
  return {
    kind: 'age',
    id: recipient,
    wrap: async (key) => {
      const encrypter = new Encrypter();
      encrypter.addRecipient(recipient);
      return Buffer.from(await encrypter.encrypt(key));
    },
    unwrap: async (wrapped) => {
      const decrypter = new Decrypter();
      decrypter.addIdentity(identity ?? '');
      try {
        return Buffer.from(await decrypter.decrypt(wrapped));
      } catch (cause) {
        throw new SafekeepError('key-root-wrong', { root: `age ${recipient}` }, { cause });
      }
    },
    describe: async () => `the age identity of ${recipient}; whoever holds it keeps it`,
    destroy: async () => 'unsupported',
  };
}

function nameOf(cause: unknown): string {
  return cause instanceof Error ? cause.name : 'unknown reason';
}
