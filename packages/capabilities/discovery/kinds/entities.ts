import type { KindFacts } from './model.ts';

const NAME = /^[\p{L}\p{M}'’.,\- ]{1,80}$/u;

/**
 * What no shape tells: the tagger of `text/` finds these, by words, lists and neighbours. Of a value alone only the shape is
 * looked at, so a column needs its name and its spread beside it.
 */
export const entityKinds: readonly KindFacts[] = [
  {
    name: 'PERSON',
    title: 'name of a person',
    family: 'entity',
    category: 'user.name',
    source: '45 CFR 164.514(b)(2)(i)(A); GDPR Art. 4(1)',
    examples: ['Anna Meyer', 'J. O’Connor-Smith'],
    counterExamples: ['12', 'a_b'],
    pattern: NAME,
    validators: ['tagger'],
    validate: (value) => (/^\p{Lu}\p{L}+(?:[ -]\p{Lu}[\p{L}.'’]*){1,3}$/u.test(value) ? 0.15 : 0.05),
    chance: 1,
    cues: 'name|mr|mrs|ms|miss|dr|prof|herr|frau|madame|monsieur|sir|dear|patient|called',
  },
  {
    name: 'LOCATION',
    title: 'place or address',
    family: 'entity',
    category: 'user.contact.address',
    source: '45 CFR 164.514(b)(2)(i)(B)',
    examples: ['Ústí nad Labem', 'Kenya'],
    counterExamples: ['#'],
    pattern: /^[\p{L}\p{M}\p{N}'’.,\-/() \n]{2,200}$/u,
    validators: ['tagger', 'street'],
    validate: () => 0.05,
    chance: 1,
    cues: 'address|city|town|country|from|in|lives|near',
  },
  {
    name: 'ORGANIZATION',
    title: 'name of an organisation',
    family: 'entity',
    category: 'user.workplace',
    source: 'GDPR Art. 4(1), where it points to a person',
    examples: ['Meyer & Söhne GmbH', 'Acme Inc'],
    counterExamples: ['#'],
    pattern: /^[\p{L}\p{M}\p{N}'’.,&\- ]{2,100}$/u,
    validators: ['tagger', 'legal-form'],
    validate: (value) => (/\b(?:gmbh|ag|inc|llc|ltd|corp|plc|sa|s\.a\.|bv|oy|ab|sarl)\.?$/i.test(value) ? 0.7 : 0.05),
    chance: 1,
    cues: 'company|employer|works? (?:at|for)|firm',
  },
  {
    name: 'TITLE',
    title: 'form of address',
    family: 'entity',
    category: 'user.name',
    source: 'GDPR Art. 4(1): tells gender or profession beside a name',
    examples: ['Mrs.', 'Dr.'],
    counterExamples: ['the'],
    pattern: /^(?:mr|mrs|ms|miss|mx|dr|prof|sir|rev|herr|frau|mme|m|sig|sra?|srta)\.?$/i,
    validators: ['title'],
    validate: () => 0.5,
    chance: 0.001,
  },
];
