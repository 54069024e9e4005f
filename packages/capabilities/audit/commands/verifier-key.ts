import { SafekeepError } from '@safekeep/core';
import type { CommandContext } from '../../capability.ts';

/** With which the log of this home is checked. Throws `verifier-key-missing`: a key made now would be that of no log. */
export async function verifierKeyOf({ home, verifierKey }: CommandContext): Promise<string> {
  const known = await verifierKey();
  if (known === undefined) throw new SafekeepError('verifier-key-missing', { home });
  return known;
}
