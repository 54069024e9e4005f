import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { allCommands } from './commands.ts';
import { commandPage } from './documentation/commands.ts';

const PACKAGES = join(import.meta.dirname, '..');

/** What declares something in the file, or begins a command in a function or a list of it; it goes up to the next one. */
const BEGINNING = /^(?:export )?(?:async )?(?:const|function) (\w+)|^ {2}(?:const \w+ = )?command\(\{/;

type Part = { readonly declares: string; readonly text: string };

function partsOf(source: string): readonly Part[] {
  const parts: { declares: string; lines: string[] }[] = [];
  for (const line of source.split('\n')) {
    const beginning = BEGINNING.exec(line);
    if (beginning !== null) parts.push({ declares: beginning[1] ?? 'a command', lines: [] });
    parts.at(-1)?.lines.push(line);
  }
  return parts.map(({ declares, lines }) => ({ declares, text: lines.join('\n') }));
}

/** The commands of a file that come to ask for consent: by themselves, or by what they call in it. */
function askingIn(source: string): readonly string[] {
  const parts = partsOf(source);
  const asking = new Set(parts.filter(({ text }) => text.includes('.confirm')));
  for (let before = -1; before < asking.size;) {
    before = asking.size;
    for (const part of parts)
      if ([...asking].some(({ declares }) => new RegExp(`\\b${declares}\\(`).test(part.text))) asking.add(part);
  }
  return [...asking].flatMap(({ text }) => (text.includes('command({') ? (/\bname: '([^']+)'/.exec(text)?.[1] ?? []) : []));
}

const files = globSync('{cli,capabilities}/**/commands{.ts,/*.ts}', { cwd: PACKAGES })
  .filter((file) => !file.endsWith('.test.ts') && !file.includes('node_modules'))
  .map((file) => readFileSync(join(PACKAGES, file), 'utf8'));

/** What is read out of a person's rows, in the clear. */
const GIVING_OUT = ['subject find', 'subject export', 'subject open-export', 'audit history'];

test('every command that asks for consent or gives out personal data is an event of the log, or says why it is none', () => {
  const asking = files.flatMap(askingIn);
  assert.ok(asking.length > 20, asking.join());
  for (const name of [...asking, ...GIVING_OUT]) {
    const command = allCommands.find((each) => each.name === name) ?? assert.fail(`there is no command ${name}`);
    assert.ok(command.event !== undefined, `${name} says nothing of the log`);
    if ('none' in command.event) assert.ok(command.event.none.length > 20, `${name} does not say why`);
  }
});

test('no question for consent stands where it is not seen which command asks it', () => {
  for (const source of files) if (source.includes('.confirm(')) assert.notDeepEqual(askingIn(source), []);
  const elsewhere = globSync('{cli,capabilities}/**/*.ts', { cwd: PACKAGES })
    .filter((file) => !/node_modules|test|commands|testing/.test(file))
    .filter((file) => readFileSync(join(PACKAGES, file), 'utf8').includes('context.confirm('));
  assert.deepEqual(elsewhere, []);
});

test('who asks is read from a source: by itself, through a helper, through a helper of that', () => {
  const source = [
    'const quiet = command({',
    "  name: 'quiet',",
    '});',
    'function outer(openPorts) {',
    '  const asks = command({',
    "    name: 'asks',",
    "    run: (context) => context.confirm('x'),",
    '  });',
    '  const passesOn = command({',
    "    name: 'passes on',",
    '    run: (context) => helper(context),',
    '  });',
    '}',
    'async function helper(context) {',
    '  await further(context);',
    '}',
    "const further = (context) => context.confirm('y');",
  ].join('\n');
  assert.deepEqual(askingIn(source).toSorted(), ['asks', 'passes on']);
});

test('what an event tells or asks for is a part of its own command', () => {
  for (const { name, event, input } of allCommands) {
    if (event === undefined || 'none' in event) continue;
    if (event.onlyWith !== undefined) assert.ok(event.onlyWith in input.properties, name);
    if (event.names === true) assert.ok('subject' in input.properties, name);
    if (event.planned !== undefined) assert.ok('plan' in input.properties, name);
  }
});

test('the page of commands says what each argument is for and which JSON each command gives', () => {
  const page = commandPage();
  assert.equal(page.match(/^JSON: `\{.+\}`$/gm)?.length, allCommands.length);
  assert.deepEqual(page.match(/^\| `[^`]+` \| *(\(required\))?\.? *(Default: \S+)? *\|$/gm), null);
});
