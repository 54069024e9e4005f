// Precision and recall of `detect`: on sentences of kept-back templates and names, and on a file of labelled sentences.
// `node packages/capabilities/discovery/text/training/evaluate.ts [--model FILE] [--sentences N] [--file JSON] [--known] [--show]`
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { detectText } from '../detect.ts';
import { unpackModel } from '../tagger/model-file.ts';
import { shippedModel } from '../tagger/tagger.ts';
import { readWords } from './lists.ts';
import { readTemplates, Sentences } from './sentences.ts';
import { measure, print, readLabelled, table, type Labelled } from './score.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    sentences: { type: 'string', default: '3000' },
    file: { type: 'string' },
    show: { type: 'boolean', default: false },
    known: { type: 'boolean', default: false },
  },
});
const model = values.model === undefined ? shippedModel() : unpackModel(await readFile(values.model));
const TYPES = { PER: 'PERSON', LOC: 'LOCATION', ORG: 'ORGANIZATION', ADR: 'LOCATION' } as const;

const labelled = values.file === undefined ? await heldBack(Number(values.sentences)) : await readLabelled(values.file);
const entities = new Set(['PERSON', 'LOCATION', 'ORGANIZATION']);
const result = measure(labelled, (text) => detectText(text, { model }), {
  show: values.show,
  ...(values.file === undefined ? { only: entities } : {}),
});
print(table(result));

async function heldBack(count: number): Promise<readonly Labelled[]> {
  const source = new Sentences(await readWords(), await readTemplates(), values.known ? 'held-known' : 'held', 99);
  return Array.from({ length: count }, () => {
    const { text, spans } = source.next();
    return { text, spans: spans.map(({ label, start, end }) => ({ type: TYPES[label], start, end })) };
  });
}
