import { choicesOf, factsOf, kindOf, settingNames } from '@safekeep/core';
import type { Command } from '@safekeep/capabilities/capability';
import { IsArray, IsObject, IsUnion, type TSchema } from 'typebox';
import { allCommands } from '../commands.ts';
import { defaultOf, flagOf, flagsOf, meaningOf, notSoIn } from '../program/build.ts';
import { cell, generated } from './markdown.ts';

/** docs/cli.md: every command with its arguments, flags and JSON fields. */
export function commandPage(): string {
  const globals = settingNames.flatMap((name) => {
    const { flag, description, env } = factsOf(name);
    return flag === undefined ? [] : [`| \`${flag} VALUE\` | ${cell(description)} Also \`${env}\`. |`];
  });
  return generated(
    'Command line',
    [
      'Results go to stdout, progress and messages to stderr. With `--json` exactly one JSON document stands on stdout; lists that can be long, such as that of `audit search`, are one JSON document a line.',
      'Exit code: 0 done; 1 the thing asked about is not so (each command says when), or was refused; 2 usage, configuration, or a database or file that is unsuitable or cannot be used now; 3 internal, connection lost midway, or disk full; 130 interrupted. [errors.md](errors.md) has the code of each refusal.',
    ].join('\n\n'),
    [
      '## Flags of every command',
      '',
      '| flag | meaning |',
      '|---|---|',
      ...globals,
      '| `--json` | Print one JSON document on stdout. |',
      "| `--yes` | Agree to changes of your own database; needed for them where nobody can be asked. The embedded database is Safekeep's own and asks nothing. |",
      '',
      '## All commands',
      '',
      '| command | does |',
      '|---|---|',
      ...allCommands.map(
        (command) =>
          `| [\`${command.name}\`](#${titleOf(command)
            .toLowerCase()
            .replaceAll(/[^\w -]/g, '')
            .replaceAll(' ', '-')}) | ${cell(command.summary)} |`,
      ),
      '',
      ...allCommands.flatMap(section),
    ]
      .join('\n')
      .trimEnd(),
  );
}

/** As a heading; without its marks and with dashes it is the place that a link leads to. */
function titleOf({ name, positionals }: Command): string {
  return ['safekeep', name, ...positionals.map(({ label, optional }) => (optional === true ? `[${label}]` : label))].join(' ');
}

function section(command: Command): readonly string[] {
  const rows = [
    ...command.positionals.map(({ label, description }) => `| \`${label}\` | ${cell(description)} |`),
    ...flagsOf(command).map(([key, schema]) => `| \`${flagUsage(key, schema)}\` | ${cell(flagMeaning(command, key, schema))} |`),
  ];
  return [
    `## ${titleOf(command)}`,
    '',
    [`${command.summary[0]?.toUpperCase() ?? ''}${command.summary.slice(1)}.`, notSoIn(command)].filter(Boolean).join(' '),
    '',
    ...(rows.length > 0 ? ['| argument | meaning |', '|---|---|', ...rows, ''] : []),
    '```sh',
    `npx ${command.example}`,
    '```',
    '',
    `JSON: \`${shapeOf(command.output)}\``,
    '',
  ];
}

function flagUsage(key: string, schema: TSchema): string {
  if (kindOf(schema) === 'boolean') return defaultOf(schema) === true ? flagOf(key).replace('--', '--no-') : flagOf(key);
  const choices = choicesOf(schema);
  return `${flagOf(key)} ${choices.length > 0 ? choices.join('\\|') : 'VALUE'}`;
}

function flagMeaning(command: Command, key: string, schema: TSchema): string {
  const fallback = defaultOf(schema);
  const repeat = kindOf(schema) === 'list' ? ' Can be repeated.' : '';
  return `${meaningOf(command, key, schema)}.${repeat}${fallback === undefined || typeof fallback === 'boolean' ? '' : ` Default: ${String(fallback)}.`}`;
}

/** A schema as a reader of JSON thinks of it: `{checks[{name, state, detail}]}`. */
function shapeOf(schema: TSchema): string {
  if (IsObject(schema)) {
    const members = Object.entries<TSchema>(schema.properties);
    return `{${members.map(([name, member]) => `${name}${shapeOf(member)}`).join(', ')}}`;
  }
  if (IsArray(schema)) return `[${shapeOf(schema.items)}]`;
  const choices = choicesOf(schema);
  if (choices.length > 0) return ` (${choices.join(', ')})`;
  // Of a command that answers in several ways, and of what may be null.
  return IsUnion(schema) ? schema.anyOf.map(shapeOf).filter(Boolean).join(' or ') : '';
}
