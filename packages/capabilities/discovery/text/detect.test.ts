import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { kinds, surenessOf } from '../kinds/table.ts';
import { detectText } from './detect.ts';
import type { Entity } from './model.ts';

function told(text: string, depth: 'structured' | 'all' = 'structured'): readonly string[] {
  return detectText(text, { depth }).map(({ type, start, end }) => `${type} ${text.slice(start, end)}`);
}

it('finds what is checked inside a URL', () => {
  const secrets: readonly (readonly [string, string])[] = [
    ['CREDIT_CARD', '4111111111111111'],
    ['API_KEY', 'AKIAIOSFODNN7EXAMPLE'],
    ['JWT', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJl'],
  ];
  for (const [type, value] of secrets)
    for (const host of ['https://example.org', 'www.example.org'])
      for (const types of [[type], undefined]) {
        const text = `see ${host}/pay?card=${value} now`;
        const found = detectText(text, { depth: 'structured', ...(types === undefined ? {} : { types }) });
        assert.deepEqual(
          found.map(({ type: of, start, end }) => [of, text.slice(start, end)]),
          [[type, value]],
          text,
        );
      }
});

describe('structured kinds in text', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['Write to anna.meyer@example.org, please.', ['EMAIL_ADDRESS anna.meyer@example.org']],
    ['Müller@exämple.de', ['EMAIL_ADDRESS Müller@exämple.de']],
    ['see http://192.0.2.17:8080/a?b=c now', ['URL http://192.0.2.17:8080/a?b=c']],
    ['see https://example.org/a?b=c. Then', ['URL https://example.org/a?b=c']],
    ['My card 4111 1111 1111 1111 expires 09/27', ['CREDIT_CARD 4111 1111 1111 1111', 'CARD_EXPIRY 09/27']],
    ['pay with 5555555555554444 now', ['CREDIT_CARD 5555555555554444']],
    ['card: 3782-822463-10005', ['CREDIT_CARD 3782-822463-10005']],
    ['cvv 123', ['CARD_VERIFICATION_CODE 123']],
    ['IBAN DE89 3704 0044 0532 0130 00 of Anna', ['IBAN_CODE DE89 3704 0044 0532 0130 00']],
    ['GB29NWBK60161331926819', ['IBAN_CODE GB29NWBK60161331926819']],
    ['SSN: 536-90-4399', ['US_SSN 536-90-4399']],
    ['her social security number is 536904399', ['US_SSN 536904399']],
    ['from 192.0.2.17:8080', ['IP_ADDRESS 192.0.2.17']],
    ['host 2001:db8::8a2e:370:7334 is down', ['IP_ADDRESS 2001:db8::8a2e:370:7334']],
    ['00:1B:44:11:3A:B7', ['MAC_ADDRESS 00:1B:44:11:3A:B7']],
    ['call me at (212) 555-0123', ['PHONE_NUMBER (212) 555-0123']],
    ['phone +49 30 901820', ['PHONE_NUMBER +49 30 901820']],
    ['Fax: 001-420-335-7509x38548', ['PHONE_NUMBER 001-420-335-7509x38548']],
    ['69 987 88 37 office', ['PHONE_NUMBER 69 987 88 37']],
    ['born on 1986-12-27', ['DATE_OF_BIRTH 1986-12-27']],
    ['on 29 March 2017 it rained', ['DATE_TIME 29 March 2017']],
    ['a 50 year old man', ['AGE 50']],
    ['NI number HH012345D', ['UK_NINO HH012345D']],
    ['HETU 131052-308T', ['FI_PERSONAL_IDENTITY_CODE 131052-308T']],
    ['NHS 943 476 5919', ['UK_NHS 943 476 5919']],
    ['PESEL 44051401359', ['PL_PESEL 44051401359']],
    ['身份证号码360426199101010071', ['CN_RESIDENT_ID 360426199101010071']],
    ['NPI 1234567893', ['US_NPI 1234567893']],
    ['ICD-10: E11.9', ['ICD10_CODE E11.9']],
    ["driver's license number is 481195160", ['US_DRIVER_LICENSE 481195160']],
    ['passport C01X00T47', ['PASSPORT C01X00T47']],
    ['MRN 00451289', ['MEDICAL_RECORD_NUMBER 00451289']],
    ['routing 021000021', ['ABA_ROUTING 021000021']],
    [
      'token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJl',
      ['JWT eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJl'],
    ],
    ['key AKIAIOSFODNN7EXAMPLE', ['API_KEY AKIAIOSFODNN7EXAMPLE']],
    ['password: Tr0ub4dor&3', ['SECRET Tr0ub4dor&3']],
    [
      '$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW',
      ['PASSWORD_HASH $2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW'],
    ],
    ['send to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa', ['CRYPTO 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa']],
    ['card 4111111111111111/0927', ['CREDIT_CARD 4111111111111111']],
    ['card 4111 1111 1111 1111/123', ['CREDIT_CARD 4111 1111 1111 1111']],
    ['card 4111-1111-1111-1111/0927', ['CREDIT_CARD 4111-1111-1111-1111']],
    ['cards 4111111111111111-4012888888881881', ['CREDIT_CARD 4111111111111111', 'CREDIT_CARD 4012888888881881']],
    ['4111111111111111-4012888888881881', ['CREDIT_CARD 4111111111111111', 'CREDIT_CARD 4012888888881881']],
    ['(212) 555-0123/(212) 555-0124', ['PHONE_NUMBER (212) 555-0123', 'PHONE_NUMBER (212) 555-0124']],
    ['SSN 536-90-4399/0927', ['US_SSN 536-90-4399']],
    ['VIN 1M8GDM9AXKP042788', ['VIN 1M8GDM9AXKP042788']],
  ];
  for (const [text, wanted] of cases) it(`finds ${wanted.join(' and ')}`, () => assert.deepEqual(told(text), wanted));

  const nothing: readonly string[] = [
    'SSN 999-99-9999',
    '000-12-3456',
    '666-12-3456',
    '912-34-5678',
    '1700000000',
    'took 1700000000 ms',
    'Version 10.2.3.4',
    'v1.2.3.4',
    '4111111111111112',
    'order id 4532015112830366',
    '10:20:30',
    '2 + 2 = 4',
    'a == b && c::d',
    'icon@2x.png',
    'build 20240131.1',
    '550e8400-e29b-41d4-a716-446655440000',
    'da39a3ee5e6b4b0d3255bfef95601890afd80709',
    'ISBN 978-3-16-148410-0',
    '0x7fff5fbff8c0',
    '1,234,567.89',
    '$1,234.56',
  ];
  for (const text of nothing) it(`finds nothing in ${JSON.stringify(text)}`, () => assert.deepEqual(told(text), []));

  it('takes the example of every national number beside its word, and alone', () => {
    const missed = kinds
      .filter(({ family }) => family === 'national')
      .flatMap((kind) => kind.examples.map((value) => ({ kind, value })))
      .filter(({ kind, value }) => {
        const word = (kind.cues ?? '').split('|').find((cue) => /^[^\\[()?]+$/.test(cue)) ?? kind.title;
        const found = detectText(`${word} ${value}`, { depth: 'structured' });
        return !found.some(({ type }) => type === kind.name || kinds.find(({ name }) => name === type)?.cues?.includes(word));
      });
    assert.deepEqual(
      missed.map(({ kind, value }) => `${kind.name} ${value}`),
      [],
    );
    // A number alone may be one of several countries': it is found as one whose check it passes.
    const without = new Set(['EG_NATIONAL_ID', 'LK_NIC', 'ID_NIK', 'GT_CUI', 'CU_NI', 'MY_NRIC']);
    const alone = kinds
      .filter(({ name, family, chance }) => family === 'national' && chance <= 0.1 && !without.has(name))
      .filter(({ examples: [value = ''] }) => detectText(value, { depth: 'structured' }).length === 0);
    assert.deepEqual(
      alone.map(({ name }) => name),
      [],
    );
  });
});

