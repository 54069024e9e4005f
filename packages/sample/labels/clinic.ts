import { perhaps, personal, personKey, plainly, rowKey, type TableLabel } from './model.ts';

export const clinicTables: Readonly<Record<string, TableLabel>> = {
  bookings: {
    of: [
      { subject: 'patient', path: 'patient_id', meaning: 'owns' },
      { subject: 'staff', path: 'dentist_id', meaning: 'about' },
      { subject: 'staff', path: 'booked_by', meaning: 'created_by' },
    ],
    traits: ['cycle', 'soft-delete'],
    columns: {
      id: rowKey,
      patient_id: personKey,
      dentist_id: personKey,
      room_id: rowKey,
      starts_at: perhaps('user.health_and_medical', 'wall-time'),
      minutes: plainly(),
      order: plainly('reserved-word'),
      status: plainly(),
      reason: {
        category: 'user.health_and_medical.condition',
        or: ['user.health_and_medical', 'user.health_and_medical.treatment'],
        traits: ['free-text', 'lying-type', 'empty-for-null'],
      },
      booked_by: personKey,
      booked_at: plainly('offset-time'),
      deleted_at: plainly('wall-time'),
    },
  },
  treatments: {
    of: [
      { subject: 'patient', path: 'booking_id -> bookings.patient_id', meaning: 'owns' },
      { subject: 'staff', path: 'done_by', meaning: 'created_by' },
    ],
    traits: [],
    columns: {
      id: rowKey,
      booking_id: rowKey,
      procedure_code: { category: 'user.health_and_medical.treatment', or: ['none', 'user.health_and_medical'] },
      diagnosis: { category: 'user.health_and_medical.medical_diagnosis', or: ['user.health_and_medical'] },
      done_by: personKey,
      price: perhaps('user.financial', 'money-real'),
      outcome: {
        category: 'user.health_and_medical.treatment',
        or: ['none', 'user.health_and_medical'],
        traits: ['empty-for-null'],
      },
    },
  },
  treatment_teeth: {
    of: [{ subject: 'patient', path: 'treatment_id -> treatments.booking_id -> bookings.patient_id', meaning: 'owns' }],
    traits: ['junction', 'composite-key', 'without-rowid'],
    columns: {
      treatment_id: rowKey,
      tooth: perhaps('user.health_and_medical.treatment'),
    },
  },
  clinical_notes: {
    of: [
      { subject: 'patient', path: 'patient_id', meaning: 'owns' },
      { subject: 'staff', path: 'author_id', meaning: 'created_by' },
    ],
    traits: ['soft-delete'],
    columns: {
      id: rowKey,
      patient_id: personKey,
      booking_id: rowKey,
      author_id: personKey,
      body: { category: 'user.health_and_medical', or: ['user.content.private'], traits: ['free-text', 'third-party'] },
      written_at: plainly('utc-time'),
      deleted_at: plainly('wall-time'),
    },
  },
  prescriptions: {
    of: [
      { subject: 'patient', path: 'patient_id', meaning: 'owns' },
      { subject: 'staff', path: 'prescriber_id', meaning: 'created_by' },
    ],
    traits: [],
    columns: {
      id: rowKey,
      patient_id: personKey,
      booking_id: rowKey,
      prescriber_id: personKey,
      drug: { category: 'user.health_and_medical.prescriptions', or: ['user.health_and_medical'] },
      dose: { category: 'user.health_and_medical.prescriptions', or: ['none', 'user.health_and_medical'] },
      instructions: {
        category: 'user.health_and_medical.prescriptions',
        or: ['none', 'user.health_and_medical'],
        traits: ['free-text'],
      },
      refills: plainly(),
      issued_on: perhaps('user.health_and_medical'),
    },
  },
  documents: {
    of: [
      { subject: 'patient', path: 'patient_id', meaning: 'owns' },
      { subject: 'staff', path: 'uploaded_by', meaning: 'created_by' },
    ],
    traits: [],
    columns: {
      id: rowKey,
      patient_id: personKey,
      kind: plainly(),
      file_name: personal('user.name'),
      mime_type: plainly(),
      content: { category: 'user.health_and_medical', or: ['user.content.private'], traits: ['blob', 'lying-type', 'third-party'] },
      uploaded_by: personKey,
      uploaded_at: plainly('utc-time'),
    },
  },
  referral_letters: {
    of: [
      { subject: 'patient', path: 'patient_id', meaning: 'owns' },
      { subject: 'staff', path: 'author_id', meaning: 'created_by' },
    ],
    traits: [],
    columns: {
      id: rowKey,
      patient_id: personKey,
      author_id: personKey,
      specialist_name: personal('user.name', 'third-party'),
      specialist_email: personal('user.contact.email', 'third-party'),
      specialist_phone: personal('user.contact.phone_number', 'third-party'),
      body: { category: 'user.health_and_medical', or: ['user.content.private'], traits: ['free-text'] },
      sent_on: plainly(),
    },
  },
  recalls: {
    of: [{ subject: 'patient', path: 'patient_id', meaning: 'owns' }],
    traits: [],
    columns: {
      id: rowKey,
      patient_id: personKey,
      reason: perhaps('user.health_and_medical.treatment'),
      due: plainly('julian-day'),
      channel: plainly(),
      sent_on: plainly('empty-for-null'),
    },
  },
};
