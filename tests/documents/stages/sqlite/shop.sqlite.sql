CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, seen_at INTEGER);
CREATE TABLE visits (id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES people (id), note TEXT);
CREATE TABLE notes_log (id INTEGER PRIMARY KEY, at TEXT, note TEXT);
CREATE TRIGGER log AFTER UPDATE ON visits BEGIN INSERT INTO notes_log (at, note) VALUES (datetime('now'), new.note); END;
INSERT INTO people VALUES (1, 'Ada', 1700000000), (2, 'Bo', 1710000000);
INSERT INTO visits VALUES (1, 1, 'first'), (2, 2, '');
