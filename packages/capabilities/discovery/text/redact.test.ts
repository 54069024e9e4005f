import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { detectText, findPersonal } from './detect.ts';
import { readPatterns } from './patterns.ts';
import { Redactor, redactText } from './redact.ts';

describe('redaction', () => {
  it('keeps the format of numbers and the last four of a card', () => {
    assert.equal(
      redactText('card 4111 1111 1111 1111, SSN 536-90-4399, call (212) 555-0123').redacted,
      'card #### #### #### 1111, SSN ###-##-####, call (###) ###-####',
    );
    assert.equal(redactText('mail Anna.M@example.org').redacted, 'mail Xxxx.X@xxxxxxx.xxx');
  });

  it('gives the same person the same mark in all documents of a set, whole name or part', () => {
    const redactor = new Redactor();
    assert.equal(redactText('My name is Jane Roe.', { redactor }).redacted, 'My name is [PERSON_1].');
    assert.equal(
      redactText('I spoke with John Doe and Jane Roe.', { redactor }).redacted,
      'I spoke with [PERSON_2] and [PERSON_1].',
    );
    assert.equal(redactText('Mrs. Roe lives in Berlin.', { redactor }).redacted, '[TITLE_1] [PERSON_1] lives in [LOCATION_1].');
  });

  it('leaves none of what was found in the text', () => {
    const values = fc.constantFrom(
      'anna@example.org',
      '4111 1111 1111 1111',
      'DE89370400440532013000',
      '536-90-4399',
      '+49 30 901820',
      '192.0.2.17',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('mail ', 'card ', 'see ', 'phone '), values), { maxLength: 6 }), (parts) => {
        const text = parts.map(([word, value]) => `${word}${value};`).join(' ');
        const { redacted, entities } = redactText(text, { depth: 'structured' });
        for (const { start, end } of entities) assert.ok(!redacted.includes(text.slice(start, end)));
        assert.deepEqual(
          detectText(redacted, { depth: 'structured' }).filter(({ type }) => type === 'CREDIT_CARD' || type === 'IBAN_CODE'),
          [],
        );
      }),
    );
  });

  it('leaves none of hundreds of addresses in one URL readable', () => {
    const addresses = Array.from({ length: 200 }, (_, at) => `u${at}@ex.org`);
    for (const separator of [',', ';', '&to=']) {
      const { redacted } = redactText(`see https://example.org/?to=${addresses.join(separator)} now`, { depth: 'structured' });
      assert.doesNotMatch(redacted, /u\d/, separator);
    }
  });

  it('leaves nothing of a URL around a card or an address, nor of what overlaps in part', () => {
    const url = 'see https://shop.example.org/quillfeather?card=4111111111111111&mail=zebedee@example.org&name=quillfeather now';
    const { redacted, entities } = redactText(url, { depth: 'structured' });
    assert.match(redacted, /^see \[URL_1\].*1111.* now$/);
    assert.doesNotMatch(redacted, /quillfeather|zebedee|shop|4111/);
    assert.ok(entities.some(({ type }) => type === 'CREDIT_CARD'));
    assert.equal(redactText('Jane Roe jane.roe@example.org').redacted, '[PERSON_1] xxxx.xxx@xxxxxxx.xxx');
    const own = readPatterns(JSON.stringify({ patterns: [{ name: 'FILE_NUMBER', pattern: 'file-[a-z]+ [0-9]{3}' }] }));
    assert.equal(redactText('file-abc 212-555-0123, then', { depth: 'structured', own }).redacted.includes('0123'), false);
  });

  it('covers every place that any finding covers, whatever wins', () => {
    const piece = fc.constantFrom(
      'https://',
      'www.',
      'a@b.org',
      '4111 1111 1111 1111',
      '+49 30 901820',
      '2024-01-31',
      '192.0.2.17',
      '/',
      '?',
      ' ',
      '&x=',
      'DE89370400440532013000',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        const { entities, left } = findPersonal(text, { depth: 'structured' });
        const all = [...entities, ...left].toSorted((a, b) => a.start - b.start);
        for (const [place, { start }] of all.entries()) assert.ok(start >= (all[place - 1]?.end ?? 0));
        for (const type of new Set(all.map((each) => each.type)))
          for (const alone of detectText(text, { depth: 'structured', types: [type] }).filter(({ score }) => score > 0.5))
            for (let at = alone.start; at < alone.end; at += 1)
              if (/[\p{L}\p{N}]/u.test(text[at] ?? ''))
                assert.ok(
                  all.some(({ start, end }) => start <= at && at < end),
                  `${text} at ${at}: ${alone.type}`,
                );
      }),
    );
  });

  it('leaves nothing of a private key, with headers or without', () => {
    const body = 'MIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8Qu\n'.repeat(40);
    for (const header of ['', 'Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0A1B2C3D\n\n']) {
      const text = `key:\n-----BEGIN RSA PRIVATE KEY-----\n${header}${body}-----END RSA PRIVATE KEY-----\nend`;
      assert.equal(redactText(text, { depth: 'structured' }).redacted, 'key:\n[PRIVATE_KEY_1]\nend');
    }
  });

  it('leaves everything else as it was', () => {
    const text = 'nothing here, \u0000 and \uD800 too';
    assert.equal(redactText(text).redacted, text);
  });
});
