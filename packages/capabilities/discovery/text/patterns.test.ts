import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSafekeepError } from '@safekeep/core';
import { detectText } from './detect.ts';
import { readPatterns, scanPatterns } from './patterns.ts';

const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return isSafekeepError(error) ? error.code : String(error);
  }
  return 'nothing was thrown';
};

describe('patterns and lists of a customer', () => {
  const own = readPatterns(
    JSON.stringify({
      patterns: [
        { name: 'TICKET', pattern: String.raw`TCK-\d{6}` },
        { name: 'WARD', pattern: String.raw`\b[A-Z]\d\b`, cues: ['ward'] },
      ],
      allow: ['support@example.org'],
      deny: [{ type: 'PROJECT', value: 'Blue Heron' }],
    }),
  );

  it('find their own kinds, allow and deny', () => {
    const text = 'TCK-004211 for support@example.org and anna@example.org about blue  heron, Blue Heron, ward B7 and C8';
    const found = detectText(text, { own, depth: 'structured' }).map(({ type, start, end }) => `${type} ${text.slice(start, end)}`);
    assert.deepEqual(found, ['TICKET TCK-004211', 'EMAIL_ADDRESS anna@example.org', 'PROJECT Blue Heron', 'WARD B7', 'WARD C8']);
  });

  it('run in time in proportion to the text, whatever the pattern', () => {
    const evil = readPatterns('{"patterns":[{"name":"EVIL","pattern":"(a+)+$"}]}');
    assert.deepEqual(detectText(`${'a'.repeat(30_000)}!`, { own: evil, depth: 'structured' }), []);
  });

  it('are stopped when they take too long', () => {
    const slow = readPatterns(String.raw`{"patterns":[{"name":"SLOW","pattern":"(?:\\w{0,60}x){0,12}y"}]}`);
    assert.equal(
      code(() => scanPatterns('wx '.repeat(400_000), slow, () => {}, 0)),
      'pattern-too-slow',
    );
  });

  it('deny words however they are written: sharp s, ligatures, marks', () => {
    const denied = readPatterns(
      '{"deny":[{"type":"PROJECT","value":"Großprojekt Weiße Möwe"},{"type":"PROJECT","value":"œuvre"}]}',
    );
    for (const [text, from, to] of [
      ['das GROSSPROJEKT WEISSE MOWE läuft', 4, 28],
      ['das Großprojekt Weiße Mo\u0308we, läuft', 4, 27],
      ['une oeuvre', 4, 10],
      ['une Œuvre.', 4, 9],
    ] as const)
      assert.deepEqual(
        detectText(text, { own: denied, depth: 'structured' }).map(({ start, end }) => [start, end]),
        [[from, to]],
        text,
      );
    assert.deepEqual(detectText('Großprojekt Weiße Möwen, œuvres', { own: denied, depth: 'structured' }), []);
  });

  it('are refused when they are too large to be stopped in time', () => {
    const file = (pattern: string) => JSON.stringify({ patterns: [{ name: 'LARGE', pattern }] });
    assert.equal(
      code(() => readPatterns(file('(?:(?:abcdefghij){100}x?){20}y'))),
      'patterns-invalid',
    );
    const slow = readPatterns(file('(?:[a-z]{0,90}[0-9]?){0,10}[xyz]'));
    const began = performance.now();
    assert.equal(
      code(() => scanPatterns('abcdefgh '.repeat(400_000), slow, () => {}, 50)),
      'pattern-too-slow',
    );
    // One piece of the text, on a machine that is busy with others.
    assert.ok(performance.now() - began < 20_000);
  });

  it('are refused when they are no patterns of RE2 or of another form', () => {
    for (const text of [
      '{',
      '[]',
      '{"patterns":[{"name":"X1","pattern":"(?=a)"}]}',
      '{"patterns":[{"name":"lower","pattern":"a"}]}',
      '{"patterns":[{"name":"X1","pattern":"a*"}]}',
      '{"more":1}',
    ]) {
      assert.equal(
        code(() => readPatterns(text)),
        'patterns-invalid',
        text,
      );
    }
  });

  it('find a match that lies across two windows once', () => {
    const text = `${' '.repeat(262_140)}TCK-004211 ${' '.repeat(300_000)}TCK-004212`;
    assert.equal(detectText(text, { own, depth: 'structured' }).filter(({ type }) => type === 'TICKET').length, 2);
  });
});
