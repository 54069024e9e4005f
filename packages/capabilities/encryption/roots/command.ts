import { spawn } from 'node:child_process';
import { isAbsolute } from 'node:path';
import { Type } from '@safekeep/core/schema';
import type { Static, TSchema } from 'typebox';
import Schema from 'typebox/schema';
import { SafekeepError } from '@safekeep/core';
import type { Root } from './root.ts';

// The program is started for each call. It reads one JSON document from stdin and writes one to stdout:
//   {"protocol":"safekeep-root/1","operation":"describe"}                    -> {"id":"…","detail":"…"}
//   {"protocol":"safekeep-root/1","operation":"wrap","key":"<base64>"}       -> {"wrapped":"<base64>"}
//   {"protocol":"safekeep-root/1","operation":"unwrap","wrapped":"<base64>"} -> {"key":"<base64>"}
//   {"protocol":"safekeep-root/1","operation":"destroy"}                     -> {"at":"<ISO 8601>"} or {"unsupported":true}
// Nothing of it stands in the arguments, which every user of the machine can read.

const ANSWER_BYTES_AT_MOST = 65_536;
const Id = Type.String({ minLength: 1, maxLength: 500 });
const Description = Type.Object({ id: Id, detail: Type.Optional(Type.String({ maxLength: 500 })) });
const Wrapped = Type.Object({ wrapped: Type.String({ minLength: 1 }) });
const Unwrapped = Type.Object({ key: Type.String({ minLength: 1 }) });
const Destruction = Type.Union([Type.Object({ at: Type.String() }), Type.Object({ unsupported: Type.Literal(true) })]);
/** What a program needs to run; none of our secrets. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TZ', 'SYSTEMROOT'];

export type CommandOptions = {
  /** Absolute path. */
  readonly program: string;
  readonly timeoutMs: number;
};

/** A root behind a program: a KMS, an HSM, a vault. Throws `key-root-unfit`, `key-root-unreachable`. */
export async function commandRoot(options: CommandOptions): Promise<Root> {
  if (!isAbsolute(options.program))
    throw new SafekeepError('key-root-unfit', { root: 'command', reason: 'SAFEKEEP_ROOT_COMMAND is not an absolute path' });
  const described = await ask(options, { operation: 'describe' }, Description);
  return {
    kind: 'command',
    id: described.id,
    wrap: async (key) => {
      const { wrapped } = await ask(options, { operation: 'wrap', key: Buffer.from(key).toString('base64') }, Wrapped);
      return Buffer.from(wrapped, 'base64');
    },
    unwrap: async (wrapped) => {
      const { key } = await ask(options, { operation: 'unwrap', wrapped: Buffer.from(wrapped).toString('base64') }, Unwrapped);
      return Buffer.from(key, 'base64');
    },
    describe: async () => `${described.detail ?? described.id}, asked through ${options.program}`,
    destroy: async () => {
      const answer = await ask(options, { operation: 'destroy' }, Destruction);
      if (!('at' in answer)) return 'unsupported';
      const at = new Date(answer.at);
      if (Number.isNaN(at.getTime())) throw unreachable(options, 'it says no day of destruction');
      return { at };
    },
  };
}

async function ask<const Answer extends TSchema>(
  options: CommandOptions,
  question: object,
  answer: Answer,
): Promise<Static<Answer>> {
  const text = await talk(options, JSON.stringify({ protocol: 'safekeep-root/1', ...question }));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Neither the text nor the parser's message is told: either may hold a key.
    throw unreachable(options, 'its answer is no JSON');
  }
  if (!Schema.Check(answer, value)) throw unreachable(options, 'its answer has not the form that was asked for');
  return value;
}

async function talk(options: CommandOptions, question: string): Promise<string> {
  const { program, timeoutMs } = options;
  const env = Object.fromEntries(PASSED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'ignore'], env });
  const answer: Buffer[] = [];
  let sizeBytes = 0;
  const give = (reason: string, cause?: unknown): void => {
    child.kill('SIGKILL');
    reject(unreachable(options, reason, cause));
  };
  const timer = setTimeout(() => give(`no answer within ${timeoutMs} ms`), timeoutMs);
  child.on('error', (cause) => give('it cannot be started', cause));
  // A program that ends without reading: what it ended with is told by 'close'.
  child.stdin.on('error', () => undefined);
  child.stdout.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length;
    answer.push(chunk);
    if (sizeBytes > ANSWER_BYTES_AT_MOST) give('its answer is too long');
  });
  child.on('close', (code, signal) => {
    if (code === 0) resolve(Buffer.concat(answer).toString('utf8'));
    else reject(unreachable(options, `it ended with ${code ?? signal}`));
  });
  child.stdin.end(question);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

function unreachable({ program }: CommandOptions, reason: string, cause?: unknown): SafekeepError {
  return new SafekeepError('key-root-unreachable', { root: program, reason }, { cause });
}
