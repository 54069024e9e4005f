import { userInfo } from 'node:os';
import { recordEvent, type NewEvent } from '@safekeep/capabilities/audit';
import type { Command, CommandContext } from '@safekeep/capabilities/capability';
import { isSafekeepError } from '@safekeep/core';

type Audited = Pick<NewEvent, 'kind' | 'action'>;

/** What changes a protection or lifts it, by the name of its command. Here and not in those capabilities, which know nothing of the log. */
const AUDITED: ReadonlyMap<string, Audited> = new Map<string, Audited>([
  ['apply', { kind: 'compliance', action: 'apply' }],
  ['unapply', { kind: 'compliance', action: 'unapply' }],
  ['hold place', { kind: 'retention', action: 'hold-place' }],
  ['hold release', { kind: 'retention', action: 'hold-release' }],
  ['hold review', { kind: 'retention', action: 'hold-review' }],
]);

/** The same commands, those of the list with both of their ends in the log: done, or refused and why. */
export function audited(commands: readonly Command[]): readonly Command[] {
  return commands.map((command) => {
    const event = AUDITED.get(command.name);
    return event === undefined ? command : { ...command, run: inLog(command.run, event) };
  });
}

function inLog(run: Command['run'], { kind, action }: Audited): Command['run'] {
  return async (context, input) => {
    // A rehearsal on a copy changes nothing.
    if ('onCopy' in (input as Record<string, unknown>) && input['onCopy']) return await run(context, input);
    try {
      const outcome = await run(context, input);
      await record(context, { kind, action: `${action}-done` });
      return outcome;
    } catch (error) {
      // A refusal is in the log although all of it was rolled back. A wrong call or a database out of reach is no event.
      if (isSafekeepError(error) && error.exit === 1)
        await record(context, { kind: 'security', action: `${action}-refused`, details: { code: error.code } });
      throw error;
    }
  };
}

async function record(context: CommandContext, event: Omit<NewEvent, 'actor'>): Promise<void> {
  await recordEvent(await context.database(), context.tenant, { ...event, actor: { name: `login:${userInfo().username}` } });
}
