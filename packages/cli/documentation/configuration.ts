import { choicesOf, factsOf, settingNames, Settings } from '@safekeep/core';
import { commentedSettings } from '../commands/init.ts';
import { defaultOf } from '../program/build.ts';
import { cell, generated } from './markdown.ts';

/** docs/configuration.md: every setting, and the file that `safekeep init` writes. */
export function configurationPage(): string {
  const rows = settingNames.map((name) => {
    const { env, flag, description, secret } = factsOf(name);
    const schema = Settings.properties[name];
    const choices = choicesOf(schema);
    const fallback = defaultOf(schema);
    const about =
      choices.length > 0 ? `${description} One of ${choices.map((choice) => `\`${choice}\``).join(', ')}.` : description;
    return `| \`${env}\` | ${flag === undefined ? '' : `\`${flag}\``} | ${fallback === undefined ? '' : `\`${String(fallback)}\``} | ${cell(about)}${secret === true ? ' **Secret.**' : ''} |`;
  });
  return generated(
    'Configuration',
    [
      'A flag beats the environment, the environment beats the file `safekeep.env` in the working folder. An empty variable counts as not set.',
      'Every setting can be given as `<NAME>_FILE`, the path of a file that holds the value: the way for secrets, which then stand neither in the environment nor in a process list.',
      'Everything is checked when a command starts, and all problems are listed at once. A variable that begins with `SAFEKEEP_` and is no setting is an error, since a typing mistake in a protection setting must not go unnoticed.',
    ].join('\n\n'),
    [
      '| variable | flag | default | meaning |',
      '|---|---|---|---|',
      ...rows,
      '',
      '## The file that `safekeep init` writes',
      '',
      '```sh',
      commentedSettings().trimEnd(),
      '```',
    ].join('\n'),
  );
}
