CREATE TABLE bookings (
  id INTEGER PRIMARY KEY,
  patient_id INTEGER NOT NULL REFERENCES patients (id),
  dentist_id INTEGER NOT NULL REFERENCES staff (id),
  room_id INTEGER NOT NULL REFERENCES rooms (id),
  starts_at DATETIME NOT NULL,
  minutes SMALLINT NOT NULL DEFAULT 30 CHECK (minutes > 0),
  "order" INTEGER NOT NULL,
  status VARCHAR(9) NOT NULL DEFAULT 'booked'
    CHECK (status IN ('booked', 'confirmed', 'completed', 'cancelled', 'no-show')),
  reason VARCHAR(20) NOT NULL DEFAULT '',
  booked_by INTEGER REFERENCES staff (id),
  booked_at DATETIME NOT NULL,
  deleted_at DATETIME
);

CREATE TABLE treatments (
  id INTEGER PRIMARY KEY,
  booking_id INTEGER NOT NULL REFERENCES bookings (id),
  procedure_code CHAR(4) NOT NULL REFERENCES procedures (code) ON UPDATE CASCADE,
  diagnosis VARCHAR(7),
  done_by INTEGER NOT NULL REFERENCES staff (id),
  price REAL NOT NULL,
  outcome TEXT NOT NULL DEFAULT ''
);

CREATE TABLE treatment_teeth (
  treatment_id INTEGER NOT NULL REFERENCES treatments (id) ON DELETE CASCADE,
  tooth INTEGER NOT NULL REFERENCES teeth (number),
  PRIMARY KEY (treatment_id, tooth)
) WITHOUT ROWID;

CREATE TABLE clinical_notes (
  id INTEGER PRIMARY KEY,
  patient_id INTEGER NOT NULL REFERENCES patients (id),
  booking_id INTEGER REFERENCES bookings (id),
  author_id INTEGER NOT NULL REFERENCES staff (id),
  body TEXT NOT NULL,
  written_at DATETIME NOT NULL,
  deleted_at DATETIME
);

CREATE TABLE prescriptions (
  id INTEGER PRIMARY KEY,
  patient_id INTEGER NOT NULL REFERENCES patients (id),
  booking_id INTEGER NOT NULL REFERENCES bookings (id),
  prescriber_id INTEGER NOT NULL REFERENCES staff (id),
  drug VARCHAR(20) NOT NULL,
  dose VARCHAR(10) NOT NULL,
  instructions TEXT NOT NULL,
  refills INTEGER NOT NULL DEFAULT 0,
  issued_on DATE NOT NULL
);

CREATE TABLE documents (
  id INTEGER PRIMARY KEY,
  patient_id INTEGER NOT NULL REFERENCES patients (id),
  kind TEXT NOT NULL CHECK (kind IN ('x-ray', 'consent', 'letter')),
  file_name TEXT NOT NULL,
  mime_type TEXT NOT NULL,
  content BLOB NOT NULL,
  uploaded_by INTEGER REFERENCES staff (id),
  uploaded_at DATETIME NOT NULL
);

CREATE TABLE referral_letters (
  id INTEGER PRIMARY KEY,
  patient_id INTEGER NOT NULL REFERENCES patients (id),
  author_id INTEGER NOT NULL REFERENCES staff (id),
  specialist_name TEXT NOT NULL,
  specialist_email TEXT NOT NULL,
  specialist_phone TEXT NOT NULL,
  body TEXT NOT NULL,
  sent_on DATE NOT NULL
);

CREATE TABLE recalls (
  id INTEGER PRIMARY KEY,
  patient_id INTEGER NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
  reason TEXT NOT NULL,
  due REAL NOT NULL,
  channel TEXT NOT NULL CHECK (channel IN ('sms', 'email', 'letter', 'phone')),
  sent_on DATE NOT NULL DEFAULT ''
);
