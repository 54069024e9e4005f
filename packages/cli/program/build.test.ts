import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { allCommands } from '../commands.ts';
import { buildProgram, flagOf, flagsOf, meaningOf } from './build.ts';

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
