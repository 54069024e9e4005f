-- What comes after the rows: indexes, values that need all rows, views, triggers. Triggers come last, for they would stamp
-- the current time on rows that were written years ago.

CREATE INDEX patients_by_lower_name ON patients (lower(last_name), lower(first_name));
CREATE UNIQUE INDEX patients_portal_login ON patients (portal_login) WHERE portal_login IS NOT NULL;
CREATE INDEX patients_guardian ON patients (guardian_id) WHERE guardian_id IS NOT NULL;
CREATE UNIQUE INDEX staff_email ON staff (email COLLATE NOCASE);
CREATE INDEX bookings_patient ON bookings (patient_id);
CREATE INDEX bookings_newest ON bookings (starts_at DESC, room_id);
CREATE UNIQUE INDEX bookings_no_double ON bookings (room_id, starts_at) WHERE deleted_at IS NULL;
CREATE INDEX treatments_booking ON treatments (booking_id);
CREATE INDEX notes_patient ON clinical_notes (patient_id, written_at);
CREATE INDEX invoices_patient ON invoices (patient_id);
CREATE INDEX invoices_open ON invoices (due_on) WHERE status = 'open';
CREATE INDEX payments_invoice ON payments (invoice_id);
CREATE INDEX messages_recipient ON messages (recipient_id);
CREATE INDEX login_log_at ON login_log (at);

UPDATE patients SET
  last_visit_at = (SELECT max(starts_at) FROM bookings WHERE patient_id = patients.id AND status = 'completed'),
  balance = coalesce((SELECT round(sum(total), 2) FROM invoices WHERE patient_id = patients.id AND status = 'open'), 0);

UPDATE patients SET
  preferred_booking_id = (SELECT min(id) FROM bookings WHERE patient_id = patients.id AND status = 'completed')
WHERE id % 5 = 0;

-- A payment entered twice and removed: the sequence stands beyond the largest id.
DELETE FROM payments WHERE id = (SELECT max(id) FROM payments);

INSERT INTO notes_search (notes_search) VALUES ('rebuild');

CREATE VIEW upcoming_bookings AS
  SELECT b.starts_at, r.name AS room, p.full_name AS patient, s.last_name AS dentist
  FROM bookings b
  JOIN patients p ON p.id = b.patient_id
  JOIN staff s ON s.id = b.dentist_id
  JOIN rooms r ON r.id = b.room_id
  WHERE b.starts_at > datetime('now', 'localtime') AND b.deleted_at IS NULL
  ORDER BY b.starts_at;

CREATE VIEW patient_balances AS
  SELECT p.id, p.full_name, sum(i.total) AS owed
  FROM patients p
  JOIN invoices i ON i.patient_id = p.id
  WHERE i.status = 'open'
  GROUP BY p.id, p.full_name;

CREATE VIEW "Day Sheet" AS
  SELECT "order" AS "No", starts_at AS "Time", chart_no AS "Chart"
  FROM bookings JOIN patients ON patients.id = bookings.patient_id
  WHERE bookings.status <> 'cancelled';

CREATE TRIGGER patients_touch AFTER UPDATE ON patients FOR EACH ROW WHEN NEW.updated_at = OLD.updated_at
BEGIN
  UPDATE patients SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = NEW.id;
END;

CREATE TRIGGER invoices_paid_stay BEFORE DELETE ON invoices FOR EACH ROW WHEN OLD.status = 'paid'
BEGIN
  SELECT RAISE(ABORT, 'a paid invoice cannot be deleted');
END;

CREATE TRIGGER notes_search_insert AFTER INSERT ON clinical_notes
BEGIN
  INSERT INTO notes_search (rowid, body) VALUES (NEW.id, NEW.body);
END;

CREATE TRIGGER notes_search_delete AFTER DELETE ON clinical_notes
BEGIN
  INSERT INTO notes_search (notes_search, rowid, body) VALUES ('delete', OLD.id, OLD.body);
END;

CREATE TRIGGER notes_search_update AFTER UPDATE OF body ON clinical_notes
BEGIN
  INSERT INTO notes_search (notes_search, rowid, body) VALUES ('delete', OLD.id, OLD.body);
  INSERT INTO notes_search (rowid, body) VALUES (NEW.id, NEW.body);
END;
