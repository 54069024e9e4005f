-- Between two patients, or between a patient and the practice (then one side is empty and staff_id is set).
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  sender_id INTEGER REFERENCES patients (id),
  recipient_id INTEGER REFERENCES patients (id),
  staff_id INTEGER REFERENCES staff (id),
  reply_to_id INTEGER REFERENCES messages (id) ON DELETE SET NULL,
  subject VARCHAR(20) NOT NULL DEFAULT '',
  body TEXT NOT NULL,
  -- Without a zone until the upgrade of 2019, in UTC since.
  sent_at DATETIME NOT NULL,
  read_at DATETIME,
  deleted_at DATETIME,
  CHECK (sender_id IS NOT NULL OR recipient_id IS NOT NULL)
);

CREATE TABLE voice_commands (
  id INTEGER PRIMARY KEY,
  session TEXT NOT NULL,
  actor_id INTEGER NOT NULL REFERENCES staff (id),
  subject_id INTEGER REFERENCES patients (id),
  spoken_at INTEGER NOT NULL,
  intent TEXT NOT NULL,
  transcript TEXT NOT NULL,
  confidence REAL NOT NULL CHECK (confidence BETWEEN 0 AND 1)
) STRICT;

-- No key, no foreign key, and two columns without a type.
CREATE TABLE login_log (
  at INTEGER,
  "user",
  ip_address,
  user_agent TEXT,
  success BOOLEAN
);

CREATE VIRTUAL TABLE notes_search USING fts5 (
  body,
  content = 'clinical_notes',
  content_rowid = 'id',
  tokenize = "unicode61 remove_diacritics 2"
);
