import type { CommandContext } from '../../capability.ts';
import { baselineHeads } from '../files/baseline-heads.ts';
import { lastCheckpoint } from '../files/last-checkpoint.ts';
import { openKeys, type Keyring } from '../../encryption/index.ts';
import { auditKeys } from '../keys/audit-keys.ts';
import type { SequencerGround } from './sequence.ts';

/**
 * What a sequencer of this home works with; whoever opens it closes `keys`. Where `--home` is another, so are the keys: events then
 * cannot be opened here.
 */
export async function openSequencer(context: CommandContext, ring?: Keyring): Promise<SequencerGround> {
  const signer = await context.signer();
  return {
    database: await context.database(),
    keys: await auditKeys(context.home, ring ?? (await openKeys(context))),
    signer,
    last: lastCheckpoint(context.home),
    heads: baselineHeads(context.home),
    clock: context.clock,
    log: context.log,
  };
}
