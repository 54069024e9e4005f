import { withDefaults } from '@safekeep/core';
import type { Command, CommandContext } from '@safekeep/capabilities/capability';

/** What a command gave, and whether the thing asked about is so. */
export type Performed<Result> = { readonly result: Result; readonly ok: boolean };

/**
 * Does what a command of the command line does, by its name: the main job goes the way that a person would go, with the same checks,
 * questions and events of the log. `Result` is the output that the command declares.
 */
export type Perform = <Result>(name: string, input?: Readonly<Record<string, unknown>>) => Promise<Performed<Result>>;

export function performer(commands: readonly Command[], context: CommandContext): Perform {
  const perform = async (name: string, input: Readonly<Record<string, unknown>> = {}): Promise<Performed<unknown>> => {
    const command = commands.find((each) => each.name === name);
    if (command === undefined) throw new Error(`There is no command ${name}`);
    // Defaults of the schema, as for what is typed; the schema is the command's own.
    const { result, ok = true } = await command.run(context, withDefaults(command.input, input) as never);
    return { result, ok };
  };
  // The caller names the type that the command declares as its output.
  return perform as Perform;
}
