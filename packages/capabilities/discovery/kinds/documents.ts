import { digitsOf, luhn, weighted } from './check-digits.ts';
import type { KindFacts } from './model.ts';

const LETTER_WORTH: Readonly<Record<string, number>> = {
  A: 1,
  B: 2,
  C: 3,
  D: 4,
  E: 5,
  F: 6,
  G: 7,
  H: 8,
  J: 1,
  K: 2,
  L: 3,
  M: 4,
  N: 5,
  P: 7,
  R: 9,
  S: 2,
  T: 3,
  U: 4,
  V: 5,
  W: 6,
  X: 7,
  Y: 8,
  Z: 9,
};
const VIN_WEIGHTS = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];

/** 49 CFR 565.15: the check digit is required in North America only, so elsewhere the shape needs its word. */
function isVin(value: string): boolean {
  const sum = [...value.toUpperCase()].reduce(
    (total, letter, at) => total + (LETTER_WORTH[letter] ?? Number(letter)) * (VIN_WEIGHTS[at] ?? 0),
    0,
  );
  return value[8]?.toUpperCase() === (sum % 11 === 10 ? 'X' : String(sum % 11));
}

/** 45 CFR 162.406: Luhn over 80840 and the number. */
function isNpi(digits: string): boolean {
  return /^[12]/.test(digits) && luhn(`80840${digits}`);
}

/** 21 CFR 1301: registrant letter, first letter of the name, six digits and their check digit. */
function isDea(value: string): boolean {
  const digits = digitsOf(value);
  return weighted(digits, [1, 2, 1, 2, 1, 2]) % 10 === Number(digits[6]);
}

/** The check digit of ICAO 9303: weights 7, 3, 1; letters from 10, `<` is 0. */
function mrzCheck(text: string): number {
  const worth = (letter: string): number => (letter === '<' ? 0 : Number.parseInt(letter, 36));
  return [...text].reduce((sum, letter, at) => sum + worth(letter) * ([7, 3, 1][at % 3] ?? 0), 0) % 10;
}

function isMrz(value: string): boolean {
  return mrzCheck(value.slice(0, 9)) === Number(value[9]) && mrzCheck(value.slice(13, 19)) === Number(value[19]);
}

const HEALTH = 'user.health_and_medical';

