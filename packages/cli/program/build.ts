import { Command as Commander, Option } from 'commander';
import {
  choicesOf,
  factsOf,
  faultOf,
  fromText,
  kindOf,
  SafekeepError,
  settingNames,
  withDefaults,
  type SettingName,
} from '@safekeep/core';
import type { Command } from '@safekeep/capabilities/capability';
import type { TSchema } from 'typebox';

/** What was typed, checked and ready to run. */
export type Typed = {
  readonly command: Command;
  readonly input: Readonly<Record<string, unknown>>;
  /** Settings given as flags. */
  readonly settings: Readonly<Partial<Record<SettingName, string>>>;
  readonly json: boolean;
  readonly yes: boolean;
};

/** The parser of the whole command line, derived from the commands. `onCommand` gets what was typed. */
export function buildProgram(commands: readonly Command[], version: string, onCommand: (typed: Typed) => void): Commander {
  const program = new Commander('safekeep')
    .description('Keeps the personal data in your PostgreSQL safe, and proves it.')
    .version(version, '-V, --version', 'print the version')
    .helpCommand(false)
    // What every command takes is shown with each of them.
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError(true)
    .exitOverride();
  for (const name of settingNames) {
    const { flag, description } = factsOf(name);
    if (flag !== undefined) program.addOption(new Option(`${flag} <value>`, description));
  }
  program.option('--json', 'print one JSON document on stdout');
  program.option('--yes', 'agree to changes of your database; needed where nobody can be asked');
  for (const command of commands) addCommand(program, command, onCommand);
  nameVerbs(program);
  return program;
}

/** A group that is no command itself is described by what it holds. */
function nameVerbs(parent: Commander): void {
  for (const child of parent.commands) {
    nameVerbs(child);
    if (child.description() === '') child.description(child.commands.map((verb) => verb.name()).join(' · '));
  }
}

/** `onInvalid` as `--on-invalid`. */
export function flagOf(key: string): string {
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The properties of a command's input that are flags and not positionals. */
export function flagsOf(command: Command): readonly (readonly [key: string, schema: TSchema])[] {
  const positionals = new Set(command.positionals.map(({ key }) => key));
  return Object.entries<TSchema>(command.input.properties).filter(([key]) => !positionals.has(key));
}

function descriptionOf(schema: TSchema): string {
  return 'description' in schema && typeof schema.description === 'string' ? schema.description : '';
}

/** Whether a call without it is refused. */
function isRequired({ input }: Command, key: string): boolean {
  const { required = [] } = input as { readonly required?: readonly string[] }; // Of a schema of an object, by JSON Schema.
  return required.includes(key) && !('default' in (input.properties[key] ?? {}));
}

/** What a flag is for, and whether a call without it is refused. */
export function meaningOf(command: Command, key: string, schema: TSchema): string {
  return `${descriptionOf(schema)}${isRequired(command, key) ? ' (required)' : ''}`;
}

/** The default of one value; `undefined` where there is none, and for lists. */
export function defaultOf(schema: TSchema): string | number | boolean | undefined {
  const fallback = 'default' in schema ? schema.default : undefined;
  return typeof fallback === 'string' || typeof fallback === 'number' || typeof fallback === 'boolean' ? fallback : undefined;
}

function addCommand(program: Commander, command: Command, onCommand: (typed: Typed) => void): void {
  const words = command.name.split(' ');
  const parent = words
    .slice(0, -1)
    .reduce<Commander>((at, word) => at.commands.find((child) => child.name() === word) ?? group(at, word), program);
  const last = words.at(-1) ?? command.name;
  // `keys` and `keys rotate` may both be commands: the group that stands becomes one.
  const leaf = parent.commands.find((child) => child.name() === last) ?? parent.command(last).exitOverride();
  leaf.description(command.summary).showSuggestionAfterError(true).addHelpText('after', afterHelp(command));
  for (const { label, description, optional } of command.positionals)
    leaf.argument(optional === true ? `[${label}]` : `<${label}>`, description);
  for (const [key, schema] of flagsOf(command)) leaf.addOption(optionFor(command, key, schema));
  leaf.action((...args: unknown[]) => {
    const values = args.slice(0, command.positionals.length);
    // A flag that `scan` has too is taken by that, although it was typed for `scan review`.
    const above = parent === program ? {} : parent.opts();
    onCommand(readTyped(command, values, { ...above, ...given(leaf.opts()) }, program.opts()));
  });
}

function given(flags: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
}

function afterHelp(command: Command): string {
  const ends = notSoIn(command);
  return `${ends === undefined ? '' : `\n${ends}\n`}\nExample:\n  $ npx ${command.example}`;
}

/** When it ends with 1 without being refused; undefined where it does not. */
export function notSoIn({ notSo }: Command): string | undefined {
  return notSo === undefined ? undefined : `Exit 1 where ${notSo}.`;
}

function group(parent: Commander, word: string): Commander {
  return parent.command(word).exitOverride();
}

function optionFor(command: Command, key: string, schema: TSchema): Option {
  const flag = flagOf(key);
  const kind = kindOf(schema);
  const fallback = defaultOf(schema);
  const meaning = meaningOf(command, key, schema);
  if (kind === 'boolean') return new Option(fallback === true ? flag.replace('--', '--no-') : flag, meaning);
  const option = new Option(`${flag} <value>`, meaning);
  const choices = choicesOf(schema);
  if (choices.length > 0) option.choices(choices);
  if (fallback !== undefined) option.default(undefined, String(fallback));
  // A list is given by repeating its flag.
  if (kind === 'list') option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
  return option;
}

function readTyped(
  command: Command,
  positionals: readonly unknown[],
  flags: Readonly<Record<string, unknown>>,
  globals: Readonly<Record<string, unknown>>,
): Typed {
  const input: Record<string, unknown> = {};
  for (const [index, { key }] of command.positionals.entries()) {
    if (positionals[index] !== undefined) input[key] = positionals[index];
  }
  for (const [key] of flagsOf(command)) if (flags[key] !== undefined) input[key] = flags[key];
  const settings: Partial<Record<SettingName, string>> = {};
  for (const name of settingNames) {
    const value = globals[factsOf(name).flag?.slice(2) ?? ''];
    if (typeof value === 'string') settings[name] = value;
  }
  return { command, input: checked(command, input), settings, json: globals['json'] === true, yes: globals['yes'] === true };
}

function checked(command: Command, typed: Record<string, unknown>): Readonly<Record<string, unknown>> {
  const problems: string[] = [];
  for (const [key, schema] of Object.entries<TSchema>(command.input.properties)) {
    const value = typed[key];
    if (typeof value === 'string') typed[key] = fromText(schema, value);
    if (typed[key] === undefined && !isRequired(command, key)) continue;
    const fault = typed[key] === undefined ? 'is missing' : faultOf(schema, typed[key]);
    const label = command.positionals.find((positional) => positional.key === key)?.label ?? flagOf(key);
    if (fault !== undefined) problems.push(`${label} ${fault}`);
  }
  if (problems.length > 0) throw new SafekeepError('usage', { problem: `${problems.join('; ')}.` });
  return withDefaults(command.input, typed);
}
