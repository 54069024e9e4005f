CREATE TABLE insurance_policies (
  insurer_id INTEGER NOT NULL REFERENCES insurers (id),
  policy_no VARCHAR(12) NOT NULL,
  patient_id INTEGER NOT NULL REFERENCES patients (id),
  holder_id INTEGER NOT NULL REFERENCES patients (id),
  group_no TEXT NOT NULL DEFAULT '',
  valid_from DATE NOT NULL,
  valid_to DATE NOT NULL DEFAULT '9999-12-31',
  PRIMARY KEY (insurer_id, policy_no)
);

CREATE TABLE invoices (
  id INTEGER PRIMARY KEY,
  number VARCHAR(16) NOT NULL UNIQUE,
  patient_id INTEGER NOT NULL REFERENCES patients (id),
  payer_id INTEGER NOT NULL REFERENCES patients (id),
  booking_id INTEGER REFERENCES bookings (id),
  issued_on DATE NOT NULL,
  due_on DATE NOT NULL,
  total NUMERIC(10, 2) NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('open', 'paid', 'void')),
  note TEXT NOT NULL DEFAULT ''
);

CREATE TABLE "Invoice Lines" (
  "Invoice No" INTEGER NOT NULL REFERENCES invoices (id) ON DELETE CASCADE,
  "Line No" INTEGER NOT NULL,
  "Procedure Code" CHAR(4) NOT NULL REFERENCES procedures (code),
  "Description" VARCHAR(20) NOT NULL,
  "Unit Price" NUMERIC(8, 2) NOT NULL,
  "Quantity" INTEGER NOT NULL DEFAULT 1 CHECK ("Quantity" BETWEEN 1 AND 32),
  "Line Total" NUMERIC(10, 2) GENERATED ALWAYS AS ("Unit Price" * "Quantity") STORED,
  PRIMARY KEY ("Invoice No", "Line No")
);

CREATE TABLE payments (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  invoice_id INTEGER NOT NULL REFERENCES invoices (id),
  paid_at DATETIME NOT NULL,
  amount REAL NOT NULL CHECK (amount <> 0),
  method TEXT NOT NULL CHECK (method IN ('cash', 'card', 'transfer', 'insurance')),
  -- In full until the auditors came in 2019.
  card_number VARCHAR(16),
  card_expiry CHAR(5),
  iban VARCHAR(34),
  payer_name TEXT NOT NULL DEFAULT ''
);

CREATE TABLE insurance_claims (
  id INTEGER PRIMARY KEY,
  insurer_id INTEGER NOT NULL,
  policy_no VARCHAR(12) NOT NULL,
  invoice_id INTEGER NOT NULL REFERENCES invoices (id),
  amount NUMERIC(10, 2) NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('sent', 'accepted', 'refused')),
  FOREIGN KEY (insurer_id, policy_no) REFERENCES insurance_policies (insurer_id, policy_no)
);
