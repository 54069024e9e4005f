import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { allCommands } from '../commands.ts';
import { buildProgram, flagOf, flagsOf, meaningOf, notSoIn } from './build.ts';

test('every command asks for each flag that it cannot do without, and its help says which those are', () => {
  let asked = 0;
  for (const command of allCommands) {
    const required = flagsOf(command).filter(([key, schema]) => meaningOf(command, key, schema).endsWith(' (required)'));
    if (required.length === 0) continue;
    const program = buildProgram(allCommands, '0', () => assert.fail(`${command.name} ran without what it needs`));
    const positionals = command.positionals.filter(({ optional }) => optional !== true).map(() => 'patient:1');
    assert.throws(
      () => program.parse([...command.name.split(' '), ...positionals], { from: 'user' }),
      (error) => {
        assert.ok(isSafekeepError(error, 'usage'), command.name);
        for (const [key] of required)
          assert.ok(error.message.includes(`${flagOf(key)} is missing`), `${command.name} ${key}: ${error.message}`);
        return true;
      },
    );
    asked += 1;
  }
  assert.ok(asked >= 3, 'there are commands that need a flag');
});

test('whoever asks for help learns when the command ends with 1 without being refused', () => {
  const program = buildProgram(allCommands, '0', () => undefined);
  for (const command of allCommands) {
    const leaf = command.name
      .split(' ')
      .reduce((at, word) => at.commands.find((child) => child.name() === word) ?? assert.fail(command.name), program);
    let help = '';
    leaf.configureOutput({ writeOut: (text) => void (help += text) }).outputHelp();
    const ends = notSoIn(command);
    assert.equal(help.includes('Exit 1 where'), ends !== undefined, command.name);
    if (ends !== undefined) assert.ok(help.includes(ends), command.name);
    assert.doesNotMatch(command.summary, /exit/, 'it stands in one place');
  }
});

test('a flag that a command and one below it both have is that of the one that was typed', () => {
  const typed = (...words: string[]): Readonly<Record<string, unknown>> => {
    let input: Readonly<Record<string, unknown>> = {};
    buildProgram(allCommands, '0', (found) => (input = { ...found.input, name: found.command.name })).parse(words, {
      from: 'user',
    });
    return input;
  };
  const reindex = typed('encrypt', 'reindex', 'people.name', '--search', 'exact', '--accept-leak');
  assert.deepEqual([reindex['name'], reindex['search'], reindex['acceptLeak']], ['encrypt reindex', 'exact', true]);
  const review = typed('scan', 'review', '--schema', 'app');
  assert.deepEqual([review['name'], review['schema']], ['scan review', ['app']]);
  assert.deepEqual(typed('scan', '--schema', 'app')['schema'], ['app']);
});
