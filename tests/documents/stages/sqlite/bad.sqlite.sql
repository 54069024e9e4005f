CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE visits (id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES people (id), note TEXT);
INSERT INTO people VALUES (1, 'Ada'), (2, 'Bo');
INSERT INTO visits VALUES (1, 1, 'fine'), (2, 2, 'fine too'), (3, 1, CAST(x'61ff62' AS TEXT));
