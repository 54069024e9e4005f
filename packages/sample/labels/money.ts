import { perhaps, personal, personKey, plainly, rowKey, type TableLabel } from './model.ts';

export const moneyTables: Readonly<Record<string, TableLabel>> = {
  'insurance_policies': {
    of: [
      { subject: 'patient', path: 'patient_id', meaning: 'owns' },
      { subject: 'patient', path: 'holder_id', meaning: 'shared' },
    ],
    traits: ['shared-row', 'composite-key'],
    columns: {
      insurer_id: rowKey,
      policy_no: personal('user.health_and_medical.insurance_beneficiary_id'),
      patient_id: personKey,
      holder_id: personKey,
      group_no: perhaps('user.health_and_medical.insurance_beneficiary_id', 'empty-for-null'),
      valid_from: plainly(),
      valid_to: plainly(),
    },
  },
  'invoices': {
    of: [
      { subject: 'patient', path: 'patient_id', meaning: 'owns' },
      { subject: 'patient', path: 'payer_id', meaning: 'shared' },
    ],
    traits: ['shared-row'],
    columns: {
      id: rowKey,
      number: plainly(),
      patient_id: personKey,
      payer_id: personKey,
      booking_id: rowKey,
      issued_on: plainly(),
      due_on: plainly(),
      total: { category: 'user.financial', or: ['none', 'user.payment'], traits: ['money-numeric'] },
      status: plainly(),
      note: { category: 'user.content.private', or: ['user.financial'], traits: ['free-text', 'empty-for-null'] },
    },
  },
  'Invoice Lines': {
    of: [{ subject: 'patient', path: '"Invoice No" -> invoices.patient_id', meaning: 'owns' }],
    traits: ['quoted-names', 'composite-key'],
    columns: {
      'Invoice No': rowKey,
      'Line No': plainly(),
      'Procedure Code': { category: 'user.health_and_medical.treatment', or: ['none', 'user.health_and_medical'] },
      'Description': {
        category: 'user.health_and_medical.treatment',
        or: ['none', 'user.health_and_medical'],
        traits: ['lying-type'],
      },
      'Unit Price': perhaps('user.financial', 'money-numeric'),
      'Quantity': plainly(),
      'Line Total': perhaps('user.financial', 'money-numeric', 'generated'),
    },
  },
  'payments': {
    of: [
      { subject: 'patient', path: 'invoice_id -> invoices.patient_id', meaning: 'owns' },
      { subject: 'patient', path: 'invoice_id -> invoices.payer_id', meaning: 'shared' },
    ],
    traits: ['shared-row', 'gaps'],
    columns: {
      id: rowKey,
      invoice_id: rowKey,
      paid_at: perhaps('user.payment', 'utc-time'),
      amount: { category: 'user.payment', or: ['none', 'user.financial'], traits: ['money-real'] },
      method: perhaps('user.payment'),
      card_number: { category: 'user.financial.credit_card.number', or: ['user.payment'], traits: ['lying-type'] },
      card_expiry: { category: 'user.financial.credit_card.expiry', or: ['user.payment'] },
      iban: personal('user.financial.bank_account'),
      payer_name: personal('user.name', 'third-party', 'empty-for-null'),
    },
  },
  'insurance_claims': {
    of: [
      { subject: 'patient', path: '[insurer_id, policy_no] -> insurance_policies.patient_id', meaning: 'owns' },
      { subject: 'patient', path: '[insurer_id, policy_no] -> insurance_policies.holder_id', meaning: 'shared' },
      { subject: 'patient', path: 'invoice_id -> invoices.patient_id', meaning: 'owns' },
    ],
    traits: ['shared-row', 'composite-foreign-key'],
    columns: {
      id: rowKey,
      insurer_id: rowKey,
      policy_no: personal('user.health_and_medical.insurance_beneficiary_id'),
      invoice_id: rowKey,
      amount: { category: 'user.financial', or: ['none', 'user.payment'], traits: ['money-numeric'] },
      state: plainly(),
    },
  },
};
