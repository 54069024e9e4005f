/** What the practice does. The codes are its own: no published nomenclature is copied. */
export type Procedure = {
  readonly code: string;
  readonly name: string;
  /** US dollars. */
  readonly price: number;
  /** How many teeth it is charted on; 0 for the whole mouth. */
  readonly teeth: number;
};

export const procedures: readonly Procedure[] = `
EX10; Periodic examination; 64; 0
EX20; Comprehensive examination, new patient; 118.5; 0
EX30; Problem-focused examination; 82; 1
XR10; Bitewing radiographs, two films; 58.25; 0
XR20; Panoramic radiograph; 141; 0
CL10; Cleaning, adult; 112; 0
CL20; Cleaning, child; 79.9; 0
CL30; Scaling and root planing, one quadrant; 284; 0
FL10; Fluoride varnish; 44; 0
SE10; Sealant; 61; 2
FI10; Composite filling, one surface; 187; 1
FI20; Composite filling, two surfaces; 236.75; 1
FI30; Amalgam filling; 164; 1
RC10; Root canal, anterior tooth; 780; 1
RC20; Root canal, molar; 1210; 1
CR10; Ceramic crown; 1385; 1
BR10; Bridge, three units; 3420; 3
EX90; Extraction, simple; 215; 1
EX91; Extraction, surgical; 398; 1
IM10; Implant, placement; 2150; 1
OR10; Orthodontic adjustment; 145; 0
SP10; Occlusal splint; 512; 0
WH10; Whitening, in office; 389; 0
AN10; Nitrous oxide sedation; 96; 0
`
  .trim()
  .split('\n')
  .map((line) => {
    const [code = '', name = '', price = '', teeth = ''] = line.split('; ');
    return { code, name, price: Number(price), teeth: Number(teeth) };
  });

/** ICD-10-CM (US government work, public domain). */
export const diagnoses: readonly string[] =
  'K02.51|K02.61|K02.9|K03.0|K03.6|K03.81|K04.01|K04.02|K04.1|K04.7|K05.10|K05.311|K08.109|K01.1|K00.6|K12.0|K11.7|M26.4|G47.63|S02.5XXA'.split(
    '|',
  );

export const drugs: readonly { readonly name: string; readonly dose: string; readonly take: string }[] = [
  { name: 'amoxicillin', dose: '500 mg', take: 'one capsule three times a day for 7 days' },
  { name: 'clindamycin', dose: '300 mg', take: 'one capsule four times a day for 5 days, with water' },
  { name: 'ibuprofen', dose: '600 mg', take: 'one tablet every 6 hours as needed, with food' },
  { name: 'acetaminophen', dose: '500 mg', take: 'two tablets every 6 hours, not more than 8 a day' },
  { name: 'chlorhexidine rinse', dose: '0.12 %', take: 'rinse 15 ml for 30 seconds twice a day' },
  { name: 'metronidazole', dose: '400 mg', take: 'one tablet three times a day for 5 days; no alcohol' },
  { name: 'sodium fluoride paste', dose: '5000 ppm', take: 'brush once a day, do not rinse' },
  { name: 'diazepam', dose: '5 mg', take: 'one tablet one hour before the visit; do not drive' },
  { name: 'azithromycin', dose: '250 mg', take: 'two on the first day, then one a day' },
  { name: 'nystatin suspension', dose: '100,000 U/ml', take: 'hold in the mouth 4 times a day' },
];

export const conditions: readonly string[] =
  'type 2 diabetes|high blood pressure|asthma|atrial fibrillation on warfarin|epilepsy|HIV, viral load undetectable|hepatitis B carrier|depression|anxiety|pregnancy, second trimester|osteoporosis on alendronate|rheumatoid arthritis|a prosthetic heart valve|sleep apnea|breast cancer in remission|coeliac disease|hypothyroidism|Crohn’s disease|opioid dependence, in a methadone program|bulimia'.split(
    '|',
  );

export const allergies: readonly string[] =
  'penicillin|latex|sulfa drugs|codeine|aspirin|lidocaine with epinephrine|nickel|iodine'.split('|');

export const symptoms: readonly string[] =
  'a dull ache|sharp pain when chewing|sensitivity to cold|bleeding gums|a swollen jaw|a lost filling|a chipped tooth|a bad taste|grinding at night|a sore that does not heal|clicking of the jaw|throbbing pain at night'.split(
    '|',
  );

export const reasons: readonly string[] =
  'check-up|cleaning|toothache|lost filling|crown fitting|broken tooth, fell off bike|wisdom tooth|bleeding gums|denture sore|child nervous, first visit|root canal part 2|recheck after abscess|wants whitening before wedding|jaw pain, clenching'.split(
    '|',
  );

export const findings: readonly string[] =
  'deep caries near the pulp|a cracked cusp|a periapical shadow|pocket depth of 6 mm|recession on the buccal side|a failing margin|calculus below the gum|no caries|a fractured old amalgam|grade II mobility|a draining sinus|early enamel lesions'.split(
    '|',
  );

/** FDI two-digit notation (ISO 3950), adults. */
export const teeth: readonly number[] = [1, 2, 3, 4].flatMap((quadrant) =>
  [1, 2, 3, 4, 5, 6, 7, 8].map((place) => quadrant * 10 + place),
);

const TOOTH_NAMES = [
  'central incisor',
  'lateral incisor',
  'canine',
  'first premolar',
  'second premolar',
  'first molar',
  'second molar',
  'third molar',
];
const QUADRANT_NAMES = ['upper right', 'upper left', 'lower left', 'lower right'];

export function toothName(tooth: number): string {
  return `${QUADRANT_NAMES[Math.floor(tooth / 10) - 1] ?? ''} ${TOOTH_NAMES[(tooth % 10) - 1] ?? ''}`;
}

/** Carriers that do not exist. */
export const insurers: readonly string[] =
  'Meridian Dental Mutual|Blue Lantern Health|Evergreen Smile Plan|Keystone & Daughters Benefit|Pacific Crest Cooperative|Old Harbor Life|Union Local 4711 Dental Fund|Sunflower Family Care'.split(
    '|',
  );
