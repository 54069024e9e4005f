import { isValidBIC, isValidIBAN } from 'ibantools';
import { digitsOf, isRepeated, isSequence, luhn, weighted } from './check-digits.ts';
import type { KindFacts } from './model.ts';

/**
 * Issuer ranges and lengths (ISO/IEC 7812; the networks' published BIN tables). A number of another range can be a card of a
 * shop, but one in ten random numbers passes Luhn: without a range it is not believed.
 */
const ISSUERS: readonly (readonly [range: RegExp, lengths: readonly number[]])[] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720))/, [16]],
  [/^3[47]/, [15]],
  [/^3(?:0[0-59]|[689])/, [14, 15, 16, 17, 18, 19]],
  [/^(?:6011|64[4-9]|65)/, [16, 17, 18, 19]],
  [/^(?:62|81)/, [16, 17, 18, 19]],
  [/^35(?:2[89]|[3-8]\d)/, [16, 17, 18, 19]],
  [/^(?:50|5[6-9]|6[0137-9])/, [12, 13, 14, 15, 16, 17, 18, 19]],
  [/^220[0-4]/, [16, 17, 18, 19]],
  [/^(?:1800|2131)/, [15, 16]],
];

export function isCardNumber(value: string): boolean {
  const digits = digitsOf(value);
  if (digits.length < 12 || digits.length > 19 || isRepeated(digits) || isSequence(digits)) return false;
  return ISSUERS.some(([range, lengths]) => lengths.includes(digits.length) && range.test(digits)) && luhn(digits);
}

/** Cards as they are printed: in fours, or 4-6-5 (and 4-6-4). Other groups are no card. */
function cardSureness(value: string): number {
  if (!isCardNumber(value)) return 0;
  return /^(?:\d{4}[ -]){2,3}\d{1,7}$|^\d{4}[ -]\d{6}[ -]\d{4,5}$/.test(value) ? 0.97 : 0.85;
}

