import type { CommandContext } from '../../capability.ts';
import { openKeys, type Keyring, type SubjectKeys } from '../../encryption/index.ts';
import { openHomeKey, type HomeKey } from './key-file.ts';

/** What the log seals with, and what it calls actors and rows of erased people by. */
export type AuditKeys = HomeKey & {
  readonly subjectKeys: SubjectKeys;
  /** Writes down how often keys were used; about once a minute, between transactions. */
  readonly flushUsage: () => Promise<void>;
  /** The same, and forgets them. */
  readonly close: () => Promise<void>;
};

/** People's keys are those of the ring. Throws what {@link openHomeKey} throws. */
export async function auditKeys(home: string, ring: Keyring): Promise<AuditKeys> {
  return {
    subjectKeys: ring.subjectKeys,
    ...(await openHomeKey(home)),
    flushUsage: () => ring.flushUsage(),
    close: () => ring.close(),
  };
}

/** For the length of an action of a command. */
export async function withAuditKeys<Result>(
  context: CommandContext,
  action: (keys: AuditKeys) => Promise<Result>,
): Promise<Result> {
  const keys = await auditKeys(context.home, await openKeys(context));
  try {
    return await action(keys);
  } finally {
    await keys.close();
  }
}
