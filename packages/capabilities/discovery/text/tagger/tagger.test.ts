import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { detectText } from '../detect.ts';
import type { Entity } from '../model.ts';
import { packModel, unpackModel } from './model-file.ts';
import { shippedModel } from './tagger.ts';
import { emptyTokens, hashOf, tokenize } from './tokens.ts';

const FILE = join(import.meta.dirname, 'tagger.bin');
const SENTENCES = join(import.meta.dirname, '../../../../../../shared/data/text/generated_small.json');

type Labelled = {
  readonly full_text: string;
  readonly spans: readonly { readonly entity_type: string; readonly start_position: number; readonly end_position: number }[];
};

describe('the tagger', () => {
  it('ships a model below 2 MB, packed and unpacked without loss', async () => {
    assert.ok((await stat(FILE)).size < 2_000_000);
    const bytes = await readFile(FILE);
    assert.ok(packModel(unpackModel(bytes)).equals(bytes));
  });

  it('refuses a damaged model', async () => {
    const bytes = await readFile(FILE);
    for (const damaged of [
      bytes.subarray(0, -1),
      Buffer.concat([bytes, Buffer.from([0])]),
      Buffer.concat([Buffer.from('x'), bytes.subarray(1)]),
    ]) {
      assert.throws(() => unpackModel(damaged), /damaged/);
    }
  });

  it('cuts words at what is no letter, keeps names with apostrophes whole, and leaves a possessive out', () => {
    const tokens = emptyTokens();
    const words = (text: string): readonly string[] => {
      tokenize(text, 0, text.length, tokens);
      return Array.from({ length: tokens.count }, (_, at) => text.slice(tokens.starts[at], tokens.ends[at]));
    };
    assert.deepEqual(words("O'Brien’s don't, Müller-Lüdenscheidt\n12a"), [
      "O'Brien",
      '’',
      's',
      "don't",
      ',',
      'Müller',
      '-',
      'Lüdenscheidt',
      '\n',
      '12a',
    ]);
    assert.equal(hashOf('GRÖßE'), hashOf('größe'));
  });

  it(
    'finds names in text that nobody here wrote',
    { skip: existsSync(SENTENCES) ? false : 'skipped: ../shared/data not present' },
    async () => {
      // The form is that of the file's makers; a wrong one fails on the first line below.
      const items = JSON.parse(await readFile(SENTENCES, 'utf8')) as readonly Labelled[];
      const same: Readonly<Record<string, string>> = { ADDRESS: 'LOCATION' };
      for (const [type, least] of [
        ['PERSON', 0.85],
        ['LOCATION', 0.75],
      ] as const) {
        let [right, wrong, hit, missed] = [0, 0, 0, 0];
        for (const { full_text: text, spans } of items) {
          const wanted = spans.filter((span) => (same[span.entity_type] ?? span.entity_type) === type);
          const found = detectText(text).filter((entity) => entity.type === type);
          const meets = (entity: Entity, span: Labelled['spans'][number]): boolean =>
            entity.start < span.end_position && entity.end > span.start_position;
          const good = found.filter((entity) => wanted.some((span) => meets(entity, span))).length;
          const met = wanted.filter((span) => found.some((entity) => meets(entity, span))).length;
          right += good;
          wrong += found.length - good;
          hit += met;
          missed += wanted.length - met;
        }
        const [precision, recall] = [right / (right + wrong), hit / (hit + missed)];
        const f1 = (2 * precision * recall) / (precision + recall);
        assert.ok(f1 >= least, `${type}: F1 ${f1.toFixed(3)}`);
      }
    },
  );

  it('is read once', () => {
    assert.equal(shippedModel(), shippedModel());
  });
});
