import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { categoryOf } from '@safekeep/core';
import { kindNamed, kinds, surenessOf } from './table.ts';

describe('the table of kinds', () => {
  it('names each kind once', () => {
    assert.equal(new Set(kinds.map(({ name }) => name)).size, kinds.length);
  });

  it('has a category, a source, examples and counter-examples for each', () => {
    for (const kind of kinds) {
      assert.ok(categoryOf(kind.category) !== undefined, kind.name);
      assert.ok(kind.source.length > 0 && kind.examples.length > 0 && kind.counterExamples.length > 0, kind.name);
      assert.ok(kind.chance > 0 && kind.chance <= 1, kind.name);
    }
  });

  it('accepts every example and refuses every counter-example', () => {
    const wrong = kinds.flatMap((kind) => [
      ...kind.examples.filter((value) => surenessOf(kind, value) === 0).map((value) => `${kind.name} refuses ${value}`),
      ...kind.counterExamples.filter((value) => surenessOf(kind, value) > 0).map((value) => `${kind.name} accepts ${value}`),
    ]);
    assert.deepEqual(wrong, []);
  });

  it('knows the national numbers of at least forty countries by their check digits', () => {
    const checked = kinds.filter(({ family, chance }) => family === 'national' && chance <= 0.1);
    assert.ok(new Set(checked.map(({ country }) => country)).size >= 40);
  });

  it('believes as little of random values as its chances say', () => {
    const random = seeded(7);
    const far = kinds.flatMap((kind) => {
      if (kind.family === 'words' || kind.family === 'entity') return [];
      const shaped = Array.from({ length: 2_000 }, () => scramble(kind.examples[0] ?? '', random));
      const passed = shaped.filter((value) => surenessOf(kind, value) > 0).length / shaped.length;
      return passed > kind.chance * 1.5 + 0.004 ? [`${kind.name}: ${passed} against ${kind.chance}`] : [];
    });
    assert.deepEqual(far, []);
  });

  it('is surest of the kind that a value is of', () => {
    assert.equal(kindsOf('DE89370400440532013000')[0], 'IBAN_CODE');
    assert.equal(kindsOf('anna@example.org')[0], 'EMAIL_ADDRESS');
    assert.equal(kindsOf('4111 1111 1111 1111')[0], 'CREDIT_CARD');
  });

  it('refuses the known bad ones', () => {
    const bad = {
      US_SSN: ['999-99-9999', '000-12-3456', '666-12-3456', '912-34-5678'],
      CREDIT_CARD: ['4111 1111 1111 1112', '1234567812345670', '41111111111111111112'],
    };
    for (const [name, values] of Object.entries(bad)) {
      assert.ok(kindNamed(name) !== undefined, name);
      for (const value of values) assert.ok(!kindsOf(value).includes(name), `${name} accepts ${value}`);
    }
  });

  it('answers nothing for an empty or an endless value', () => {
    assert.deepEqual(kindsOf(''), []);
    assert.deepEqual(kindsOf('1'.repeat(1_000_000)), []);
  });
});

/** The kinds that a whole value could be of, the surest first. */
function kindsOf(value: string): readonly string[] {
  return kinds
    .map((kind) => ({ name: kind.name, sureness: surenessOf(kind, value) }))
    .filter(({ sureness }) => sureness > 0)
    .toSorted((a, b) => b.sureness - a.sureness)
    .map(({ name }) => name);
}

/** Mulberry32: the same numbers at every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Other digits and letters at the same places. */
function scramble(value: string, random: () => number): string {
  return value.replace(/[0-9A-Za-z]/g, (letter) => {
    if (/\d/.test(letter)) return String(Math.floor(random() * 10));
    const code = 97 + Math.floor(random() * 26);
    return letter === letter.toLowerCase() ? String.fromCodePoint(code) : String.fromCodePoint(code).toUpperCase();
  });
}