describe('places in the text', () => {
  it('are UTF-16 units of the original, through emoji, marks and full-width digits', () => {
    const card = '４１１１ １１１１ １１１１ １１１１';
    const text = `👩‍👩‍👧 e\u0301 ﬁ card ${card} 👍`;
    const [found] = detectText(text, { depth: 'structured' });
    assert.deepEqual([found?.type, text.slice(found?.start, found?.end)], ['CREDIT_CARD', card]);
  });

  it('do not care for no-break spaces, soft hyphens and zero-width spaces', () => {
    for (const value of [
      '4111\u00A01111\u00A01111\u00A01111',
      '4111\u200B1111\u200B1111\u200B1111',
      '4111\u2011111\u20111111\u20111111'.replace('\u2011111', '\u20111111'),
    ]) {
      const text = `card ${value}!`;
      const [found] = detectText(text, { depth: 'structured' });
      assert.deepEqual([found?.type, text.slice(found?.start, found?.end)], ['CREDIT_CARD', value]);
    }
  });

  it('are right in right-to-left and mixed scripts', () => {
    const text = 'رقم البطاقة 4111 1111 1111 1111 والبريد anna@example.org';
    assert.deepEqual(told(text), ['CREDIT_CARD 4111 1111 1111 1111', 'EMAIL_ADDRESS anna@example.org']);
  });

  it('are the same for full-width letters and digits as for plain ones', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('card 4111111111111111', 'SSN 536-90-4399', 'a@example.org', 'IBAN DE89370400440532013000'),
        (plain) => {
          const wide = plain.replace(/[A-Za-z0-9@.-]/g, (letter) => String.fromCodePoint((letter.codePointAt(0) ?? 0) + 0xfe_e0));
          const where = (entities: readonly Entity[]): readonly unknown[] =>
            entities.map(({ type, start, end }) => [type, start, end]);
          assert.deepEqual(where(detectText(wide, { depth: 'structured' })), where(detectText(plain, { depth: 'structured' })));
        },
      ),
    );
  });
});

