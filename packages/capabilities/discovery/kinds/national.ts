import { createRequire } from 'node:module';
import type * as Stdnum from 'stdnum';
import { digitsOf, isDay, isRepeated, isSequence, luhn, verhoeff, weighted } from './check-digits.ts';
import type { KindFacts } from './model.ts';

const NATIONAL = 'user.government_id.national_identification_number';

type Row = {
  readonly name: string;
  readonly country: string;
  readonly title: string;
  readonly source: string;
  readonly pattern: RegExp;
  readonly cues: string;
  readonly examples: readonly string[];
  readonly counterExamples: readonly string[];
  readonly chance: number;
  /** Key of stdnum, or our own check where it has none or another opinion than the issuer. */
  readonly check: string | ((value: string) => boolean);
  /** Its punctuation or letters tell it from other numbers, so that no word beside it is needed. */
  readonly distinct?: true;
  readonly category?: string;
};

let loaded: typeof Stdnum.stdnum | undefined;

/** Loaded with the first number that is checked: it is a tenth of a second of start that most commands have no use for. */
function library(): typeof Stdnum.stdnum {
  // What a package exports is known to the compiler by its types, which are named here.
  loaded ??= (createRequire(import.meta.url)('stdnum') as typeof Stdnum).stdnum;
  return loaded;
}

/** stdnum's validator `key` of a country. A key that is not there is a fault of this table, found by its test. */
function standard(country: string, key: string): (value: string) => boolean {
  return (value) => {
    const validator = library()[country]?.[key];
    if (validator === undefined) throw new Error(`stdnum knows no ${country}.${key}`);
    return validator.validate(value).isValid || validator.validate(value.replace(/[\s./()-]/g, '')).isValid;
  };
}

const CERTAIN = 0.95;

function national({ check, country, distinct, category, ...row }: Row): KindFacts {
  const holds = typeof check === 'string' ? standard(country, check) : check;
  return {
    ...row,
    country,
    family: 'national',
    category: category ?? NATIONAL,
    validators: [typeof check === 'string' ? `${country.toLowerCase()}-${check}` : row.name.toLowerCase().replaceAll('_', '-')],
    validate: (value) => (holds(value) ? Math.max(0.3, CERTAIN - row.chance) : 0),
    needsCue: distinct !== true,
  };
}

const NINE = /^\d{9}$/;
const ELEVEN = /^\d{11}$/;

/** SSA: no 000, 666 or 9xx area, no 00 group, no 0000 serial; and the numbers that advertisements made famous. */
function isSsn(value: string): boolean {
  const digits = digitsOf(value);
  if (/^(?:000|666|9)/.test(digits) || digits.slice(3, 5) === '00' || digits.endsWith('0000')) return false;
  return !['078051120', '219099999', '123456789', '457555462'].includes(digits) && !isRepeated(digits);
}

