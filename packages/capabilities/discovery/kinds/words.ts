import { fold } from './fold.ts';
import type { KindFacts } from './model.ts';

/**
 * Words of the special categories (GDPR Art. 9(1)) and of offences (Art. 10), English first, then German, French, Spanish, Dutch,
 * Italian. Not complete and not meant to be: a word that is mostly something else in prose ("depression" of an economy,
 * "conservative" estimates) stands here only because it counts beside a word for a person alone (`PERSON_CUE`).
 */
const lists = {
  HEALTH_CONDITION:
    'diabetes|diabetic|asthma|asthmatic|cancer|carcinoma|tumou?r|leukemia|leukaemia|lymphoma|melanoma|hypertension|hypertensive|epilepsy|epileptic|depression|bipolar|schizophrenia|schizophrenic|anxiety disorder|adhd|autism|autistic|dementia|alzheimer|alzheimers|parkinson|parkinsons|multiple sclerosis|stroke|heart attack|heart failure|arrhythmia|angina|hiv|hiv-positive|aids|hepatitis|hepatitis b|hepatitis c|tuberculosis|pneumonia|copd|covid-19|influenza|migraine|arthritis|osteoporosis|fibromyalgia|lupus|crohns disease|colitis|celiac disease|kidney failure|cirrhosis|anemia|anaemia|haemophilia|hemophilia|sickle cell|thrombosis|pregnant|pregnancy|miscarriage|abortion|infertility|alcoholism|alcoholic|drug addiction|overdose|anorexia|bulimia|obesity|ptsd|psychosis|suicidal|chemotherapy|dialysis|insulin|penicillin allergy|allergic|wheelchair|disabled|blind|deaf|paraplegic|gingivitis|periodontitis|bluthochdruck|krebs|schwanger|herzinfarkt|schlaganfall|asthme|enceinte|diabète|cancro|embarazada|zuckerkrankheit|depressie|zwanger|incinta',
  RELIGION:
    'catholic|roman catholic|protestant|christian|orthodox christian|evangelical|lutheran|methodist|baptist|anglican|presbyterian|mormon|jehovahs witness|quaker|adventist|pentecostal|muslim|moslem|sunni|shia|shiite|sufi|ahmadi|alawite|jewish|jew|orthodox jew|hindu|buddhist|sikh|jain|zoroastrian|bahai|taoist|shinto|pagan|wiccan|rastafarian|druze|yazidi|atheist|agnostic|katholisch|evangelisch|muslimisch|jüdisch|konfessionslos|catholique|musulman|musulmane|juif|juive|católico|católica|musulmán|judío|judía|katholiek|cattolico|cattolica|musulmano|ebreo',
  ETHNICITY:
    'hispanic|latino|latina|african american|african-american|afro-caribbean|black british|caucasian|asian american|native american|alaska native|pacific islander|native hawaiian|indigenous australian|aboriginal|maori|roma|sinti|romani|kurdish|kurd|uyghur|tamil|sinhalese|yoruba|igbo|hausa|zulu|xhosa|han chinese|ashkenazi|sephardi|berber|inuit|sami|mestizo|mulatto|biracial|mixed race|white british|south asian|east asian|arab',
  SEXUAL_ORIENTATION:
    'homosexual|heterosexual|bisexual|gay|lesbian|queer|asexual|pansexual|transgender|transsexual|non-binary|nonbinary|intersex|lgbt|lgbtq|schwul|lesbisch|homosexuell|homosexuel|lesbienne|homosexuelle|lesbiana|homoseksueel|gender dysphoria',
  TRADE_UNION:
    'union member|trade union member|union membership|trade union|labor union|labour union|union representative|union rep|shop steward|union dues|gewerkschaft|gewerkschaftsmitglied|verdi-mitglied|ig metall|syndicat|syndiqué|sindicato|sindicalista|vakbond|vakbondslid|teamsters|afl-cio|unison member|sindacato',
  POLITICAL_OPINION:
    'republican|democrat|conservative|labour voter|tory|liberal democrat|socialist|communist|marxist|anarchist|libertarian|green party|social democrat|christian democrat|nationalist|fascist|monarchist|party member|party membership|political party|voted for|parteimitglied|spd-mitglied|cdu-mitglied|sozialist|kommunist|socialiste|communiste|socialista|comunista|political opinion|political affiliation',
  CRIMINAL_RECORD:
    'convicted|conviction|criminal record|criminal conviction|felony|felon|misdemeanor|misdemeanour|on parole|on probation|sentenced|imprisoned|incarcerated|jail time|prison sentence|sex offender|registered offender|indicted|arrested|dui|driving under the influence|embezzlement|burglary|manslaughter|vorstrafe|vorbestraft|verurteilt|führungszeugnis|casier judiciaire|condamné|antecedentes penales|condenado|strafblad|veroordeeld|precedenti penali',
  NRP: 'afghan|albanian|algerian|american|andorran|angolan|argentine|argentinian|armenian|australian|austrian|azerbaijani|bahamian|bahraini|bangladeshi|barbadian|belarusian|belgian|belizean|beninese|bhutanese|bolivian|bosnian|botswanan|brazilian|british|bruneian|bulgarian|burkinabe|burmese|burundian|cambodian|cameroonian|canadian|cape verdean|chadian|chilean|chinese|colombian|comoran|congolese|costa rican|croatian|cuban|cypriot|czech|danish|djiboutian|dominican|dutch|ecuadorean|ecuadorian|egyptian|emirati|english|eritrean|estonian|ethiopian|fijian|filipino|finnish|french|gabonese|gambian|georgian|german|ghanaian|greek|grenadian|greenlandic|guatemalan|guinean|guyanese|haitian|honduran|hungarian|icelandic|indian|indonesian|iranian|iraqi|irish|israeli|italian|ivorian|jamaican|japanese|jordanian|kazakh|kazakhstani|kenyan|kuwaiti|kyrgyz|laotian|latvian|lebanese|liberian|libyan|lithuanian|luxembourgish|macedonian|malagasy|malawian|malaysian|maldivian|malian|maltese|mauritanian|mauritian|mexican|moldovan|monacan|mongolian|montenegrin|moroccan|mozambican|namibian|nepalese|nepali|new zealander|nicaraguan|nigerian|nigerien|north korean|norwegian|omani|pakistani|palestinian|panamanian|paraguayan|peruvian|polish|portuguese|puerto rican|qatari|romanian|russian|rwandan|salvadoran|samoan|saudi|scottish|senegalese|serbian|singaporean|slovak|slovakian|slovenian|somali|south african|south korean|spanish|sri lankan|sudanese|surinamese|swazi|swedish|swiss|syrian|taiwanese|tajik|tanzanian|thai|togolese|tongan|tunisian|turkish|turkmen|ugandan|ukrainian|uruguayan|uzbek|venezuelan|vietnamese|welsh|yemeni|yemenite|zambian|zimbabwean|deutscher?|französisch|österreichisch|polnisch|türkisch|italienisch|spanisch|russisch',
} as const;