/** ABA: Federal Reserve districts, thrifts, electronic and traveller's cheques; weights 3, 7, 1. */
function isRouting(digits: string): boolean {
  return (
    /^(?:0[1-9]|1[0-2]|2[1-9]|3[0-2]|6[1-9]|7[0-2]|80)/.test(digits) && weighted(digits, [3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 === 0
  );
}

/** The countries of ISO 3166 as the third pair of a BIC: without them every word of eight capitals would be one. */
const CARD = 'user.financial.credit_card';

export const financialKinds: readonly KindFacts[] = [
  {
    name: 'CREDIT_CARD',
    title: 'payment card number (PAN)',
    family: 'financial',
    category: `${CARD}.number`,
    source: 'ISO/IEC 7812-1; PCI DSS 4.0.1',
    examples: ['4111 1111 1111 1111', '378282246310005', '5555555555554444', '6759649826438453'],
    counterExamples: ['4111111111111112', '1234567890123456', '0000000000000000', '4111-1111-1111'],
    pattern: /^\d(?:[ -]?\d){11,18}$/,
    validators: ['luhn', 'issuer'],
    validate: cardSureness,
    chance: 0.05,
    cues: 'card|visa|master ?card|amex|maestro|credit|debit|pan|carte|karte|tarjeta',
  },
  {
    name: 'CARD_EXPIRY',
    title: 'card expiry',
    family: 'financial',
    category: `${CARD}.expiry`,
    source: 'PCI DSS 4.0.1, account data',
    examples: ['09/27', '12/2028'],
    counterExamples: ['13/27', '00/27'],
    pattern: /^(?:0[1-9]|1[0-2]) ?\/ ?(?:\d{2}|20\d{2})$/,
    chance: 0.12,
    validators: ['month'],
    validate: () => 0.3,
    cues: 'exp(?:iry|ires?|iration|\\.)?|valid thru|good thru|gültig bis',
    needsCue: true,
  },
  {
    name: 'CARD_VERIFICATION_CODE',
    title: 'card verification code (CVV, CVC, CID)',
    family: 'financial',
    category: `${CARD}.verification_code`,
    source: 'PCI DSS 4.0.1, requirement 3.3.1.2',
    examples: ['123', '4321'],
    counterExamples: ['12', '12345'],
    pattern: /^\d{3,4}$/,
    chance: 1,
    validate: () => 0.1,
    cues: 'cvv2?|cvc2?|cid|csc|security code|prüfziffer|kartenprüfnummer|cryptogramme',
    needsCue: true,
  },
  {
    name: 'CARD_PIN',
    title: 'personal identification number',
    family: 'financial',
    category: `${CARD}.pin`,
    source: 'PCI DSS 4.0.1, requirement 3.3.1.3',
    examples: ['4821'],
    counterExamples: ['48', '4821999999999'],
    pattern: /^\d{4,6}$/,
    chance: 1,
    validate: () => 0.1,
    cues: 'pin|pin code|pin number|geheimzahl',
    needsCue: true,
  },
  {
    name: 'CARD_TRACK',
    title: 'magnetic stripe data',
    family: 'financial',
    category: `${CARD}.track`,
    source: 'ISO/IEC 7813; PCI DSS 4.0.1, requirement 3.3.1.1',
    examples: [';4111111111111111=27091011234567890?', '%B4111111111111111^DOE/JANE^2709101123456789?'],
    counterExamples: [';4111111111111112=2709?'],
    pattern: /^(?:%B\d{12,19}\^[^^?]{2,26}\^\d{7}[^?]{0,60}\?|;\d{12,19}=\d{7}\d{0,20}\?)$/,
    validators: ['luhn'],
    chance: 0.05,
    validate: (value) => (isCardNumber(/\d{12,19}/.exec(value)?.[0] ?? '') ? 0.99 : 0),
  },
  {
    name: 'IBAN_CODE',
    title: 'international bank account number',
    family: 'financial',
    category: 'user.financial.bank_account',
    hipaa: 'J',
    source: 'ISO 13616; SWIFT IBAN registry',
    examples: ['DE89 3704 0044 0532 0130 00', 'GB29NWBK60161331926819', 'FR1420041010050500013M02606'],
    counterExamples: ['DE89 3704 0044 0532 0130 01', 'XX89370400440532013000'],
    pattern: /^[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}$/,
    validators: ['mod97', 'country-length'],
    validate: (value) => (isValidIBAN(value.replace(/[ -]/g, '').toUpperCase()) ? 0.99 : 0),
    chance: 0.0103,
    cues: 'iban|account|konto|bank',
  },
  {
    name: 'SWIFT_BIC',
    title: 'bank identifier code',
    family: 'financial',
    category: 'user.financial.bank_account',
    hipaa: null,
    source: 'ISO 9362',
    examples: ['DEUTDEFF', 'NWBKGB2LXXX'],
    counterExamples: ['DEUTXXFF', 'DEUT'],
    pattern: /^[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?$/,
    validators: ['country'],
    validate: (value) => (isValidBIC(value) ? 0.5 : 0),
    chance: 0.37,
    cues: 'bic|swift',
    needsCue: true,
  },
  {
    name: 'ABA_ROUTING',
    title: 'ABA routing number',
    family: 'financial',
    country: 'US',
    category: 'user.financial.bank_account',
    hipaa: 'J',
    source: 'ABA Routing Number Policy; 12 CFR 229 appendix A',
    examples: ['021000021', '011401533'],
    counterExamples: ['021000022', '991000021'],
    pattern: /^\d{9}$/,
    validators: ['aba'],
    validate: (value) => (isRouting(value) ? 0.6 : 0),
    chance: 0.044,
    cues: 'routing|aba|rtn',
    needsCue: true,
  },
  {
    name: 'US_BANK_ACCOUNT',
    title: 'bank account number',
    family: 'financial',
    category: 'user.financial.bank_account',
    hipaa: 'J',
    source: '45 CFR 164.514(b)(2)(i)(J)',
    examples: ['12345678901'],
    counterExamples: ['123', '12345678901234567890'],
    pattern: /^\d{6,17}$/,
    chance: 1,
    validate: () => 0.1,
    cues: 'bank account|account (?:number|no|#)|acct|kontonummer|a/c',
    needsCue: true,
  },
];
