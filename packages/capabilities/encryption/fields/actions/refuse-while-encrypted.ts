import { formatTableName, shellWord } from '@safekeep/core';
import type { Refusal } from '../../../plan/index.ts';
import { listFields } from '../store/records.ts';
import { nameOf, reading, type Ground } from './ground.ts';

/** Taking Safekeep out would leave ciphertext that nobody opens: `decrypt` comes first. */
export async function refuseWhileEncrypted(ground: Pick<Ground, 'database' | 'tenant'>): Promise<readonly Refusal[]> {
  const fields = await reading(ground, (client) => listFields(client, ground.tenant));
  return fields.map((field) => ({
    target: formatTableName(field.table),
    reason: `${nameOf(field)} is encrypted`,
    remedy: `Bring its plaintext back: \`safekeep decrypt ${shellWord(nameOf(field))}\`.`,
  }));
}
