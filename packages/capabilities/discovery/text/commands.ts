import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { SafekeepError } from '@safekeep/core';
import { expectShortLives } from '@safekeep/postgres';
import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import { command, type CommandContext } from '../../capability.ts';
import { expectTypes, findPersonal, type DetectOptions } from './detect.ts';
import { readItems, type Item } from './items.ts';
import { Entity } from './model.ts';
import { readPatterns } from './patterns.ts';
import { Redactor } from './redact.ts';

const DetectInput = Type.Object({
  file: Type.Optional(Type.String({ description: 'the file; what is piped in when it is left out' })),
  redact: Type.Boolean({ description: 'give the text back with masks and pseudonyms for what was found', default: false }),
  types: Type.Optional(Type.Array(Type.String(), { description: 'only this type, e.g. EMAIL_ADDRESS; see docs/kinds.md' })),
  structured: Type.Boolean({
    description: 'only what shapes and checks find: faster, without persons, places and organisations',
    default: false,
  }),
  patterns: Type.Optional(Type.String({ description: 'a JSON file with patterns (RE2), an allow and a deny list of your own' })),
});

const DetectResult = Type.Object({
  id: Type.Union([Type.String(), Type.Integer()], { description: 'the id of the item, or its number' }),
  entities: Type.Array(Entity),
  redacted: Type.Optional(Type.String()),
});

/** Longest a file of patterns may be. */
const MOST_PATTERN_BYTES = 8 * 1024 * 1024;
/** Lines are written together until so many letters have come. */
const BATCH = 32 * 1024;

export const detect = command({
  name: 'detect',
  summary: 'find personal data in text: lines, JSON lines or a JSON array',
  positionals: [{ key: 'file', label: 'FILE', description: 'the file to read; standard input when left out', optional: true }],
  input: DetectInput,
  output: DetectResult,
  example: 'safekeep detect notes.txt --redact',
  run: async (context, input) => {
    expectShortLives();
    const options = await optionsOf(input);
    const redactor = input.redact ? new Redactor() : undefined;
    const progress = context.progress('Reading', { unit: 'texts' });
    const out = new Batch(context);
    let done = 0;
    try {
      for await (const item of readItems(source(input.file, context.signal))) {
        const line = lineOf(item, options, { redactor, json: context.json });
        // Waiting costs a turn of the loop: only where something was written.
        if (line !== undefined && out.add(line)) await out.flush();
        done += 1;
        progress.update(done);
      }
    } finally {
      await out.flush();
      progress.end();
    }
    return { result: { id: done, entities: [] }, streamed: true };
  },
  render: () => '',
});

/** Few writes of many lines: a write for each would take longer than finding. */
class Batch {
  readonly #context: CommandContext;
  #lines: string[] = [];
  #size = 0;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  /** Whether it is time to write. */
  add(line: string): boolean {
    this.#lines.push(line);
    this.#size += line.length;
    return this.#size > BATCH;
  }

  async flush(): Promise<void> {
    const lines = this.#lines;
    this.#lines = [];
    this.#size = 0;
    if (lines.length > 0) await this.#context.stream(lines.join('\n'));
  }
}

function lineOf(
  { id, text }: Item,
  options: DetectOptions,
  told: { readonly redactor: Redactor | undefined; readonly json: boolean },
): string | undefined {
  const { entities, left } = findPersonal(text, options);
  const redacted = told.redactor?.redact(text, [...entities, ...left]);
  if (told.json) return JSON.stringify({ id, entities, ...(redacted === undefined ? {} : { redacted }) });
  if (redacted !== undefined) return redacted;
  // For a person at a terminal: where and what, not the value, which would stay in the scrollback.
  return entities.length === 0
    ? undefined
    : entities.map(({ type, start, end, score }) => `${id}:${start}-${end} ${type} ${score.toFixed(2)}`).join('\n');
}

async function optionsOf({ types, structured, patterns }: Static<typeof DetectInput>): Promise<DetectOptions> {
  const options: DetectOptions = {
    depth: structured ? 'structured' : 'all',
    ...(types === undefined || types.length === 0 ? {} : { types }),
    ...(patterns === undefined ? {} : { own: readPatterns(await readSmall(patterns)) }),
  };
  expectTypes(options);
  return options;
}

async function readSmall(path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (bytes.length > MOST_PATTERN_BYTES) throw new SafekeepError('patterns-invalid', { problem: 'It is larger than 8 MiB.' });
  return bytes.toString('utf8');
}

async function* source(path: string | undefined, signal: AbortSignal): AsyncGenerator<Buffer> {
  const stream: AsyncIterable<Buffer> = path === undefined ? process.stdin : createReadStream(path, { highWaterMark: 256 * 1024 });
  try {
    for await (const chunk of stream) {
      if (signal.aborted)
        throw new SafekeepError('interrupted', { action: 'Reading', kept: 'What was found until then was told.' });
      yield chunk;
    }
  } catch (error) {
    throw path === undefined || error instanceof SafekeepError ? error : unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): SafekeepError {
  const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  return new SafekeepError('file-unreadable', { path, reason }, { cause: error });
}
