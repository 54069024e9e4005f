CREATE TABLE staff (
  id INTEGER PRIMARY KEY,
  "user" VARCHAR(16) NOT NULL UNIQUE,
  first_name VARCHAR(20) NOT NULL,
  last_name VARCHAR(20) NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('dentist', 'hygienist', 'assistant', 'receptionist', 'manager')),
  email VARCHAR(60) NOT NULL,
  phone VARCHAR(20),
  licence_no VARCHAR(12) NOT NULL DEFAULT '',
  password_hash TEXT NOT NULL,
  active TEXT NOT NULL DEFAULT 'true' CHECK (active IN ('true', 'false')),
  hired_on DATE NOT NULL,
  left_on DATE
);

CREATE TABLE patients (
  id INTEGER PRIMARY KEY,
  chart_no VARCHAR(10) NOT NULL UNIQUE,
  first_name VARCHAR(20) NOT NULL,
  last_name VARCHAR(20) NOT NULL,
  full_name TEXT GENERATED ALWAYS AS (trim(first_name || ' ' || last_name)) VIRTUAL,
  native_name TEXT,
  date_of_birth DATE NOT NULL,
  gender CHAR(1) NOT NULL DEFAULT '' CHECK (gender IN ('F', 'M', 'X', '')),
  language CHAR(2) DEFAULT 'en',
  email VARCHAR(60) NOT NULL DEFAULT '',
  email_verified BOOLEAN NOT NULL DEFAULT 0,
  phone VARCHAR(20) NOT NULL DEFAULT '',
  mobile VARCHAR(20) NOT NULL DEFAULT '',
  street VARCHAR(40) NOT NULL DEFAULT '',
  country CHAR(2) NOT NULL DEFAULT 'US',
  postcode VARCHAR(8) NOT NULL,
  city VARCHAR(40),
  ssn CHAR(11),
  marital_status VARCHAR(10),
  employer VARCHAR(30) NOT NULL DEFAULT '',
  job VARCHAR(20) NOT NULL DEFAULT '',
  medical_alert TEXT NOT NULL DEFAULT '',
  allergies TEXT NOT NULL DEFAULT '',
  emergency_contact VARCHAR(40) NOT NULL DEFAULT '',
  emergency_phone VARCHAR(20) NOT NULL DEFAULT '',
  portal_login VARCHAR(16) COLLATE NOCASE,
  sms_ok BOOLEAN NOT NULL DEFAULT 1 CHECK (sms_ok IN (0, 1)),
  newsletter TEXT NOT NULL DEFAULT 'false' CHECK (newsletter IN ('true', 'false')),
  balance REAL NOT NULL DEFAULT 0,
  -- The number in the program used before 2014; "n/a" for those who came later.
  legacy_no INTEGER,
  guardian_id INTEGER REFERENCES patients (id),
  preferred_dentist_id INTEGER REFERENCES staff (id) ON DELETE SET NULL,
  preferred_booking_id INTEGER REFERENCES bookings (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
  last_visit_at DATETIME,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  deleted_at DATETIME,
  FOREIGN KEY (country, postcode) REFERENCES postcodes (country, postcode) ON UPDATE CASCADE
);

CREATE TABLE family_links (
  patient_id INTEGER NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
  relative_id INTEGER NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
  relation TEXT NOT NULL CHECK (relation IN ('partner', 'child')),
  PRIMARY KEY (patient_id, relative_id),
  CHECK (patient_id <> relative_id)
) WITHOUT ROWID;

CREATE TABLE questionnaires (
  id INTEGER PRIMARY KEY,
  patient_id INTEGER NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
  answers JSON NOT NULL CHECK (json_valid(answers)),
  submitted_at DATETIME NOT NULL
);

CREATE TABLE consent_forms (
  patient_id INTEGER NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
  form VARCHAR(12) NOT NULL,
  version INTEGER NOT NULL,
  signed_by INTEGER NOT NULL REFERENCES patients (id),
  given BOOLEAN NOT NULL CHECK (given IN (0, 1)),
  signed_name TEXT NOT NULL,
  ip_address TEXT,
  signed_at DATETIME NOT NULL,
  PRIMARY KEY (patient_id, form, version)
);

-- Nobody ever used it.
CREATE TABLE waiting_list (
  id INTEGER PRIMARY KEY,
  patient_id INTEGER NOT NULL REFERENCES patients (id),
  wanted_from DATE,
  remark TEXT
);
