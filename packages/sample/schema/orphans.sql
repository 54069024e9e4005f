-- Rows that point nowhere, by hand and with foreign keys off: a booking removed under its notes, a dentist who is unknown.

DELETE FROM treatment_teeth WHERE treatment_id IN (SELECT id FROM treatments WHERE booking_id % 997 = 0);
DELETE FROM bookings WHERE id % 997 = 0;
UPDATE prescriptions SET prescriber_id = 4711 WHERE id % 500 = 0;
