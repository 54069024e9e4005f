import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';

const BIN = join(import.meta.dirname, '../../../cli/bin/safekeep.mjs');

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'safekeep-detect-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

/** Runs `safekeep detect` with this on its standard input, in an empty folder. */
function detect(cwd: string, args: readonly string[], input: string | Buffer = ''): Promise<Ended> {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [BIN, 'detect', ...args], { cwd, stdio: 'pipe' });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', failed);
    child.once('close', (code) => done({ code, stdout, stderr }));
    Readable.from([Buffer.from(input)]).pipe(child.stdin);
  });
}

const lines = (text: string): readonly unknown[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));

describe('safekeep detect', () => {
  it('prints one line of JSON an item, whatever the form of the input', async (t) => {
    const cwd = await folder(t);
    const found = [{ type: 'EMAIL_ADDRESS', start: 3, end: 19, score: 0.95, validators: ['domain'] }];
    const forms: readonly (readonly [string, string | number])[] = [
      ['to anna@example.org', 1],
      ['{"id":"m1","text":"to anna@example.org"}', 'm1'],
      ['{"full_text":"to anna@example.org"}', 1],
      ['[{"id":7,"full_text":"to anna@example.org"}]', 7],
      ['"to anna@example.org"', 1],
    ];
    for (const [input, id] of forms) {
      const { code, stdout, stderr } = await detect(cwd, ['--json'], input);
      assert.deepEqual([code, lines(stdout)], [0, [{ id, entities: found }]], stderr);
    }
  });

  it('redacts a file line by line, with one pseudonym for one person', async (t) => {
    const cwd = await folder(t);
    const file = join(cwd, 'notes.txt');
    await writeFile(file, 'My name is Jane Roe.\n\nI met Jane Roe; her card is 4111 1111 1111 1111.\n');
    const { code, stdout } = await detect(cwd, [file, '--redact']);
    assert.equal(code, 0);
    assert.equal(stdout, 'My name is [PERSON_1].\n\nI met [PERSON_1]; her card is #### #### #### 1111.\n');
  });

  it('tells a person where and what, not the value', async (t) => {
    const { stdout } = await detect(await folder(t), [], 'nothing\nmail anna@example.org\n');
    assert.equal(stdout, '2:5-21 EMAIL_ADDRESS 0.95\n');
  });

  it('knows patterns and lists of a file', async (t) => {
    const cwd = await folder(t);
    await writeFile(
      join(cwd, 'own.json'),
      '{"patterns":[{"name":"TICKET","pattern":"TCK-[0-9]{6}"}],"allow":["anna@example.org"]}',
    );
    const { stdout } = await detect(cwd, ['--patterns', 'own.json'], 'TCK-004211 by anna@example.org');
    assert.equal(stdout, '1:0-10 TICKET 0.80\n');
  });

  it('refuses what it cannot read, with the code for it', async (t) => {
    const cwd = await folder(t);
    await writeFile(join(cwd, 'bad.json'), '{');
    const refusals: readonly (readonly [readonly string[], string, string])[] = [
      [['nowhere.txt'], '', 'file-unreadable'],
      [[], '"a"\n{"other":1}', 'text-malformed'],
      [['--patterns', 'bad.json'], 'x', 'patterns-invalid'],
    ];
    for (const [args, input, wanted] of refusals) {
      const { code, stdout } = await detect(cwd, ['--json', ...args], input);
      assert.equal(code, 2);
      assert.ok(stdout.includes(`"code": "${wanted}"`) || stdout.includes(`"code":"${wanted}"`), stdout);
    }
  });

  it('refuses a type that nothing finds, instead of passing the text on untouched', async (t) => {
    const cwd = await folder(t);
    await writeFile(
      join(cwd, 'own.json'),
      '{"patterns":[{"name":"TICKET","pattern":"TCK-[0-9]{6}"}],"deny":[{"type":"PROJECT","value":"falcon"}]}',
    );
    for (const args of [['EMAIL', '--redact'], ['PERSON', '--structured'], ['TICKET'], ['POSTAL_CODE']]) {
      const { code, stdout, stderr } = await detect(cwd, ['--types', ...args], 'to anna@example.org');
      assert.deepEqual([code, stdout], [2, ''], args.join(' '));
      assert.match(stderr, new RegExp(`has the type ${args[0] ?? ''}\\. Known are: .*EMAIL_ADDRESS`));
    }
    const own = ['--patterns', 'own.json', '--types', 'TICKET', '--types', 'PROJECT'];
    const { code, stdout } = await detect(cwd, own, 'TCK-004211 of falcon by anna@example.org');
    assert.deepEqual([code, stdout], [0, '1:0-10 TICKET 0.80\n1:14-20 PROJECT 1.00\n']);
  });

  it('takes invalid UTF-8, NULs and a very long line', async (t) => {
    const long = Buffer.concat([
      Buffer.from([0xff, 0x00, 0xfe, 0x0a]),
      Buffer.alloc(3_000_000, 'lorem ipsum '),
      Buffer.from('anna@example.org'),
    ]);
    const { code, stdout } = await detect(await folder(t), ['--json', '--types', 'EMAIL_ADDRESS'], long);
    assert.equal(code, 0);
    assert.deepEqual(lines(stdout), [
      { id: 1, entities: [] },
      { id: 2, entities: [{ type: 'EMAIL_ADDRESS', start: 3_000_000 - 0, end: 3_000_016, score: 0.95, validators: ['domain'] }] },
    ]);
  });
});
