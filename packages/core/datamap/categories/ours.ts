import type { CategoryFacts } from './facts.ts';

/**
 * Where fideslang ends and the law goes on: the account data of PCI DSS 4.0.1 (table 2 of its introduction) and kinds of health
 * data that need a word of their own. Inherits like the keys of fideslang.
 */
export const ours: readonly CategoryFacts[] = [
  { key: 'user.financial.credit_card.number', dpv: 'CreditCardNumber', pci: 'pan', means: 'a card number (PAN), 12 to 19 digits' },
  {
    key: 'user.financial.credit_card.cardholder_name',
    dpv: 'PaymentCard',
    hipaa: 'A',
    pci: 'cardholder-name',
    means: 'the name on a card',
  },
  { key: 'user.financial.credit_card.expiry', dpv: 'PaymentCardExpiry', pci: 'expiry', means: 'the month a card ends' },
  { key: 'user.financial.credit_card.service_code', dpv: 'PaymentCard', pci: 'service-code', means: 'the service code of a card' },
  {
    key: 'user.financial.credit_card.last4',
    dpv: 'PaymentCardNumber',
    hipaa: null,
    pci: 'truncated',
    means: 'the last four digits of a card, alone no account data',
  },
  {
    key: 'user.financial.credit_card.verification_code',
    dpv: 'PaymentCard',
    pci: 'sad',
    means: 'CVV, CVC, CID: never kept after authorisation',
  },
  {
    key: 'user.financial.credit_card.track',
    dpv: 'PaymentCard',
    pci: 'sad',
    means: 'magnetic stripe or chip data: never kept after authorisation',
  },
  { key: 'user.financial.credit_card.pin', dpv: 'PINCode', pci: 'sad', means: 'PIN or PIN block: never kept after authorisation' },
  { key: 'user.health_and_medical.allergy', dpv: 'PhysicalHealth', means: 'what a person does not tolerate' },
  { key: 'user.health_and_medical.appointment', dpv: 'MedicalHealth', hipaa: 'C', means: 'when somebody is seen for care' },
  { key: 'user.health_and_medical.biometric_measure', dpv: 'PhysicalHealth', means: 'weight, height, blood pressure and the like' },
  { key: 'user.health_and_medical.blood_type', dpv: 'BloodType', means: 'blood group' },
  { key: 'user.health_and_medical.clinical_note', dpv: 'HealthRecord', means: 'what staff wrote about care' },
  { key: 'user.health_and_medical.condition', dpv: 'PhysicalHealth', means: 'an illness or state of health' },
  { key: 'user.health_and_medical.diagnosis', dpv: 'Health', means: 'a diagnosis or its code (ICD-10 and the like)' },
  { key: 'user.health_and_medical.disability', dpv: 'Disability', means: 'a disability or grade of one' },
  { key: 'user.health_and_medical.dental', dpv: 'PhysicalHealth', means: 'state of teeth and mouth' },
  { key: 'user.health_and_medical.drug_test', dpv: 'DrugTestResult', means: 'result of a test for drugs' },
  { key: 'user.health_and_medical.family_history', dpv: 'FamilyHealthHistory', means: 'illness in the family' },
  { key: 'user.health_and_medical.image', dpv: 'HealthRecord', means: 'X-ray, scan or clinical photograph' },
  { key: 'user.health_and_medical.immunisation', dpv: 'IndividualHealthHistory', means: 'vaccination' },
  { key: 'user.health_and_medical.insurance', dpv: 'Insurance', means: 'health insurance other than its number' },
  { key: 'user.health_and_medical.laboratory', dpv: 'Health', means: 'laboratory values and reports' },
  { key: 'user.health_and_medical.medication', dpv: 'Prescription', means: 'medicine taken' },
  { key: 'user.health_and_medical.mental_health', dpv: 'MentalHealth', means: 'state of mind, therapy' },
  { key: 'user.health_and_medical.prescription', dpv: 'Prescription', means: 'prescription' },
  { key: 'user.health_and_medical.procedure', dpv: 'MedicalHealth', means: 'procedure or its code' },
  { key: 'user.health_and_medical.reproductive', dpv: 'Sexual', means: 'pregnancy, sexual and reproductive health' },
  { key: 'user.health_and_medical.substance_use', dpv: 'Health', means: 'alcohol, tobacco, drugs' },
  { key: 'user.health_and_medical.symptom', dpv: 'Health', means: 'complaint or symptom' },
  { key: 'user.health_and_medical.treatment', dpv: 'MedicalHealth', means: 'treatment and its course' },
  { key: 'user.health_and_medical.vital_status', dpv: 'MedicalHealth', hipaa: 'C', means: 'death and its date' },
];
