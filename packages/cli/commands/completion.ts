import { Type } from '@safekeep/core/schema';
import { choicesOf, factsOf, settingNames } from '@safekeep/core';
import { command, type Command } from '@safekeep/capabilities/capability';
import { flagOf, flagsOf } from '../program/build.ts';

const Shell = Type.Union([Type.Literal('bash'), Type.Literal('zsh'), Type.Literal('fish')]);

/** `all` gives the finished list, which holds this very command. */
export const completion = (all: () => readonly Command[]): Command =>
  command({
    name: 'completion',
    summary: 'print the completion script of a shell',
    positionals: [{ key: 'shell', label: 'SHELL', description: 'bash, zsh or fish' }],
    input: Type.Object({ shell: Shell }),
    output: Type.Object({ script: Type.String() }),
    example: 'safekeep completion bash',
    run: async (_context, { shell }) => ({ result: { script: completionScript(shell, all()) } }),
    render: ({ script }) => script,
  });

/** For each path of words typed so far, what may come next. */
function completions(commands: readonly Command[]): ReadonlyMap<string, readonly string[]> {
  const next = new Map<string, Set<string>>();
  const offer = (path: string, word: string): void => void next.set(path, (next.get(path) ?? new Set()).add(word));
  for (const entry of commands) {
    const words = entry.name.split(' ');
    words.forEach((word, index) => offer(words.slice(0, index).join(' '), word));
    for (const flag of [...flagsOf(entry).map(([key]) => flagOf(key)), ...globalFlags()]) offer(entry.name, flag);
    for (const { key } of entry.positionals) {
      const schema = entry.input.properties[key];
      if (schema) for (const choice of choicesOf(schema)) offer(entry.name, choice);
    }
  }
  return new Map([...next].map(([path, words]) => [path, [...words]]));
}

function globalFlags(): readonly string[] {
  return [...settingNames.flatMap((name) => factsOf(name).flag ?? []), '--json', '--yes', '--help'];
}

function completionScript(shell: 'bash' | 'zsh' | 'fish', commands: readonly Command[]): string {
  const cases = [...completions(commands)]
    .map(([path, words]) => `    ${path === '' ? '""' : `"${path}"`}) words="${words.join(' ')}" ;;`)
    .join('\n');
  const lookUp = `_safekeep_words() {\n  local words=""\n  case "$1" in\n${cases}\n  esac\n  echo "$words"\n}`;
  if (shell === 'bash') {
    return `${lookUp}\n_safekeep() {\n  local path="" word\n  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do [[ $word == -* ]] || path="\${path:+$path }$word"; done\n  while [[ -n $path && -z $(_safekeep_words "$path") ]]; do [[ $path == *" "* ]] && path="\${path% *}" || path=""; done\n  COMPREPLY=($(compgen -W "$(_safekeep_words "$path")" -- "\${COMP_WORDS[COMP_CWORD]}"))\n}\ncomplete -o default -F _safekeep safekeep\n`;
  }
  if (shell === 'zsh') {
    return `#compdef safekeep\n${lookUp}\n_safekeep() {\n  local path="" word\n  for word in "\${words[@]:1:CURRENT-2}"; do [[ $word == -* ]] || path="\${path:+$path }$word"; done\n  compadd -- \${=$(_safekeep_words "$path")}\n}\ncompdef _safekeep safekeep\n`;
  }
  return [...completions(commands)]
    .map(
      ([path, words]) =>
        `complete -c safekeep -f -n 'test (string join " " (commandline -opc)[2..] | string trim) = "${path}"' -a '${words.join(' ')}'`,
    )
    .join('\n');
}
