import { chmod, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Type } from '@safekeep/core/schema';
import { command } from '@safekeep/capabilities/capability';
import { codeOf, choicesOf, factsOf, SafekeepError, settingNames, Settings } from '@safekeep/core';
import { defaultOf } from '../program/build.ts';

const ENV_FILE = 'safekeep.env';
const CI_FILE = 'safekeep-ci.yml';

export const init = command({
  name: 'init',
  summary: 'write a commented configuration and a CI snippet into this folder',
  input: Type.Object({ force: Type.Boolean({ default: false, description: 'replace files that exist' }) }),
  output: Type.Object({ files: Type.Array(Type.String()) }),
  example: 'safekeep init',
  run: async (_context, { force }) => {
    const files = [
      { path: resolve(ENV_FILE), text: commentedSettings(), mode: 0o600 },
      { path: resolve(CI_FILE), text: CI_SNIPPET, mode: 0o644 },
    ];
    if (!force) await refuseExisting(files.map(({ path }) => path));
    for (const { path, text, mode } of files) await write(path, text, mode);
    return { result: { files: files.map(({ path }) => path) } };
  },
  render: ({ files }, ink) =>
    `${files.map((file) => `${ink.good('wrote')} ${file}`).join('\n')}\nNext: fill in SAFEKEEP_DATABASE_URL, then \`npx safekeep doctor\`. The login of an application with the SDK needs \`GRANT safekeep_client\`, once \`npx safekeep migrate up\` has made that role.`,
});

/** The settings as lines to uncomment; the same text stands in docs/configuration.md. */
export function commentedSettings(): string {
  const blocks = settingNames.map((name) => {
    const { env, flag, description, secret } = factsOf(name);
    const schema = Settings.properties[name];
    const choices = choicesOf(schema);
    const notes = [
      description,
      ...(choices.length > 0 ? [`One of: ${choices.join(', ')}.`] : []),
      ...(flag === undefined ? [] : [`For one call: ${flag} VALUE.`]),
      ...(secret === true ? [`A secret: better ${env}_FILE=/path/to/a/file with mode 600.`] : []),
    ];
    return `${notes.map((note) => `# ${note}`).join('\n')}\n#${env}=${String(defaultOf(schema) ?? '')}\n`;
  });
  return `# Settings of Safekeep. Flags beat the environment, the environment beats this file.\n# This file may hold secrets: keep it out of version control, mode 600.\n\n${blocks.join('\n')}`;
}

const CI_SNIPPET = `# A step for your pipeline (GitHub Actions syntax): fails while the database and Safekeep's schema are not fit.
# SAFEKEEP_DATABASE_URL comes from your CI's secrets; point it at a copy of your schema, not at production.
name: safekeep
on: [pull_request]
jobs:
  data-protection:
    runs-on: ubuntu-latest
    env:
      SAFEKEEP_DATABASE_URL: \${{ secrets.SAFEKEEP_DATABASE_URL }}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with: { node-version: 24 }
      - run: npx safekeep doctor --json
`;

/** All of them are looked at before the first is written: half a set would have to be cleaned up by hand. */
async function refuseExisting(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const stands = await stat(path).then(
      () => true,
      () => false,
    );
    if (stands) throw new SafekeepError('file-exists', { path });
  }
}

async function write(path: string, text: string, mode: number): Promise<void> {
  try {
    await writeFile(path, text, { mode });
    // A file that stood keeps its old mode otherwise, and this one is for secrets.
    await chmod(path, mode);
  } catch (cause) {
    throw new SafekeepError('file-unwritable', { path, reason: codeOf(cause) ?? 'unknown' }, { cause });
  }
}
