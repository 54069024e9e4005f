/**
 * Sentences with blanks. A blank in braces is filled by ../passage.ts, which knows what kind of thing each one is;
 * a misspelt blank stops the program when this module's sentences are read.
 */

export const noteOpenings: readonly string[] = [
  '{first} attended for {reason}.',
  '{patient} presents today with {symptom} around tooth {tooth}, since {since}.',
  'Pt {last}, {age}, seen with {relative}. Chief complaint: {symptom}.',
  'Emergency slot for {title} {last}: {symptom}, swelling noticed on {since}.',
  'Recall visit. {patient} (DOB {dob}) reports no change since {since}.',
  '{title} {last} was late because of work at {employer}; short visit.',
  'Seen by Dr. {dentist} as {first} could not wait for the usual slot.',
  'Returning patient {patient}, moved to {city} last year, comes back for {reason}.',
  'Phone consult with {relative} on behalf of {first}: {symptom}.',
  '{patient}, {age} y/o. Here for {procedure}.',
];

export const noteFindings: readonly string[] = [
  'Exam: {finding} at {tooth}.',
  'Found {finding} on tooth {tooth}; radiograph taken and shown to the patient.',
  'Tooth {tooth} responds late to cold, {finding}.',
  'Soft tissues healthy. {tooth}: {finding}.',
  'Findings: {finding}. Advised {procedure}.',
  'LA 2.2 ml given, {procedure} on {tooth} without complications.',
  'Rubber dam, {procedure} completed on {tooth}; bite checked.',
  'No treatment today; {finding} to be watched.',
  'Impression taken for {tooth}. Shade A2.',
  'Plaque index improved since {since}. Still {finding} at {tooth}.',
];

export const noteHistories: readonly string[] = [
  'Medical history updated: {condition}.',
  'MHx {condition}; takes {drug}, letter to the physician needed before surgery.',
  'Allergic to {allergy} - confirmed again.',
  '{first} mentioned {condition} and asked that {relative} is not told.',
  'Reports that {drug} gave a rash in the past.',
  'Stopped {drug} on {since} on advice of the hospital.',
  'Mother has {condition}; family history noted.',
  'Very anxious, had to stop twice. {condition}, see form.',
];

export const notePlans: readonly string[] = [
  'Plan: {procedure}, then review in 6 months.',
  'Prescribed {drug}. To call if fever.',
  'Referred for {procedure}; next visit {date}.',
  'Treatment plan discussed with {relative}, who agreed.',
  'Dr. {dentist} to do {procedure} next time.',
  'Home care shown. Recall on {date}.',
  'Estimate printed and handed to {title} {last}.',
];

export const noteRemarks: readonly string[] = [
  'Best reached at {phone} after 5 pm.',
  'New e-mail: {email}.',
  'Please send the estimate to {email}, cc {relative}.',
  'Moved to {address}, {city}.',
  'In an emergency call {relative} at {phone}.',
  'Gave SSN {ssn} for the claim form.',
  '{insurer} refused the claim, {first} will pay in instalments.',
  'Paid the deposit by phone, card {card}.',
  'Works at {employer}, needs early slots.',
  'Refund to {iban} asked for by {title} {last}.',
];

/** Some people of the practice write as they speak. */
export const noteElsewhere: readonly string[] = [
  'La paciente {patient} refiere {symptom}; acude con {relative}. Tel. {phone}.',
  'Pat. {last}, geb. {dob}, klagt seit {since} über Beschwerden an {tooth}. Rückruf: {phone}.',
  'Le patient {patient} ({age} ans) habite {city}; {relative} sera présent au prochain rendez-vous.',
];

export const fromPatient: readonly string[] = [
  'Hi, this is {patient}. I need to move my appointment on {date}, can you call me at {phone}?',
  'Hello Dr. {dentist}, since {since} I have {symptom} again. Is it urgent?',
  'Please stop the text messages and write to {email} instead. Thanks, {first}',
  'My insurance changed to {insurer}. Do you need a copy of the card?',
  'I was told I have {condition} now and take {drug}. Should I still come for {procedure}?',
  'Our new address is {address}, {city}. Best, {first} {last}',
  'Could {relative} pick up the x-rays for me?',
];

export const toPatient: readonly string[] = [
  'Dear {title} {last}, your appointment on {date} is confirmed.',
  'Dear {first}, your results are in. Please call us before {date}.',
  'Reminder: {procedure} for {patient}. Please bring the card of {insurer}.',
  'Dear {title} {last}, the invoice went to {email}. Reply here if it did not arrive.',
  'Please keep taking {drug} until {date}, and call if {symptom} gets worse. Dr. {dentist}',
  'We could not reach you at {phone}. Is there another number?',
];

export const betweenPatients: readonly string[] = [
  'Can you take {relative} to the dentist on {date}? I am stuck at work.',
  'The dentist says {first} has {finding}. {procedure} costs more than I thought.',
  'Did you tell them about {condition}? They asked me on the phone.',
  'Use my card for the bill please, I will pay you back. {first}',
  'Dr. {dentist} asked for your new number, I gave {phone}.',
];

export const voiceCommands: readonly (readonly [intent: string, sentence: string])[] = [
  ['open-chart', 'open the chart of {patient}'],
  ['open-chart', 'show me {last}, {first}, born {dob}'],
  ['book', 'book {patient} for {procedure} on {date}'],
  ['add-note', 'note for {first} {last}: {symptom} at tooth {tooth}'],
  ['add-note', 'add allergy {allergy} for {patient}'],
  ['call', 'call {title} {last} at {phone}'],
  ['prescribe', 'prescribe {drug} for {patient}'],
  ['send', 'send the estimate to {email}'],
];

export const letterBodies: readonly string[] = [
  'Dear colleague, thank you for seeing {patient}, born {dob}, of {address}, {city}. Finding: {finding} at {tooth}. History: {condition}; takes {drug}. {title} {last} can be reached at {phone}. With kind regards, Dr. {dentist}',
  'Dear colleague, I refer {title} {last} ({age}) for {procedure}. Complaint since {since}: {symptom}. Allergic to {allergy}. Please send the report to the practice and a copy to {email}. Dr. {dentist}',
];

export const invoiceNotes: readonly string[] = [
  'Instalments agreed with {title} {last} by phone, {phone}.',
  '{relative} pays.',
  'Sent again to {email} on {date}.',
  'Waiting for {insurer}.',
];