export const documentKinds: readonly KindFacts[] = [
  {
    name: 'PASSPORT',
    title: 'passport number',
    family: 'document',
    category: 'user.government_id.passport_number',
    hipaa: 'R',
    source: 'ICAO Doc 9303; Council Regulation (EC) 2252/2004',
    examples: ['C01X00T47', '123456789', 'AB1234567'],
    counterExamples: ['AB', '1234'],
    pattern: /^(?:[A-Z]{1,2}\d{6,8}|[A-Z0-9]{9}|\d{8,9})$/,
    chance: 1,
    validate: (value) => (/\d{3}|\d.{2,}\d/.test(value) ? 0.15 : 0),
    cues: 'passport|reisepass|passeport|pasaporte|passaporto|paspoort|паспорт|护照|旅券',
    needsCue: true,
  },
  {
    name: 'PASSPORT_MRZ',
    title: 'machine readable zone of a passport, second line',
    family: 'document',
    category: 'user.government_id.passport_number',
    hipaa: 'R',
    source: 'ICAO Doc 9303 part 4',
    examples: ['L898902C36UTO7408122F1204159ZE184226B<<<<<10'],
    counterExamples: ['L898902C37UTO7408122F1204159ZE184226B<<<<<10'],
    pattern: /^[A-Z0-9<]{9}\d[A-Z<]{3}\d{7}[MFX<]\d{7}[A-Z0-9<]{14}[0-9<]\d$/,
    validators: ['mrz'],
    validate: (value) => (isMrz(value) ? 0.99 : 0),
    chance: 0.01,
  },
  {
    name: 'US_DRIVER_LICENSE',
    title: 'driving licence number',
    family: 'document',
    category: 'user.government_id.drivers_license_number',
    hipaa: 'K',
    source: '45 CFR 164.514(b)(2)(i)(K); AAMVA DL/ID card design standard',
    examples: ['481195160', 'D1234567', 'S530-4607-9123', 'MORGA753116SM9IJ'],
    counterExamples: ['12', 'ABCDEF'],
    pattern: /^(?=[^\d]{0,12}\d)[A-Z0-9](?:[- ]?[A-Z0-9]){5,17}$/,
    chance: 1,
    validate: (value) => (digitsOf(value).length >= 4 ? 0.1 : 0),
    cues: "driver'?s?'? ?licen[cs]e|driving licen[cs]e|drivers? lic|license (?:number|no|#)|dl ?(?:number|no|#)|f[uü]hrerschein|permis de conduire|licencia de conducir|rijbewijs",
    needsCue: true,
  },
  {
    name: 'VIN',
    title: 'vehicle identification number',
    family: 'document',
    category: 'user.government_id.vehicle_registration',
    hipaa: 'L',
    source: 'ISO 3779; 49 CFR 565.15',
    examples: ['1M8GDM9AXKP042788', '11111111111111111'],
    counterExamples: ['1M8GDM9A1KP042788', 'IM8GDM9AXKP042788'],
    pattern: /^[A-HJ-NPR-Z0-9]{9}[A-HJ-NPR-TV-Y1-9][A-HJ-NPR-Z0-9]{3}\d{4}$/,
    validators: ['vin-check'],
    validate: (value) => (isVin(value) ? 0.85 : 0),
    chance: 0.091,
    cues: 'vin|chassis|vehicle|fahrgestell',
  },
  {
    name: 'LICENSE_PLATE',
    title: 'number plate of a vehicle',
    family: 'document',
    category: 'user.government_id.vehicle_registration',
    hipaa: 'L',
    source: '45 CFR 164.514(b)(2)(i)(L)',
    examples: ['B-MW 1234', 'AB12 CDE', '7ABC123'],
    counterExamples: ['B', '1234567890123'],
    pattern: /^(?=[^\d]{0,8}\d)[A-ZÄÖÜ0-9]{1,4}[- ]?[A-Z0-9]{1,4}[- ]?[A-Z0-9]{0,4}$/,
    chance: 1,
    validate: () => 0.1,
    cues: 'licen[cs]e plate|number plate|plate (?:number|no)|kennzeichen|immatriculation|matricula|registration plate',
    needsCue: true,
  },
  {
    name: 'US_NPI',
    title: 'National Provider Identifier',
    family: 'health',
    country: 'US',
    category: 'user.unique_id',
    hipaa: 'K',
    source: '45 CFR 162.406; CMS',
    examples: ['1234567893', '1245319599'],
    counterExamples: ['1234567890', '3234567893'],
    pattern: /^[12]\d{9}$/,
    validators: ['npi-luhn'],
    validate: (value) => (isNpi(value) ? 0.6 : 0),
    chance: 0.1,
    cues: 'npi|provider id|national provider',
    needsCue: true,
  },
  {
    name: 'US_DEA',
    title: 'DEA registration number',
    family: 'health',
    country: 'US',
    category: 'user.unique_id',
    hipaa: 'K',
    source: '21 CFR 1301; DEA Diversion Control Division',
    examples: ['BB1388568', 'AP5836727'],
    counterExamples: ['BB1388569', 'QB1388568'],
    pattern: /^[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7}$/,
    validators: ['dea'],
    validate: (value) => (isDea(value) ? 0.8 : 0),
    chance: 0.1,
    cues: 'dea',
    needsCue: true,
  },
  {
    name: 'ICD10_CODE',
    title: 'diagnosis code (ICD-10)',
    family: 'health',
    category: `${HEALTH}.diagnosis`,
    hipaa: null,
    source: 'WHO ICD-10; 45 CFR 162.1002',
    examples: ['E11.9', 'F32.1', 'M54.50', 'S72.001A'],
    counterExamples: ['E1', 'V8', '11.9'],
    pattern: /^[A-TV-Z]\d[0-9AB](?:\.[0-9A-TV-Z]{1,4})?$/,
    chance: 1,
    validate: (value) => (value.includes('.') ? 0.4 : 0.15),
    cues: 'icd|icd-?10|diagnos[ei]s|dx|diagnose|condition|befund',
    needsCue: true,
  },
  {
    name: 'MEDICAL_RECORD_NUMBER',
    title: 'medical record number',
    family: 'health',
    category: `${HEALTH}.record_id`,
    hipaa: 'H',
    source: '45 CFR 164.514(b)(2)(i)(H)',
    examples: ['MRN-004512', '00451289', 'A1234567'],
    counterExamples: ['12', 'PATIENT'],
    pattern: /^(?=[^\d]{0,6}\d)(?:[A-Z]{1,4}-?)?\d{4,12}$/,
    chance: 1,
    validate: (value) => (/^MRN/i.test(value) ? 0.8 : 0.1),
    cues: 'mrn|medical record|med\\.? ?rec|patient (?:id|no|number)|chart (?:no|number)|patienten-?(?:nr|nummer|id)|record number',
    needsCue: true,
  },
  {
    name: 'HEALTH_INSURANCE_NUMBER',
    title: 'number of a health plan beneficiary',
    family: 'health',
    category: `${HEALTH}.insurance_beneficiary_id`,
    hipaa: 'I',
    source: '45 CFR 164.514(b)(2)(i)(I); CMS, Medicare Beneficiary Identifier',
    examples: ['1EG4-TE5-MK73', 'A123456780', 'XYZ123456789'],
    counterExamples: ['0EG4-TE5-MK73', '12'],
    pattern:
      /^(?:[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-?[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-?[AC-HJKMNP-RT-Y]{2}\d{2}|[A-Z]\d{9}|[A-Z]{2,3}\d{6,12})$/,
    validators: ['mbi-shape', 'kvnr'],
    validate: (value) => {
      if (/^[A-Z]\d{9}$/.test(value)) return isKvnr(value) ? 0.7 : 0.1;
      return /^\d/.test(value) ? 0.7 : 0.1;
    },
    chance: 1,
    cues: 'medicare|mbi|member id|policy (?:no|number)|insurance (?:id|no|number)|beneficiary|kvnr|versichertennummer|krankenversicherten\\w*|subscriber|group (?:no|number)',
    needsCue: true,
  },
  {
    name: 'EMPLOYEE_ID',
    title: 'number of an employee, member or customer',
    family: 'document',
    category: 'user.unique_id',
    hipaa: 'R',
    source: 'GDPR Art. 4(1): an identification number',
    examples: ['EMP-10442', '104425'],
    counterExamples: ['EMP', '1'],
    pattern: /^(?=[^\d]{0,6}\d)(?:[A-Z]{1,5}-?)?\d{3,12}$/,
    chance: 1,
    validate: () => 0.1,
    cues: 'employee (?:id|no|number)|staff (?:id|no|number)|personalnummer|student (?:id|no|number)|customer (?:id|no|number)|kundennummer|membership (?:no|number)',
    needsCue: true,
  },
];

/** § 290 SGB V: the letter as two digits, then weights 1 and 2 in turn, digit sums, modulo 10. */
function isKvnr(value: string): boolean {
  const digits = String(value.charCodeAt(0) - 64).padStart(2, '0') + value.slice(1);
  const sum = Array.from(digits.slice(0, 10)).reduce((total, digit, at) => {
    const product = Number(digit) * (at % 2 === 0 ? 1 : 2);
    return total + (product > 9 ? product - 9 : product);
  }, 0);
  return sum % 10 === Number(digits[10]);
}
