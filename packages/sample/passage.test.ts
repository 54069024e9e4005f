import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelledNotes } from './labelled-notes.ts';
import { readSentences, type EntityType } from './passage.ts';
import { cardNumbers } from './people/identifiers.ts';

const SHAPES: Readonly<Partial<Record<EntityType, RegExp>>> = {
  EMAIL_ADDRESS: /^\S+@example\.(org|com|net)$/i,
  PHONE_NUMBER: /^[+(]?\d[\d ().\-/]+\d$/,
  US_SSN: /^9\d\d-[0-4]\d-\d{4}$/,
  IBAN_CODE: /^[A-Z]{2}\d\d[A-Z0-9]+$/,
  DATE_OF_BIRTH: /^\d\d\/\d\d\/\d{4}$/,
  DATE_TIME: /^\d{4}-\d\d-\d\d$|^\d\d\/\d\d\/\d{4}$/,
  AGE: /^\d{1,3}$/,
  PERSON: /\p{L}/u,
  LOCATION: /\p{L}/u,
};

test('each labelled stretch of a note is what its label says', () => {
  const notes = labelledNotes(2000, 1);
  const seen = new Set<EntityType>();
  for (const { text, spans } of notes) {
    let end = 0;
    for (const span of spans) {
      assert.ok(span.start >= end && span.end > span.start && span.end <= text.length);
      end = span.end;
      seen.add(span.type);
      const stretch = text.slice(span.start, span.end);
      assert.match(stretch, SHAPES[span.type] ?? /\S/);
      if (span.type === 'CREDIT_CARD') assert.ok(cardNumbers.includes(stretch.replaceAll(' ', '')));
    }
  }
  assert.equal(seen.size, 14, 'every kind of stretch occurs');
});

test('labelled notes are the same for the same seed, and others for another', () => {
  assert.deepEqual(labelledNotes(5, 1), labelledNotes(5, 1));
  assert.notDeepEqual(labelledNotes(5, 1), labelledNotes(5, 2));
});

test('a sentence with a blank that nobody can fill is refused', () => {
  assert.throws(() => readSentences(['Hello {pateint}']), /\{pateint\}/);
});
