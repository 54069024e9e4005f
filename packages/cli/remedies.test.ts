import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { catalogue, settingNames, factsOf, isSafekeepError } from '@safekeep/core';
import { CommanderError } from 'commander';
import { allCommands } from './commands.ts';
import { buildProgram, flagOf, flagsOf } from './program/build.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const GLOBAL = ['--json', '--yes', '--help', ...settingNames.flatMap((name) => factsOf(name).flag ?? [])];
const flags = new Set([...GLOBAL, ...allCommands.flatMap((command) => flagsOf(command).map(([key]) => flagOf(key)))]);

/** What the command line itself says against a call; undefined where it would be run. */
function faultOf(call: string): string | undefined {
  const program = buildProgram(allCommands, '0', () => undefined);
  const quiet = { writeErr: () => undefined, writeOut: () => undefined };
  program.configureOutput(quiet);
  for (const { commands } of [program, ...program.commands]) for (const child of commands) child.configureOutput(quiet);
  try {
    program.parse(call.match(/'[^']*'|\S+/g) ?? [], { from: 'user' });
    return undefined;
  } catch (error) {
    if (error instanceof CommanderError || isSafekeepError(error, 'usage')) return error.message;
    throw error;
  }
}

/** Calls as they stand between backticks or double quotes, with something that fits for what is filled in. */
function callsIn(text: string): readonly string[] {
  const filled = text
    .replaceAll(/\$?\{[^{}]*\}/g, (blank) => (blank.includes('hash') ? '0'.repeat(64) : 'patient:1'))
    .replaceAll(/\bID\b/g, 'patient:1');
  return [...filled.matchAll(/[`"](?:npx )?safekeep ([a-z][^`"]*)[`"]/g)].map(([, call = '']) => call);
}

/** What the strings of a source say: without its comments, which call commands by their names alone, and without names of locks and keys. */
function stringsOf(source: string): string {
  return source
    .split('\n')
    .filter((line) => !/^\s*(?:\/\/|\/?\*)/.test(line))
    .map((line) => line.replaceAll(/(?<!\\)`safekeep /g, (tick, place: number) => (isInString(line, place) ? tick : '')))
    .join('\n')
    .replaceAll('\\`', '`');
}

/** A backtick that no string has around it begins one. */
function isInString(line: string, place: number): boolean {
  return line.slice(0, place).split("'").length % 2 === 0;
}

test('every command that a refusal names can be typed as it stands there', () => {
  let named = 0;
  for (const [code, { text, remedy }] of Object.entries(catalogue))
    for (const call of callsIn(`${text} ${remedy}`)) {
      assert.equal(faultOf(call), undefined, `${code}: safekeep ${call}`);
      named += 1;
    }
  assert.ok(named > 60, `${named} are found`);
});

test('every flag, setting and document that a refusal names is there', () => {
  for (const [code, { text, remedy }] of Object.entries(catalogue)) {
    const said = `${text} ${remedy}`;
    for (const [flag] of said.matchAll(/--[a-z][a-z-]*/g)) assert.ok(flags.has(flag), `${code}: ${flag}`);
    for (const [name] of said.matchAll(/SAFEKEEP_[A-Z_]+/g))
      assert.ok(
        settingNames.some((each) => factsOf(each).env.startsWith(name)),
        `${code}: ${name}`,
      );
    for (const [path] of said.matchAll(/docs\/[\w./-]*\w/g)) assert.ok(existsSync(join(ROOT, path)), `${code}: ${path}`);
    assert.doesNotMatch(said, /(?<!safekeep )`(?!safekeep )(?:import|jobs|keys|hold|audit|subject|map|migrate) [a-z]/, code);
  }
});

test('every command that the programs name elsewhere can be typed as it stands there', () => {
  const faults: string[] = [];
  for (const file of globSync('packages/**/*.ts', { cwd: ROOT, exclude: (name) => /node_modules|\.test\.ts$|testing/.test(name) }))
    for (const call of callsIn(stringsOf(readFileSync(join(ROOT, file), 'utf8')))) {
      const fault = faultOf(call);
      if (fault !== undefined) faults.push(`${file}: safekeep ${call}: ${fault}`);
    }
  assert.deepEqual(faults, []);
});