function isNhs(value: string): boolean {
  const digits = digitsOf(value);
  const check = 11 - (weighted(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11);
  return !isRepeated(digits) && (check === 11 ? 0 : check) === Number(digits[9]);
}

function isMedicareAu(value: string): boolean {
  const digits = digitsOf(value);
  return /^[2-6]/.test(digits) && weighted(digits, [1, 3, 7, 9, 1, 3, 7, 9]) % 10 === Number(digits[8]);
}

function isNric(value: string): boolean {
  const weights = [2, 7, 6, 5, 4, 3, 2];
  const prefix = value.slice(0, 1).toUpperCase();
  const offset = { S: 0, F: 0, T: 4, G: 4, M: 3 }[prefix] ?? 0;
  const rest = (weighted(value.slice(1), weights) + offset) % 11;
  const letters = { S: 'JZIHGFEDCBA', T: 'JZIHGFEDCBA', F: 'XWUTRQPNMLK', G: 'XWUTRQPNMLK', M: 'XWUTRQPNJLK' }[prefix];
  return letters?.[prefix === 'M' ? 10 - rest : rest] === value.slice(-1).toUpperCase();
}

function isSnils(value: string): boolean {
  const digits = digitsOf(value);
  const sum = weighted(digits, [9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101;
  return !isRepeated(digits.slice(0, 9)) && (sum === 100 ? 0 : sum) === Number(digits.slice(9));
}

function isKazakhIin(digits: string): boolean {
  if (!isDay(2000 + Number(digits.slice(0, 2)), Number(digits.slice(2, 4)), Number(digits.slice(4, 6)))) return false;
  const first = weighted(digits, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) % 11;
  const rest = first === 10 ? weighted(digits, [3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]) % 11 : first;
  return /^.{6}[0-6]/.test(digits) && rest === Number(digits[11]);
}

function isLatvian(value: string): boolean {
  const digits = digitsOf(value);
  if (digits.startsWith('32')) return true;
  if (!isDay(2000 + Number(digits.slice(4, 6)), Number(digits.slice(2, 4)), Number(digits.slice(0, 2)))) return false;
  const rest = (1101 - weighted(digits, [1, 6, 3, 7, 9, 10, 5, 8, 4, 2])) % 11;
  return rest === Number(digits[10]) && /[0-2]/.test(digits[6] ?? '');
}

function isTaj(value: string): boolean {
  const digits = digitsOf(value);
  return !isRepeated(digits) && weighted(digits, [3, 7, 3, 7, 3, 7, 3, 7]) % 10 === Number(digits[8]);
}

function isHungarianTax(digits: string): boolean {
  return weighted(digits, [1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 === Number(digits[9]);
}

function isMyNumber(value: string): boolean {
  const digits = digitsOf(value);
  const rest = weighted(digits, [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
  return !isRepeated(digits) && (rest <= 1 ? 0 : 11 - rest) === Number(digits[11]);
}

function isLuxembourgish(digits: string): boolean {
  if (!isDay(Number(digits.slice(0, 4)), Number(digits.slice(4, 6)), Number(digits.slice(6, 8)))) return false;
  return luhn(digits.slice(0, 12)) && verhoeff(digits.slice(0, 11) + digits.slice(12));
}

function isIranian(digits: string): boolean {
  const rest = weighted(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
  return !isRepeated(digits) && (rest < 2 ? rest : 11 - rest) === Number(digits[9]);
}

function isKuwaiti(digits: string): boolean {
  if (!/^[23]/.test(digits) || !isDay(2000 + Number(digits.slice(1, 3)), Number(digits.slice(3, 5)), Number(digits.slice(5, 7))))
    return false;
  return 11 - (weighted(digits, [2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11) === Number(digits[11]);
}

function isEmirates(value: string): boolean {
  return luhn(digitsOf(value));
}

function isDutch(value: string): boolean {
  const digits = digitsOf(value).padStart(9, '0');
  return (
    !isRepeated(digits) && digits !== '123456782' && (weighted(digits, [9, 8, 7, 6, 5, 4, 3, 2]) - Number(digits[8])) % 11 === 0
  );
}

/** CPR numbers given since 2007 need no longer pass mod 11 (CPR-kontoret): the date is what can be checked. */
function isDanish(value: string): boolean {
  const digits = digitsOf(value);
  return isDay(2000 + Number(digits.slice(4, 6)), Number(digits.slice(2, 4)), Number(digits.slice(0, 2)));
}

/** Aadhaar: no 0 or 1 in front, Verhoeff, no palindrome (UIDAI circular). */
function isAadhaar(value: string): boolean {
  const digits = digitsOf(value);
  return verhoeff(digits) && digits !== [...digits].toReversed().join('');
}

function isNino(value: string): boolean {
  return !/^(?:BG|GB|NK|KN|TN|NT|ZZ)/.test(value.toUpperCase());
}

function isSwedish(value: string): boolean {
  const digits = digitsOf(value).slice(-10);
  const day = Number(digits.slice(4, 6));
  return luhn(digits) && isDay(2000 + Number(digits.slice(0, 2)), Number(digits.slice(2, 4)), day > 60 ? day - 60 : day);
}

function isHongKong(value: string): boolean {
  const bare = value.toUpperCase().replace(/[()\s]/g, '');
  const letters = bare.slice(0, -7).padStart(2, ' ');
  const worth = (letter: string): number => (letter === ' ' ? 36 : letter.charCodeAt(0) - 55);
  const sum = worth(letters[0] ?? ' ') * 9 + worth(letters[1] ?? ' ') * 8 + weighted(bare.slice(-7, -1), [7, 6, 5, 4, 3, 2]);
  const check = (11 - (sum % 11)) % 11;
  return bare.slice(-1) === (check === 10 ? 'A' : String(check));
}

/** RRN numbers given since October 2020 have no check digit: the date and the seventh digit are what can be checked. */
function isKorean(value: string): boolean {
  const digits = digitsOf(value);
  return isDay(2000 + Number(digits.slice(0, 2)), Number(digits.slice(2, 4)), Number(digits.slice(4, 6))) && digits[6] !== '0';
}

function isIsraeli(value: string): boolean {
  const digits = digitsOf(value).padStart(9, '0');
  return luhn(digits) && !isRepeated(digits) && !isSequence(digits.slice(1));
}

function isSaudi(digits: string): boolean {
  return /^[12]/.test(digits) && luhn(digits);
}

/** A month and a day that exist stand at the given places. */
function holdsMonthAndDay(value: string, monthAt: number, dayAt: number): boolean {
  const digits = digitsOf(value);
  return isDay(2000, Number(digits.slice(monthAt, monthAt + 2)), Number(digits.slice(dayAt, dayAt + 2)));
}

/** Egypt: century, birth date, governorate; the check digit's rule was never published. */
function isEgyptian(digits: string): boolean {
  return /^[23]/.test(digits) && holdsMonthAndDay(digits, 3, 5) && /^(?:0[1-4]|1[1-9]|2[1-9]|3[1-5]|88)$/.test(digits.slice(7, 9));
}

/** NIK: district, birth date (women plus 40 on the day), serial; no check digit. */
function isIndonesian(digits: string): boolean {
  const day = Number(digits.slice(6, 8));
  return /^[1-9]/.test(digits) && isDay(2000, Number(digits.slice(8, 10)), day > 40 ? day - 40 : day) && !digits.endsWith('0000');
}

/** Sri Lanka: year and day of the year, 500 added for women; the rule of the check digit was never published. */
function isSriLankan(value: string): boolean {
  const day = Number(value.length === 12 ? value.slice(4, 7) : value.slice(2, 5)) % 500;
  return day >= 1 && day <= 366 && (value.length < 12 || /^(?:19|20)/.test(value));
}

/** INSEE: month (or a code for an unknown one), 97 less the rest of thirteen digits; Corsica's letters count as 19 and 18. */
function isNir(value: string): boolean {
  const bare = value.replace(/\s/g, '').replace('2A', '19').replace('2B', '18');
  return /^.{3}(?:0[1-9]|1[0-2]|[2-9]\d)/.test(bare) && 97 - (Number(bare.slice(0, 13)) % 97) === Number(bare.slice(13));
}

const rows: readonly Row[] = [
  {
    name: 'US_SSN',
    country: 'US',
    title: 'Social Security number',
    source: '42 U.S.C. 405(c)(2); ssa.gov, Social Security number randomization',
    pattern: /^(?:\d{3}-\d{2}-\d{4}|\d{3} \d{2} \d{4}|\d{9})$/,
    cues: 'ssn|social security|social sec|soc(?:ial)? ?#|ss ?#|ssan',
    examples: ['536-90-4399', '219 09 9998'],
    counterExamples: ['999-99-9999', '000-12-3456', '666-12-3456', '123-00-4567', '078-05-1120'],
    chance: 0.9,
    check: isSsn,
  },
  {
    name: 'US_ITIN',
    country: 'US',
    title: 'Individual Taxpayer Identification Number',
    source: 'IRS, Form W-7',
    pattern: /^9\d{2}[- ]?(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])[- ]?\d{4}$/,
    cues: 'itin|taxpayer id',
    examples: ['912-70-1234'],
    counterExamples: ['912-12-1234'],
    chance: 0.045,
    check: () => true,
  },
  {
    name: 'UK_NHS',
    country: 'GB',
    title: 'NHS number',
    source: 'NHS Data Dictionary, NHS number',
    pattern: /^\d{3}[ -]?\d{3}[ -]?\d{4}$/,
    cues: 'nhs',
    examples: ['943 476 5919'],
    counterExamples: ['943 476 5918'],
    chance: 0.091,
    check: isNhs,
    category: 'user.health_and_medical.record_id',
  },
  {
    name: 'UK_NINO',
    country: 'GB',
    title: 'National Insurance number',
    source: 'HMRC, National Insurance Manual NIM39110',
    pattern: /^[A-CEGHJ-PR-TW-Za-ceghj-pr-tw-z][A-CEGHJ-NPR-TW-Za-ceghj-npr-tw-z] ?\d{2} ?\d{2} ?\d{2} ?[A-Da-d]$/,
    cues: 'nino|national insurance|ni number|ni no',
    examples: ['HH012345D', 'AB 12 34 56 C'],
    counterExamples: ['QQ123456C', 'BG123456A'],
    chance: 0.09,
    check: isNino,
    distinct: true,
  },
  {
    name: 'DE_TAX_ID',
    country: 'DE',
    title: 'Steueridentifikationsnummer',
    source: '§ 139b AO; BZSt',
    pattern: /^\d{2} ?\d{3} ?\d{3} ?\d{3}$/,
    cues: 'steuer-?id|idnr|id-?nr|tax id|tin|steuerliche|steueridentifikation',
    examples: ['36 574 261 809'],
    counterExamples: ['36574261890'],
    chance: 0.01,
    check: 'idnr',
  },
  {
    name: 'DE_PENSION_INSURANCE',
    country: 'DE',
    title: 'Rentenversicherungsnummer',
    source: '§ 147 SGB VI; VKVV',
    pattern: /^\d{2} ?\d{6} ?[A-Z] ?\d{3}$/,
    cues: 'rentenversicherung|sozialversicherung|svnr|rvnr|sv-?nummer|pension insurance',
    examples: ['15 070649 C 103'],
    counterExamples: ['15 070649 C 104'],
    chance: 0.03,
    check: 'svnr',
    distinct: true,
  },
  {
    name: 'AT_SOCIAL_SECURITY',
    country: 'AT',
    title: 'Sozialversicherungsnummer',
    source: '§ 31 ASVG',
    pattern: /^\d{4} ?\d{6}$/,
    cues: 'svnr|sv-?nr|sozialversicherung|versicherungsnummer|vsnr',
    examples: ['1237 010180'],
    counterExamples: ['2237 010180'],
    chance: 0.01,
    check: 'vnr',
  },
  {
    name: 'CH_AHV',
    country: 'CH',
    title: 'AHV-Nummer (NAVS13)',
    source: 'Art. 50c AHVG; GS1 check digit',
    pattern: /^756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}$/,
    cues: 'ahv|avs|oasi|navs',
    examples: ['756.9217.0769.85'],
    counterExamples: ['756.9217.0769.84'],
    chance: 0.1,
    check: 'ssn',
    distinct: true,
  },
  {
    name: 'FR_NIR',
    country: 'FR',
    title: 'numéro de sécurité sociale (NIR)',
    source: 'INSEE; décret n° 82-103',
    pattern: /^[1-478] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}$/,
    cues: 'nir|securite sociale|insee|secu|numero ss',
    examples: ['2 95 10 99 126 111 93'],
    counterExamples: ['2 95 10 99 126 111 92'],
    chance: 0.01,
    check: isNir,
    distinct: true,
  },
  {
    name: 'FR_TAX_ID',
    country: 'FR',
    title: 'numéro fiscal (SPI)',
    source: 'OECD, TIN France',
    pattern: /^[0-3]\d ?\d{2} ?\d{3} ?\d{3} ?\d{3}$/,
    cues: 'fiscal|spi|impot',
    examples: ['30 23 217 600 053'],
    counterExamples: ['30 23 217 600 054'],
    chance: 0.002,
    check: 'nif',
  },
  {
    name: 'BE_NATIONAL_NUMBER',
    country: 'BE',
    title: 'rijksregisternummer',
    source: 'Wet van 8 augustus 1983 (Rijksregister)',
    pattern: /^\d{2}[. ]?\d{2}[. ]?\d{2}[- ]?\d{3}[. ]?\d{2}$/,
    cues: 'rijksregister|insz|niss|registre national|national number|rrn',
    examples: ['85.07.30-033 28'],
    counterExamples: ['85.07.30-033 29'],
    chance: 0.01,
    check: 'nn',
  },
  {
    name: 'NL_BSN',
    country: 'NL',
    title: 'burgerservicenummer',
    source: 'Wet algemene bepalingen burgerservicenummer',
    pattern: /^\d{4}\.?\d{2}\.?\d{3}$|^\d{8}$/,
    cues: 'bsn|burgerservice|sofi',
    examples: ['111222333', '1112.22.333'],
    counterExamples: ['111252333'],
    chance: 0.091,
    check: isDutch,
  },
  {
    name: 'LU_NATIONAL_ID',
    country: 'LU',
    title: 'numéro d’identification national',
    source: 'Loi du 19 juin 2013',
    pattern: /^(?:18|19|20)\d{11}$/,
    cues: 'matricule|identification national|cns|national id',
    examples: ['1893120105732'],
    counterExamples: ['1893120105733'],
    chance: 0.003,
    check: isLuxembourgish,
  },
  {
    name: 'ES_NIF',
    country: 'ES',
    title: 'DNI/NIF',
    source: 'Real Decreto 1553/2005',
    pattern: /^\d{8}[- ]?[A-HJ-NP-TV-Za-hj-np-tv-z]$/,
    cues: 'dni|nif|documento nacional',
    examples: ['54362315K', '54362315-K'],
    counterExamples: ['54362315Z'],
    chance: 0.046,
    check: 'dni',
    distinct: true,
  },
  {
    name: 'ES_NIE',
    country: 'ES',
    title: 'número de identidad de extranjero',
    source: 'Real Decreto 557/2011',
    pattern: /^[XYZxyz]-?\d{7}-?[A-HJ-NP-TV-Za-hj-np-tv-z]$/,
    cues: 'nie|extranjero',
    examples: ['X2482300W'],
    counterExamples: ['X2482300A'],
    chance: 0.046,
    check: 'nie',
    distinct: true,
  },
  {
    name: 'ES_SOCIAL_SECURITY',
    country: 'ES',
    title: 'número de afiliación a la Seguridad Social',
    source: 'Seguridad Social',
    pattern: /^\d{2}[ /-]?\d{7,8}[ /-]?\d{2}$/,
    cues: 'seguridad social|nss|afiliacion|naf',
    examples: ['281234567840'],
    counterExamples: ['281234567841'],
    chance: 0.012,
    check: 'nss',
  },
  {
    name: 'PT_NIF',
    country: 'PT',
    title: 'número de identificação fiscal',
    source: 'Decreto-Lei n.º 14/2013',
    pattern: /^[1-35689]\d{2} ?\d{3} ?\d{3}$/,
    cues: 'nif|contribuinte|fiscal',
    examples: ['501964843'],
    counterExamples: ['501964842'],
    chance: 0.1,
    check: 'nif',
  },
  {
    name: 'PT_CITIZEN_CARD',
    country: 'PT',
    title: 'cartão de cidadão',
    source: 'Lei n.º 7/2007',
    pattern: /^\d{8} ?\d ?[A-Z0-9]{2}\d$/,
    cues: 'cartao de cidadao|citizen card|bilhete de identidade',
    examples: ['00000000 0 ZZ4'],
    counterExamples: ['00000000 0 ZZ3'],
    chance: 0.1,
    check: 'cc',
  },
  {
    name: 'IT_FISCAL_CODE',
    country: 'IT',
    title: 'codice fiscale',
    source: 'DM 23 dicembre 1976',
    pattern: /^[A-Za-z]{6} ?[0-9LMNP-V]{2} ?[A-EHLMPR-Ta-ehlmpr-t] ?[0-9LMNP-V]{2} ?[A-Za-z] ?[0-9LMNP-V]{3} ?[A-Za-z]$/,
    cues: 'codice fiscale|cod\\.? ?fisc|c\\.?f\\.?',
    examples: ['RCCMNL83S18D969H'],
    counterExamples: ['RCCMNL83S18D969A'],
    chance: 0.03,
    check: 'codicefiscale',
    distinct: true,
  },
  {
    name: 'SE_PERSONNUMMER',
    country: 'SE',
    title: 'personnummer',
    source: 'Folkbokföringslag (1991:481) 18 §',
    pattern: /^(?:19|20)?\d{6}[-+]?\d{4}$/,
    cues: 'personn(?:ummer|r)|pers\\.? ?nr|personal identity|samordningsnummer',
    examples: ['880320-0016', '19880320-0016'],
    counterExamples: ['880320-0018'],
    chance: 0.01,
    check: isSwedish,
  },
  {
    name: 'NO_FODSELSNUMMER',
    country: 'NO',
    title: 'fødselsnummer',
    source: 'Folkeregisterloven; Skatteetaten',
    pattern: /^\d{6} ?\d{5}$/,
    cues: 'f[oø]dselsn(?:umme)?r|personn(?:ummer|r)|f\\.?nr|d-nummer',
    examples: ['151086 95088'],
    counterExamples: ['15108695077'],
    chance: 0.0015,
    check: 'fodselsnummer',
  },
  {
    name: 'DK_CPR',
    country: 'DK',
    title: 'CPR-nummer',
    source: 'CPR-loven; CPR-kontoret',
    pattern: /^\d{6}-?\d{4}$/,
    cues: 'cpr|personnummer',
    examples: ['211062-5629'],
    counterExamples: ['321062-5629'],
    chance: 0.037,
    check: isDanish,
  },
  {
    name: 'FI_PERSONAL_IDENTITY_CODE',
    country: 'FI',
    title: 'henkilötunnus',
    source: 'Väestötietolaki 661/2009; DVV',
    pattern: /^\d{6}[-+A-FU-Ya-fu-y]\d{3}[0-9A-Ya-y]$/,
    cues: 'hetu|henkil[oö]tunnus|personbeteckning|personal identity code',
    examples: ['131052-308T'],
    counterExamples: ['131052-308U'],
    chance: 0.004,
    check: 'hetu',
    distinct: true,
  },
  {
    name: 'IS_KENNITALA',
    country: 'IS',
    title: 'kennitala',
    source: 'Þjóðskrá',
    pattern: /^[0-7]\d{5}-?\d{3}[089]$/,
    cues: 'kennitala|kt\\.?',
    examples: ['450401-3150', '120174-3399'],
    counterExamples: ['120174-3389'],
    chance: 0.01,
    check: 'kennitala',
  },
  {
    name: 'EE_ISIKUKOOD',
    country: 'EE',
    title: 'isikukood',
    source: 'EVS 585:2007',
    pattern: /^[1-8]\d{10}$/,
    cues: 'isikukood|personal code|ik',
    examples: ['36805280109'],
    counterExamples: ['36805280108'],
    chance: 0.08,
    check: 'ik',
  },
  {
    name: 'LT_ASMENS_KODAS',
    country: 'LT',
    title: 'asmens kodas',
    source: 'Gyventojų registro įstatymas',
    pattern: /^[1-6]\d{10}$/,
    cues: 'asmens kodas|a\\.?k\\.?|personal code',
    examples: ['33309240064'],
    counterExamples: ['33309240164'],
    chance: 0.004,
    check: 'asmens',
  },
  {
    name: 'LV_PERSONAS_KODS',
    country: 'LV',
    title: 'personas kods',
    source: 'Fizisko personu reģistra likums',
    pattern: /^\d{6}-?\d{5}$/,
    cues: 'personas kods|p\\.?k\\.?|personal code',
    examples: ['161175-19997'],
    counterExamples: ['161175-19996'],
    chance: 0.012,
    check: isLatvian,
  },
  {
    name: 'PL_PESEL',
    country: 'PL',
    title: 'PESEL',
    source: 'Ustawa o ewidencji ludności',
    pattern: ELEVEN,
    cues: 'pesel',
    examples: ['44051401359'],
    counterExamples: ['44051401358'],
    chance: 0.02,
    check: 'pesel',
  },
  {
    name: 'PL_NIP',
    country: 'PL',
    title: 'NIP',
    source: 'Ustawa o zasadach ewidencji podatników',
    pattern: /^\d{3}-?\d{3}-?\d{2}-?\d{2}$/,
    cues: 'nip',
    examples: ['8567346215'],
    counterExamples: ['8567346216'],
    chance: 0.091,
    check: 'nip',
  },
  {
    name: 'CZ_RODNE_CISLO',
    country: 'CZ',
    title: 'rodné číslo',
    source: 'Zákon č. 133/2000 Sb.',
    pattern: /^\d{6}\/?\d{3,4}$/,
    cues: 'rodn[eé] cislo|rodne c|r\\.? ?c\\.?|birth number',
    examples: ['710319/2745'],
    counterExamples: ['710319/2746'],
    chance: 0.01,
    check: 'rc',
  },
  {
    name: 'SK_RODNE_CISLO',
    country: 'SK',
    title: 'rodné číslo',
    source: 'Zákon č. 301/1995 Z. z.',
    pattern: /^\d{6}\/?\d{3,4}$/,
    cues: 'rodn[eé] cislo|birth number',
    examples: ['7103192745'],
    counterExamples: ['7103192746'],
    chance: 0.01,
    check: 'rc',
  },
  {
    name: 'HU_TAJ',
    country: 'HU',
    title: 'TAJ-szám',
    source: '1996. évi XX. törvény',
    pattern: /^\d{3}[ -]?\d{3}[ -]?\d{3}$/,
    cues: 'taj|tarsadalombiztosit',
    examples: ['123456788'],
    counterExamples: ['123456789'],
    chance: 0.1,
    check: isTaj,
  },
  {
    name: 'HU_TAX_ID',
    country: 'HU',
    title: 'adóazonosító jel',
    source: '1996. évi XX. törvény',
    pattern: /^8\d{9}$/,
    cues: 'adoazonosito|ado ?szam|tax id',
    examples: ['8071592153'],
    counterExamples: ['8071592154'],
    chance: 0.091,
    check: isHungarianTax,
  },
  {
    name: 'RO_CNP',
    country: 'RO',
    title: 'cod numeric personal',
    source: 'OUG 97/2005',
    pattern: /^[1-9]\d{12}$/,
    cues: 'cnp|cod numeric',
    examples: ['1630615123457'],
    counterExamples: ['1630615123458'],
    chance: 0.004,
    check: 'cnp',
  },
  {
    name: 'BG_EGN',
    country: 'BG',
    title: 'ЕГН',
    source: 'Закон за гражданската регистрация',
    pattern: /^\d{10}$/,
    cues: 'егн|egn|единен граждански',
    examples: ['7523169263', '8032056031'],
    counterExamples: ['7523169262'],
    chance: 0.1,
    check: 'egn',
  },
  {
    name: 'GR_AMKA',
    country: 'GR',
    title: 'ΑΜΚΑ',
    source: 'ν. 3655/2008',
    pattern: ELEVEN,
    cues: 'αμκα|amka',
    examples: ['01013099997'],
    counterExamples: ['01013099999'],
    chance: 0.004,
    check: 'amka',
  },
  {
    name: 'GR_AFM',
    country: 'GR',
    title: 'ΑΦΜ',
    source: 'ΑΑΔΕ',
    pattern: NINE,
    cues: 'αφμ|afm',
    examples: ['094259216'],
    counterExamples: ['123456781'],
    chance: 0.1,
    check: 'vat',
  },
  {
    name: 'HR_OIB',
    country: 'HR',
    title: 'OIB',
    source: 'Zakon o osobnom identifikacijskom broju; ISO 7064',
    pattern: ELEVEN,
    cues: 'oib|osobni identifikacijski',
    examples: ['33392005961'],
    counterExamples: ['33392005962'],
    chance: 0.1,
    check: 'oib',
  },
  {
    name: 'SI_EMSO',
    country: 'SI',
    title: 'EMŠO',
    source: 'Zakon o centralnem registru prebivalstva',
    pattern: /^\d{13}$/,
    cues: 'emso|emšo',
    examples: ['0101006500006'],
    counterExamples: ['0101006500007'],
    chance: 0.004,
    check: 'emso',
  },
  {
    name: 'YU_JMBG',
    country: 'RS',
    title: 'JMBG',
    source: 'Zakon o jedinstvenom matičnom broju građana',
    pattern: /^\d{13}$/,
    cues: 'jmbg|јмбг|ембг|maticni broj|матични број',
    examples: ['0101006500006'],
    counterExamples: ['0101006500007'],
    chance: 0.004,
    check: 'jmbg',
  },
  {
    name: 'IE_PPS',
    country: 'IE',
    title: 'PPS number',
    source: 'Social Welfare Consolidation Act 2005, s. 262',
    pattern: /^\d{7}[A-Wa-w][ABHWTXZabhwtxz]?$/,
    cues: 'pps|ppsn|personal public service',
    examples: ['6433435F', '6433435OA'],
    counterExamples: ['6433435E'],
    chance: 0.045,
    check: 'pps',
    distinct: true,
  },
  {
    name: 'TR_TCKN',
    country: 'TR',
    title: 'T.C. kimlik no',
    source: '5490 sayılı Nüfus Hizmetleri Kanunu',
    pattern: /^[1-9]\d{10}$/,
    cues: 'tckn|kimlik|tc ?no|t\\.c\\.',
    examples: ['17291716060'],
    counterExamples: ['17291716050'],
    chance: 0.011,
    check: 'tckimlik',
  },
  {
    name: 'IL_ID',
    country: 'IL',
    title: 'מספר זהות',
    source: 'Population Registry Law 5725-1965',
    pattern: /^\d{7,8}-?\d$/,
    cues: 'תעודת זהות|מספר זהות|ת\\.?ז|teudat|israeli id|mispar zehut',
    examples: ['3933742-3'],
    counterExamples: ['3933742-2'],
    chance: 0.1,
    check: isIsraeli,
  },
  {
    name: 'SA_NATIONAL_ID',
    country: 'SA',
    title: 'national identity or iqama number',
    source: 'National Information Center',
    pattern: /^[12]\d{9}$/,
    cues: 'iqama|national id|رقم الهوية|هوية|إقامة',
    examples: ['1000000008'],
    counterExamples: ['1000000007'],
    chance: 0.1,
    check: isSaudi,
  },
  {
    name: 'AE_EMIRATES_ID',
    country: 'AE',
    title: 'Emirates ID',
    source: 'Federal Authority for Identity (ICP)',
    pattern: /^784-?(?:19|20)\d{2}-?\d{7}-?\d$/,
    cues: 'emirates id|eid|هوية',
    examples: ['784-1984-1234567-4'],
    counterExamples: ['784-1984-1234567-8'],
    chance: 0.1,
    check: isEmirates,
    distinct: true,
  },
  {
    name: 'KW_CIVIL_ID',
    country: 'KW',
    title: 'civil ID',
    source: 'Public Authority for Civil Information',
    pattern: /^[23]\d{11}$/,
    cues: 'civil id|البطاقة المدنية',
    examples: ['273032401582'],
    counterExamples: ['273032401587'],
    chance: 0.004,
    check: isKuwaiti,
  },
  {
    name: 'EG_NATIONAL_ID',
    country: 'EG',
    title: 'national number',
    source: 'Civil Status Law 143/1994',
    pattern: /^[23]\d{13}$/,
    cues: 'الرقم القومي|national id|national number',
    examples: ['28801011234567'],
    counterExamples: ['28813011234567'],
    chance: 0.01,
    check: isEgyptian,
  },
  {
    name: 'IR_NATIONAL_CODE',
    country: 'IR',
    title: 'کد ملی',
    source: 'National Organization for Civil Registration',
    pattern: /^\d{10}$/,
    cues: 'کد ?ملی|code melli|melli',
    examples: ['0084575948'],
    counterExamples: ['0084575947'],
    chance: 0.091,
    check: isIranian,
  },
  {
    name: 'RU_INN',
    country: 'RU',
    title: 'ИНН',
    source: 'Приказ ФНС ЕД-7-14/559@',
    pattern: /^\d{12}$/,
    cues: 'инн|inn',
    examples: ['123456789047'],
    counterExamples: ['123456789037'],
    chance: 0.0083,
    check: 'inn',
  },
  {
    name: 'RU_SNILS',
    country: 'RU',
    title: 'СНИЛС',
    source: 'Федеральный закон № 27-ФЗ',
    pattern: /^\d{3}-?\d{3}-?\d{3}[ -]?\d{2}$/,
    cues: 'снилс|snils',
    examples: ['112-233-445 95'],
    counterExamples: ['112-233-445 96'],
    chance: 0.01,
    check: isSnils,
  },
  {
    name: 'UA_RNTRC',
    country: 'UA',
    title: 'РНОКПП',
    source: 'Податковий кодекс України, ст. 70',
    pattern: /^\d{10}$/,
    cues: 'рнокпп|іпн|ідентифікаційний|rntrc|ipn',
    examples: ['1759013776'],
    counterExamples: ['1759013775'],
    chance: 0.1,
    check: 'rntrc',
  },
  {
    name: 'KZ_IIN',
    country: 'KZ',
    title: 'ИИН',
    source: 'Закон РК № 223-III',
    pattern: /^\d{12}$/,
    cues: 'иин|жсн|iin',
    examples: ['850101300015'],
    counterExamples: ['850101300016'],
    chance: 0.002,
    check: isKazakhIin,
  },
  {
    name: 'CN_RESIDENT_ID',
    country: 'CN',
    title: '居民身份证号码',
    source: 'GB 11643-1999',
    pattern: /^[1-9]\d{16}[\dXx]$/,
    cues: '身份证|resident id|identity card|id card',
    examples: ['360426199101010071', '11010519491231002X'],
    counterExamples: ['360426199101010072'],
    chance: 0.0005,
    check: 'ric',
    distinct: true,
  },
  {
    name: 'HK_ID',
    country: 'HK',
    title: 'HKID',
    source: 'Registration of Persons Ordinance, cap. 177',
    pattern: /^[A-Z]{1,2}\d{6}(?:\([0-9A]\)|[0-9A])$/,
    cues: 'hkid|hong kong id|身份證',
    examples: ['G123456(A)', 'AB987654(3)'],
    counterExamples: ['G123456(1)'],
    chance: 0.091,
    check: isHongKong,
  },
  {
    name: 'TW_NATIONAL_ID',
    country: 'TW',
    title: '國民身分證統一編號',
    source: '戶籍法',
    pattern: /^[A-Z][1289]\d{8}$/,
    cues: '身分證|身份證|national id|統一編號',
    examples: ['A123456789', 'A200501505'],
    counterExamples: ['A123456788'],
    chance: 0.1,
    check: 'natid',
  },
  {
    name: 'JP_MY_NUMBER',
    country: 'JP',
    title: '個人番号 (My Number)',
    source: '行政手続における特定の個人を識別するための番号の利用等に関する法律; 平成26年総務省令第85号',
    pattern: /^\d{4}[ -]?\d{4}[ -]?\d{4}$/,
    cues: 'マイナンバー|個人番号|my ?number',
    examples: ['123456789018'],
    counterExamples: ['123456789012'],
    chance: 0.1,
    check: isMyNumber,
  },
  {
    name: 'KR_RRN',
    country: 'KR',
    title: '주민등록번호',
    source: '주민등록법',
    pattern: /^\d{6}-?[1-9]\d{6}$/,
    cues: '주민등록|rrn|resident registration',
    examples: ['971013-9019902'],
    counterExamples: ['971313-9019902'],
    chance: 0.037,
    check: isKorean,
  },
  {
    name: 'IN_AADHAAR',
    country: 'IN',
    title: 'Aadhaar',
    source: 'Aadhaar Act 2016; UIDAI (Verhoeff)',
    pattern: /^[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}$/,
    cues: 'aadhaar|aadhar|uidai|आधार',
    examples: ['2341 2341 2346'],
    counterExamples: ['2341 2341 2347'],
    chance: 0.1,
    check: isAadhaar,
  },
  {
    name: 'IN_PAN',
    country: 'IN',
    title: 'Permanent Account Number',
    source: 'Income-tax Act 1961, s. 139A',
    pattern: /^[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]$/,
    cues: 'pan|permanent account',
    examples: ['ACUPA7085R'],
    counterExamples: ['ACUXA7085R'],
    chance: 0.39,
    check: 'pan',
    distinct: true,
  },
  {
    name: 'PK_CNIC',
    country: 'PK',
    title: 'CNIC',
    source: 'NADRA Ordinance 2000',
    pattern: /^[1-8]\d{4}-?\d{7}-?[1-9]$/,
    cues: 'cnic|nic|شناختی',
    examples: ['54104-9890578-6'],
    counterExamples: ['94104-9890578-6'],
    chance: 0.5,
    check: 'cnic',
  },
  {
    name: 'LK_NIC',
    country: 'LK',
    title: 'NIC',
    source: 'Registration of Persons Act No. 32 of 1968',
    pattern: /^(?:\d{9}[VXvx]|\d{12})$/,
    cues: 'nic|national identity card',
    examples: ['199201500013'],
    counterExamples: ['199447848734'],
    chance: 0.015,
    check: isSriLankan,
  },
  {
    name: 'TH_NATIONAL_ID',
    country: 'TH',
    title: 'เลขประจำตัวประชาชน',
    source: 'พระราชบัญญัติทะเบียนราษฎร',
    pattern: /^[1-8]-?\d{4}-?\d{5}-?\d{2}-?\d$/,
    cues: 'บัตรประชาชน|เลขประจำตัว|thai id|national id',
    examples: ['3100600445635', '1-2345-45678-78-1'],
    counterExamples: ['3100600445634'],
    chance: 0.1,
    check: 'idnr',
  },
  {
    name: 'MY_NRIC',
    country: 'MY',
    title: 'MyKad',
    source: 'National Registration Regulations 1990',
    pattern: /^\d{6}-?\d{2}-?\d{4}$/,
    cues: 'nric|mykad|ic no|ic number|kad pengenalan',
    examples: ['770305-02-1234'],
    counterExamples: ['771305-02-1234'],
    chance: 0.025,
    check: 'nric',
  },
  {
    name: 'ID_NIK',
    country: 'ID',
    title: 'NIK',
    source: 'UU No. 24 Tahun 2013',
    pattern: /^\d{16}$/,
    cues: 'nik|ktp',
    examples: ['3171231708900001'],
    counterExamples: ['3171231713900001'],
    chance: 0.06,
    check: (value) => isIndonesian(value),
  },
  {
    name: 'SG_NRIC_FIN',
    country: 'SG',
    title: 'NRIC or FIN',
    source: 'National Registration Act 1965; ICA',
    pattern: /^[STFGMstfgm]\d{7}[A-Za-z]$/,
    cues: 'nric|fin',
    examples: ['S1234567D', 'G1234567X'],
    counterExamples: ['S1234567A'],
    chance: 0.04,
    check: isNric,
    distinct: true,
  },
  {
    name: 'AU_TFN',
    country: 'AU',
    title: 'Tax File Number',
    source: 'Income Tax Assessment Act 1936, s. 202',
    pattern: /^\d{3} ?\d{3} ?\d{2,3}$/,
    cues: 'tfn|tax file',
    examples: ['123 456 782'],
    counterExamples: ['123 456 783'],
    chance: 0.091,
    check: 'tfn',
  },
  {
    name: 'AU_MEDICARE',
    country: 'AU',
    title: 'Medicare number',
    source: 'Services Australia',
    pattern: /^[2-6]\d{3} ?\d{5} ?\d(?:[ -/]?\d)?$/,
    cues: 'medicare',
    examples: ['2123 45670 1'],
    counterExamples: ['2123 45671 1'],
    chance: 0.1,
    check: isMedicareAu,
    category: 'user.health_and_medical.insurance_beneficiary_id',
  },
  {
    name: 'AU_ABN',
    country: 'AU',
    title: 'Australian Business Number',
    source: 'A New Tax System (ABN) Act 1999',
    pattern: /^\d{2} ?\d{3} ?\d{3} ?\d{3}$/,
    cues: 'abn',
    examples: ['83 914 571 673'],
    counterExamples: ['83 914 571 674'],
    chance: 0.012,
    check: 'abn',
  },
  {
    name: 'NZ_IRD',
    country: 'NZ',
    title: 'IRD number',
    source: 'Inland Revenue, RWT specification',
    pattern: /^\d{2,3}[- ]?\d{3}[- ]?\d{3}$/,
    cues: 'ird',
    examples: ['49-091-850'],
    counterExamples: ['49-091-851'],
    chance: 0.091,
    check: 'ird',
  },
  {
    name: 'CA_SIN',
    country: 'CA',
    title: 'Social Insurance Number',
    source: 'Employment Insurance Act, s. 138',
    pattern: /^[1-79]\d{2}[- ]?\d{3}[- ]?\d{3}$/,
    cues: 'sin|social insurance|nas|assurance sociale',
    examples: ['123-456-782'],
    counterExamples: ['123-456-783'],
    chance: 0.1,
    check: 'sin',
  },
  {
    name: 'MX_CURP',
    country: 'MX',
    title: 'CURP',
    source: 'RENAPO, Instructivo normativo',
    pattern: /^[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{2}[B-DF-HJ-NP-TV-ZX]{3}[0-9A-Z]\d$/,
    cues: 'curp',
    examples: ['BOXW310820HNERXN09'],
    counterExamples: ['BOXW310820HNERXN08'],
    chance: 0.01,
    check: 'curp',
    distinct: true,
  },
  {
    name: 'MX_RFC',
    country: 'MX',
    title: 'RFC',
    source: 'Código Fiscal de la Federación, art. 27',
    pattern: /^[A-Z&Ñ]{4}[ -]?\d{6}[ -]?[A-Z0-9]{2}[0-9A]$/,
    cues: 'rfc',
    examples: ['GODE 561231 GR8'],
    counterExamples: ['GODE 561331 GR8'],
    chance: 0.04,
    check: 'rfc',
    distinct: true,
  },
  {
    name: 'BR_CPF',
    country: 'BR',
    title: 'CPF',
    source: 'Lei nº 5.172/1966; Receita Federal',
    pattern: /^\d{3}\.?\d{3}\.?\d{3}-?\d{2}$/,
    cues: 'cpf',
    examples: ['390.533.447-05'],
    counterExamples: ['390.533.447-06'],
    chance: 0.01,
    check: 'cpf',
  },
  {
    name: 'AR_CUIT',
    country: 'AR',
    title: 'CUIT/CUIL',
    source: 'AFIP',
    pattern: /^(?:20|2[3-7]|30|33|34)-?\d{8}-?\d$/,
    cues: 'cui[tl]',
    examples: ['20-05536168-2'],
    counterExamples: ['20-05536168-3'],
    chance: 0.1,
    check: 'cuit',
  },
  {
    name: 'CL_RUT',
    country: 'CL',
    title: 'RUT/RUN',
    source: 'Servicio de Registro Civil',
    pattern: /^\d{1,2}\.?\d{3}\.?\d{3}-[\dKk]$/,
    cues: 'rut|run',
    examples: ['12.531.909-2', '76086428-5'],
    counterExamples: ['12.531.909-3'],
    chance: 0.091,
    check: 'rut',
  },
  {
    name: 'CO_NIT',
    country: 'CO',
    title: 'NIT',
    source: 'DIAN',
    pattern: /^\d{3}\.?\d{3}\.?\d{3}-\d$/,
    cues: 'nit',
    examples: ['213.123.432-1'],
    counterExamples: ['213.123.432-2'],
    chance: 0.1,
    check: 'nit',
  },
  {
    name: 'EC_CEDULA',
    country: 'EC',
    title: 'cédula de identidad',
    source: 'Registro Civil',
    pattern: /^\d{9}-?\d$/,
    cues: 'c[eé]dula|ci',
    examples: ['171430710-3'],
    counterExamples: ['171430710-4'],
    chance: 0.02,
    check: 'ci',
  },
  {
    name: 'DO_CEDULA',
    country: 'DO',
    title: 'cédula',
    source: 'Junta Central Electoral',
    pattern: /^\d{3}-?\d{7}-?\d$/,
    cues: 'c[eé]dula',
    examples: ['00113918205'],
    counterExamples: ['00113918204'],
    chance: 0.1,
    check: 'cedula',
  },
  {
    name: 'UY_CEDULA',
    country: 'UY',
    title: 'cédula de identidad',
    source: 'Dirección Nacional de Identificación Civil',
    pattern: /^\d\.?\d{3}\.?\d{3}-?\d$/,
    cues: 'c[eé]dula|ci',
    examples: ['1.234.567-2'],
    counterExamples: ['1.234.567-3'],
    chance: 0.1,
    check: 'cedula',
  },
  {
    name: 'CU_NI',
    country: 'CU',
    title: 'carné de identidad',
    source: 'Ministerio del Interior',
    pattern: ELEVEN,
    cues: 'carn[eé] de identidad|identidad',
    examples: ['91021027775'],
    counterExamples: ['91023127775'],
    chance: 0.04,
    check: 'ni',
  },
  {
    name: 'GT_CUI',
    country: 'GT',
    title: 'CUI',
    source: 'RENAP',
    pattern: /^\d{4} ?\d{5} ?\d{4}$/,
    cues: 'cui|dpi',
    examples: ['1587564440904'],
    counterExamples: ['1587564430904'],
    chance: 0.05,
    check: 'cui',
  },
  {
    name: 'MU_NID',
    country: 'MU',
    title: 'national identity number',
    source: 'National Identity Card Act 1985',
    pattern: /^[A-Z]\d{12}[0-9A-Z]$/,
    cues: 'nic|national id',
    examples: ['M090497290349B'],
    counterExamples: ['M090497290349A'],
    chance: 0.01,
    check: 'nid',
  },
  {
    name: 'ZA_ID',
    country: 'ZA',
    title: 'identity number',
    source: 'Identification Act 68 of 1997',
    pattern: /^\d{6} ?\d{4} ?[012]\d ?\d$/,
    cues: 'id number|identity number|id no|rsa id|sa id',
    examples: ['7503305044089', '8001015009087'],
    counterExamples: ['7503305044088'],
    chance: 0.004,
    check: 'idnr',
  },
];

export const nationalKinds: readonly KindFacts[] = rows.map(national);