type WordKind = keyof typeof lists;

/** The words of a class, folded. */
export const wordLists: Readonly<Record<WordKind, ReadonlySet<string>>> = {
  HEALTH_CONDITION: wordsOf('HEALTH_CONDITION'),
  RELIGION: wordsOf('RELIGION'),
  ETHNICITY: wordsOf('ETHNICITY'),
  SEXUAL_ORIENTATION: wordsOf('SEXUAL_ORIENTATION'),
  TRADE_UNION: wordsOf('TRADE_UNION'),
  POLITICAL_OPINION: wordsOf('POLITICAL_OPINION'),
  CRIMINAL_RECORD: wordsOf('CRIMINAL_RECORD'),
  NRP: wordsOf('NRP'),
};

function wordsOf(kind: WordKind): ReadonlySet<string> {
  return new Set(
    lists[kind].split('|').flatMap((word) => {
      const folded = fold(word);
      return folded.includes('?') ? [folded.replace(/.\?/, ''), folded.replace('?', '')] : [folded];
    }),
  );
}

/** A word beside that says that a person is spoken of. */
const PERSON_CUE =
  "patient|client|employee|customer|member|applicant|candidate|resident|husband|wife|son|daughter|mother|father|brother|sister|he|she|his|her|him|i|i'm|im|my|me|mr|mrs|ms|who|person|man|woman|boy|girl|diagnosed|suffers?|suffering|history of|religion|faith|identifies|er|sie|ihr|patientin|il|elle|lui|paciente|el|ella";

type Facts = Pick<KindFacts, 'title' | 'category' | 'source' | 'examples' | 'counterExamples'> & { readonly name: WordKind };

const facts: readonly Facts[] = [
  {
    name: 'HEALTH_CONDITION',
    title: 'state of health',
    category: 'user.health_and_medical.condition',
    source: 'GDPR Art. 4(15), 9(1)',
    examples: ['diabetes', 'Multiple sclerosis'],
    counterExamples: ['healthy', 'table'],
  },
  {
    name: 'RELIGION',
    title: 'religion or belief',
    category: 'user.demographic.religious_belief',
    source: 'GDPR Art. 9(1)',
    examples: ['Catholic', 'Muslim'],
    counterExamples: ['church', 'table'],
  },
  {
    name: 'ETHNICITY',
    title: 'racial or ethnic origin',
    category: 'user.demographic.race_ethnicity',
    source: 'GDPR Art. 9(1)',
    examples: ['Hispanic', 'Kurdish'],
    counterExamples: ['blue', 'table'],
  },
  {
    name: 'SEXUAL_ORIENTATION',
    title: 'sex life or sexual orientation',
    category: 'user.demographic.sexual_orientation',
    source: 'GDPR Art. 9(1)',
    examples: ['bisexual', 'lesbian'],
    counterExamples: ['married', 'table'],
  },
  {
    name: 'TRADE_UNION',
    title: 'trade union membership',
    category: 'user.demographic.union_membership',
    source: 'GDPR Art. 9(1)',
    examples: ['union member', 'IG Metall'],
    counterExamples: ['European Union', 'union type'],
  },
  {
    name: 'POLITICAL_OPINION',
    title: 'political opinion',
    category: 'user.demographic.political_opinion',
    source: 'GDPR Art. 9(1)',
    examples: ['socialist', 'Liberal Democrat'],
    counterExamples: ['politics', 'table'],
  },
  {
    name: 'CRIMINAL_RECORD',
    title: 'criminal convictions and offences',
    category: 'user.criminal_history',
    source: 'GDPR Art. 10',
    examples: ['criminal record', 'convicted'],
    counterExamples: ['record', 'table'],
  },
  {
    name: 'NRP',
    title: 'nationality',
    category: 'user.demographic.citizenship_or_immigration_status',
    source: 'GDPR Art. 4(1); ISO 3166-1',
    examples: ['Sudanese', 'French'],
    counterExamples: ['France', 'table'],
  },
];

export const wordKinds: readonly KindFacts[] = facts.map((row) => ({
  ...row,
  family: 'words',
  pattern: /^[\p{L}\p{N}'’ -]{2,60}$/u,
  validators: ['word-list'],
  validate: (value) => (wordLists[row.name].has(fold(value.trim())) ? 0.6 : 0),
  chance: 1e-6,
  ...(row.name === 'NRP' ? {} : { cues: PERSON_CUE, needsCue: true }),
}));
