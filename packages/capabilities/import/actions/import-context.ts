import type { Signer } from '@safekeep/crypto';
import type { Database } from '@safekeep/postgres';
import type { CommandContext } from '../../capability.ts';

/** What an operation of this capability works with: the part of a command's context that it needs, already opened. */
export type ImportContext = Pick<CommandContext, 'home' | 'tenant' | 'clock' | 'signal' | 'progress' | 'say'> & {
  readonly database: Database;
  readonly signer: Signer;
};
