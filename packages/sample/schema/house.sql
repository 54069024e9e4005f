-- The tables of a dental application that grew for twelve years in SQLite. The oddities are meant: each one stands for
-- something that real files of such age contain, and ../README.md lists them.

PRAGMA user_version = 47;

CREATE TABLE app_settings (
  key TEXT PRIMARY KEY,
  value TEXT,
  changed_at DATETIME DEFAULT CURRENT_TIMESTAMP
) WITHOUT ROWID;

-- Tokens of the cloud copy: wider than 2^53.
CREATE TABLE sync_state (
  device TEXT PRIMARY KEY,
  last_change_token INTEGER NOT NULL,
  pending INTEGER NOT NULL DEFAULT 0,
  last_seen_at TEXT NOT NULL
) STRICT;

CREATE TABLE rooms (
  id INTEGER PRIMARY KEY,
  name VARCHAR(10) NOT NULL UNIQUE,
  floor TINYINT,
  has_xray BOOLEAN NOT NULL DEFAULT 0 CHECK (has_xray IN (0, 1))
);

CREATE TABLE postcodes (
  country CHAR(2) NOT NULL,
  postcode VARCHAR(8) NOT NULL,
  city VARCHAR(40) NOT NULL,
  state VARCHAR(4) NOT NULL DEFAULT '',
  PRIMARY KEY (country, postcode)
) WITHOUT ROWID;

CREATE TABLE teeth (
  number INTEGER PRIMARY KEY CHECK (number BETWEEN 11 AND 48),
  name TEXT NOT NULL
);

CREATE TABLE procedures (
  code CHAR(4) NOT NULL PRIMARY KEY,
  name VARCHAR(40) NOT NULL,
  price NUMERIC(8, 2) NOT NULL CHECK (price >= 0),
  active TEXT NOT NULL DEFAULT 'true' CHECK (active IN ('true', 'false'))
);

CREATE TABLE insurers (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  phone VARCHAR(20),
  email VARCHAR(60),
  claims_url TEXT
);