describe('any text at all', () => {
  it('gives findings in order, apart, inside of it, and the same again', () => {
    const pieces = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.constantFrom(
        '4111 1111 1111 1111',
        'anna@example.org',
        'Anna Meyer',
        '+49 30 901820',
        '\uD800',
        '\u0000',
        '\n',
        'Dr. ',
        '１２３',
        'DE89370400440532013000',
        ' lives in Berlin ',
      ),
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        const found = detectText(text);
        let reach = 0;
        for (const { start, end, score } of found) {
          assert.ok(start >= reach && end > start && end <= text.length && score > 0 && score <= 1);
          reach = end;
        }
        assert.deepEqual(detectText(text), found);
      }),
      { numRuns: 300 },
    );
  });

  it('finds each checked kind again when its stretch is looked at alone', () => {
    const text = 'card 4111 1111 1111 1111, IBAN DE89370400440532013000, mail a@example.org, SSN 536-90-4399';
    for (const { type, start, end } of detectText(text, { depth: 'structured' })) {
      const kind = kinds.find(({ name }) => name === type);
      assert.ok(kind !== undefined && surenessOf(kind, text.slice(start, end)) > 0);
    }
  });

  it('may hold NULs, lone surrogates and nothing', () => {
    assert.deepEqual(detectText(''), []);
    assert.deepEqual(told('\u0000 \uD800\uDFFF \uDC00 a@example.org \uD83D'), ['EMAIL_ADDRESS a@example.org']);
  });

  it('may be one line of many million letters', () => {
    const line = `${'lorem ipsum dolor sit amet '.repeat(200_000)}card 4111 1111 1111 1111`;
    const found = detectText(line);
    assert.equal(found.at(-1)?.type, 'CREDIT_CARD');
    assert.equal(found.at(-1)?.end, line.length);
  });

  it('may name its secrets in code: what is a name of the program is none, what is written down as one is', () => {
    const secrets = (text: string) => told(text).filter((found) => found.startsWith('SECRET'));
    for (const text of [
      'combine(shares: number, secret: Uint8Array)',
      'Derive one shared secret between two X25519 peers.',
      'password = user.password1;',
      'argon2 = (password, salt, opts = {}) => argon2Async(AT.Argon2d, passwo',
    ])
      assert.deepEqual(secrets(text), [], text);
    for (const [text, value] of [
      ['{"password":"MyPass123","user":"x"}', 'MyPass123'],
      ['pwd=MyPass123, host=x', 'MyPass123'],
      ['The password for the portal is abc123x', 'abc123x'],
      ['Passwort lautet geheim77', 'geheim77'],
      ['Su contraseña es gato123x', 'gato123x'],
      ['Password changed to Winter2024', 'Winter2024'],
    ] as const)
      assert.deepEqual(secrets(text), [`SECRET ${value}`], text);
  });

  it('is looked at for the asked types only', () => {
    const found = detectText('anna@example.org, card 4111 1111 1111 1111', { types: ['EMAIL_ADDRESS'] });
    assert.deepEqual(
      found.map(({ type }) => type),
      ['EMAIL_ADDRESS'],
    );
  });
});

describe('persons, places and organisations', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['My name is Jane Roe and I live in Hamburg.', ['PERSON Jane Roe', 'LOCATION Hamburg']],
    [
      'Dr. Okonkwo works for Meyer & Partner GmbH in Lagos.',
      ['TITLE Dr.', 'PERSON Okonkwo', 'ORGANIZATION Meyer & Partner GmbH', 'LOCATION Lagos'],
    ],
    ['She is French.', ['NRP French']],
    ['The patient suffers from diabetes.', ['HEALTH_CONDITION diabetes']],
    ['He is a catholic.', ['RELIGION catholic']],
  ];
  for (const [text, wanted] of cases) it(`finds ${wanted.join(', ')}`, () => assert.deepEqual(told(text, 'all'), wanted));

  it('takes no word of faith or health without a person beside it', () => {
    assert.deepEqual(
      told('The Catholic church burnt down; blind spots; a depression over Iceland.', 'all').filter((found) =>
        /RELIGION|HEALTH/.test(found),
      ),
      [],
    );
  });
});
