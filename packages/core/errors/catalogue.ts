import type { Entry } from './entry.ts';
import { addEntries } from './error.ts';
import { valueRefusals } from './value-refusals.ts';

/**
 * Every expected refusal of Safekeep, by code. Closed: an error that is not here is a bug and leaves as `internal`.
 * The reference page docs/errors.md is generated from this table.
 */
export const catalogue = {
  // ---- how it was called -------------------------------------------------------------------------------------------
  'usage': {
    status: 400,
    exit: 2,
    text: '{problem}',
    remedy: 'Run the command with --help to see what it takes.',
  },
  'certificate-unsigned': {
    status: 409,
    exit: 1,
    text: 'The erasure {erasure} is carried out, and no certificate of it was signed: {reason}.',
    remedy:
      'Find out who wrote to safekeep.erasures. Where an approver was taken from SAFEKEEP_ERASURE_APPROVERS since, put the line back, run `safekeep subject erasures --run`, and take it out again.',
  },
  'configuration-invalid': {
    status: 500,
    exit: 2,
    text: 'The configuration has {count} problem(s):\n{problems}',
    remedy: 'Mend the settings named above. docs/configuration.md lists every setting; `safekeep init` writes a commented file.',
  },
  'consent-needed': {
    status: 428,
    exit: 2,
    text: '{action} needs a yes, and nobody was there to give it. Nothing was changed.',
    remedy:
      'Look first at what it would do, where the command has a plan (`safekeep plan`, `--plan`); then repeat it with --yes, or run it at a terminal and answer the question.',
  },
  'declined': {
    status: 409,
    exit: 1,
    text: 'You declined: {action}. Nothing was changed.',
    remedy: 'Run the command again when you are ready.',
  },
  'interrupted': {
    status: 499,
    exit: 130,
    text: '{action} was interrupted. {kept}',
    remedy: 'Run the same command again; it goes on or starts clean.',
  },
  'file-exists': {
    status: 409,
    exit: 2,
    text: '{path} exists already and was not touched.',
    remedy: 'Move it away or name another place. The files of `safekeep init` are replaced with --force.',
  },
  'file-unreadable': {
    status: 400,
    exit: 2,
    text: '{path} cannot be read ({reason}).',
    remedy: 'Check the path and the rights on it.',
  },
  'file-unwritable': {
    status: 500,
    exit: 2,
    text: '{path} cannot be written ({reason}).',
    remedy: 'Check the rights on its folder, or run the command in another one.',
  },
  'internal': {
    status: 500,
    exit: 3,
    text: 'Something went wrong inside Safekeep (request {request}): {summary}',
    remedy: 'This is a bug. Please report it with the request id and the lines of the log that carry it.',
  },

  // ---- the home and the embedded server ----------------------------------------------------------------------------
  'home-not-writable': {
    status: 500,
    exit: 2,
    text: 'The home {path} cannot be written ({reason}).',
    remedy: 'Give this user write access to it, or name another place with --home or SAFEKEEP_HOME.',
  },
  'home-occupied': {
    status: 409,
    exit: 2,
    text: '{path} holds files that are not of Safekeep, so it was not taken as a home. Nothing in it was changed.',
    remedy: 'Name an empty or a new folder with --home or SAFEKEEP_HOME.',
  },
  'home-of-another': {
    status: 409,
    exit: 2,
    text: 'The home {home} is for {of}, and not for {asked}: its keys, log, ledger and map are of one database. Nothing was touched.',
    remedy:
      'Name what it is for (SAFEKEEP_DATABASE_URL, --sqlite), or another folder with --home and another map with --map. `npm start` without --home takes one beside it by itself.',
  },
  'home-unfit': {
    status: 500,
    exit: 2,
    text: '{path} cannot be a home: {reason}. Nothing in it was changed.',
    remedy: 'Name another folder with --home or SAFEKEEP_HOME, for instance a new one inside this.',
  },
  'disk-full': {
    status: 507,
    exit: 3,
    text: 'The disk that holds {path} is full. What was committed before is safe.',
    remedy: 'Free some space and run the command again.',
  },
  'embedded-not-installed': {
    status: 500,
    exit: 2,
    text: 'There is no embedded PostgreSQL for this platform ({platform}).',
    remedy: 'Install a PostgreSQL 15 to 18 and name it with SAFEKEEP_DATABASE_URL, or install again with optional dependencies on.',
  },
  'embedded-version': {
    status: 500,
    exit: 2,
    text: 'The data in {path} belongs to PostgreSQL {found}; this Safekeep brings PostgreSQL {wanted}. Nothing was changed.',
    remedy: 'Use the Safekeep version that made it, or move the data with pg_dump into a new home.',
  },
  'embedded-moved': {
    status: 500,
    exit: 2,
    text: 'The data of the home {home} is not in {path}, or belongs to another home there. Nothing was created or changed.',
    remedy:
      'Move the data back to where it was, or restore it from a backup. A copied home whose data lies outside it needs data of its own.',
  },
  'runtime-unsafe': {
    status: 500,
    exit: 2,
    text: 'The programs of the embedded PostgreSQL are not run from {path}: {reason}.',
    remedy:
      'Look who put it there and remove it, or name another folder with SAFEKEEP_RUNTIME_DIRECTORY. The programs are copied anew.',
  },
  'process-foreign': {
    status: 403,
    exit: 2,
    text: 'Process {pid} uses this home but belongs to another user, so it was not stopped.',
    remedy: 'Run `safekeep stop` as that user or as root.',
  },
  'embedded-failed': {
    status: 503,
    exit: 2,
    text: 'The embedded PostgreSQL did not start: {reason}',
    remedy: 'The server log is {log}. `safekeep doctor` checks the home and its disk.',
  },
  'embedded-user': {
    status: 500,
    exit: 2,
    text: 'PostgreSQL refuses to run as root, and no ordinary user could be found or made for it ({reason}).',
    remedy: 'Create a system user named postgres, or run Safekeep as an ordinary user.',
  },
  'unhealthy': {
    status: 503,
    exit: 2,
    text: 'The ground is not fit: {failed}.',
    remedy: 'Mend what is named; `safekeep doctor` shows it in full.',
  },
  'unproven': {
    status: 409,
    exit: 1,
    text: 'What was done is not proven: {failed}. All of it stands.',
    remedy: '`{command}` shows it in full. Until it is explained keep a copy of the database and the home: it is evidence.',
  },
  'import-not-proven': {
    status: 409,
    exit: 1,
    text: 'Importing {file} ended without proof (run {run}): {problems}. Nothing of it stands under its final names.',
    remedy:
      'Run `safekeep import sqlite {file} --plan` to see what is in the way. With `--on-invalid quarantine` instead of `--plan` rows that PostgreSQL cannot hold are put aside, and the main job goes on from there.',
  },
  'already-running': {
    status: 409,
    exit: 2,
    text: 'Safekeep already runs for the home {home} (process {pid}).',
    remedy: 'Use it as it is, or run `safekeep stop` first.',
  },
  'key-file-unsafe': {
    status: 500,
    exit: 2,
    text: 'The key file {path} can be read by other users of this machine (mode {mode}). It was not used.',
    remedy: 'Run chmod 600 on it, and think about whether the key was seen.',
  },
  'home-key-lost': {
    status: 500,
    exit: 2,
    text: 'The key {path} is gone, and what lies in {trace} was made with it. Nothing was made in its place.',
    remedy: 'Put it back, or rebuild the keys of this home from a backup with `safekeep keys recover`.',
  },
  'key-file-broken': {
    status: 500,
    exit: 2,
    text: 'The key file {path} does not hold a key ({reason}).',
    remedy: 'Restore it from your key backup. Do not delete it: what it signed can then no longer be linked to this home.',
  },

  // ---- reaching a database -----------------------------------------------------------------------------------------
  'database-url-invalid': {
    status: 500,
    exit: 2,
    text: 'The database URL is not usable: {reason}.',
    remedy: 'Write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full.',
  },
  'database-unreachable': {
    status: 503,
    exit: 2,
    text: 'No PostgreSQL answers at {host}:{port} ({reason}).',
    remedy: 'Check that the server runs, the host and port are right, and a firewall lets this machine in.',
  },
  'database-password-wrong': {
    status: 503,
    exit: 2,
    text: 'PostgreSQL at {host}:{port} refused the login of {user}.',
    remedy: 'Check user and password in SAFEKEEP_DATABASE_URL and the rules in pg_hba.conf.',
  },
  'database-missing': {
    status: 503,
    exit: 2,
    text: 'The server at {host}:{port} has no database named {database}.',
    remedy: 'Create it, or correct the name at the end of the URL.',
  },
  'database-closed': {
    status: 503,
    exit: 2,
    text: 'The database {database} at {host}:{port} accepts no connections at present.',
    remedy: 'Let an administrator run ALTER DATABASE "{database}" ALLOW_CONNECTIONS true, or name another database.',
  },
  'database-tls': {
    status: 503,
    exit: 2,
    text: 'A TLS connection to {host}:{port} that satisfies sslmode={mode} is not possible: {reason}.',
    remedy:
      'Give the right CA with sslrootcert=FILE, use the host name that stands in the certificate, or turn TLS on at the server.',
  },
  'database-version': {
    status: 503,
    exit: 2,
    text: 'This is PostgreSQL {found}; Safekeep needs 15 to 18.',
    remedy: 'Upgrade the server, or name another one.',
  },
  'database-read-only': {
    status: 503,
    exit: 2,
    text: 'This server is read-only (a standby, or default_transaction_read_only is on). Nothing was changed.',
    remedy: 'Name the primary server in SAFEKEEP_DATABASE_URL.',
  },
  'database-busy': {
    status: 503,
    exit: 2,
    text: 'There is no connection to the database left for us ({reason}).',
    remedy:
      'Where it is the server: raise max_connections, lower SAFEKEEP_POOL_MAX, or put pgBouncer in front. Where it is this process: raise SAFEKEEP_POOL_MAX, 2 at least; keys are made on a second connection beside the caller’s.',
  },
  'extension-missing': {
    status: 503,
    exit: 2,
    text: 'The extension {extension} is neither installed nor can {user} install it.',
    remedy: 'Ask an administrator to run: CREATE EXTENSION {extension};',
  },
  'privilege-missing': {
    status: 403,
    exit: 2,
    text: '{user} lacks a right: {right}. Nothing was changed.',
    remedy: 'Let an administrator run: {grant}',
  },
  'schema-foreign': {
    status: 409,
    exit: 2,
    text: 'Schema {schema} in this database is not to be trusted: {reason}. Nothing in it was run, nothing was changed.',
    remedy:
      'If Safekeep was installed here by {owner}, connect as {owner}. If not, find out who made the schema, rename it or drop it, and run the command again.',
  },
  'statement-cancelled': {
    status: 503,
    exit: 2,
    text: 'The server cancelled a statement while: {action}. What was not committed was rolled back.',
    remedy: 'Give the login more time (ALTER ROLE … SET statement_timeout), or run the command again when there is less traffic.',
  },
  'connection-lost': {
    status: 503,
    exit: 3,
    text: 'The connection to the database was lost while: {action}. What was not committed was rolled back by the server.',
    remedy: 'Check the server, then run the same command again.',
  },
  'lock-timeout': {
    status: 503,
    exit: 2,
    text: 'A lock on {target} was not to be had within {tries} tries. Nothing was changed, it can be tried again.',
    remedy:
      'Find the blocking session in pg_stat_activity (pg_blocking_pids), and run the command again, or wait until there is less traffic.',
  },
  'runtime-role-too-strong': {
    status: 503,
    exit: 2,
    text: 'The login {user} is {reason}: row security would not bind it, so one tenant could read another. It is refused for the running pool.',
    remedy:
      "Make a login that is only a member of safekeep_app: CREATE ROLE safekeep_runtime LOGIN PASSWORD '…' IN ROLE safekeep_app; and name it in SAFEKEEP_RUNTIME_URL. Keep the strong one in SAFEKEEP_DATABASE_URL for migrations.",
  },

  // ---- reading the structure of a database -------------------------------------------------------------------------
  'catalog-unsettled': {
    status: 503,
    exit: 2,
    text: 'The structure of the database changed under each of {tries} tries to read it. Nothing was changed by us.',
    remedy: 'Wait until the migration or deployment that alters it is done, then run the command again.',
  },

  // ---- Safekeep's own schema ---------------------------------------------------------------------------------------
  'migration-unknown': {
    status: 400,
    exit: 2,
    text: 'There is no migration {version}; the newest is {newest}.',
    remedy: '`safekeep migrate status` lists them.',
  },
  'migration-changed': {
    status: 409,
    exit: 1,
    text: 'Migration {version} has landed in this database with another content (sha256 {landed}, now {now}). Nothing was changed.',
    remedy:
      'Run the Safekeep that wrote it. Who changed the file of a migration puts it back as it was when it landed; changes go into a new one.',
  },
  'migration-newer': {
    status: 409,
    exit: 2,
    text: 'This database carries schema version {found}; this Safekeep knows up to {newest}.',
    remedy: 'Upgrade Safekeep to the version that wrote it.',
  },
  'migration-failed': {
    status: 500,
    exit: 1,
    text: 'Migration {version} {direction} failed and was rolled back: {reason}',
    remedy: 'The schema stands at {current}. Mend the cause and run the same command again.',
  },

  'migration-refused': {
    status: 409,
    exit: 1,
    text: 'Nothing was taken back: migration {version} keeps what would be lost with it. {reason}',
    remedy:
      'The schema stands whole at {current}. Safekeep deletes no log and no keys: where it is to leave this database for good, run `safekeep unapply` and drop the schema yourself as docs/guides/protect-my-postgresql.md shows.',
  },

  // ---- the data map ------------------------------------------------------------------------------------------------
  'map-missing': {
    status: 404,
    exit: 2,
    text: 'There is no data map at {file}.',
    remedy: 'Write one with `safekeep scan --write`, or name another place with --map.',
  },
  'map-invalid': {
    status: 422,
    exit: 2,
    text: '{file} is no data map; {count} fault(s):\n{faults}',
    remedy: 'Mend the places named above; docs/datamap.schema.json lets an editor complete and check the file.',
  },
  'map-changed': {
    status: 409,
    exit: 1,
    text: '{file} was changed by somebody else in the meantime. It was left as it is.',
    remedy: 'Look at their change, then run the command again.',
  },
  'map-version-unknown': {
    status: 404,
    exit: 2,
    text: '{version} names no version of the data map: neither a number of `safekeep map history` nor a file.',
    remedy: '`safekeep map history` lists the versions.',
  },
  'fides-invalid': {
    status: 422,
    exit: 2,
    text: '{file} is no fides dataset: {reason}. Nothing was written.',
    remedy: 'Give a file with `dataset:` and its collections, as `safekeep map export --format fides` writes it.',
  },

  // ---- developing Safekeep -----------------------------------------------------------------------------------------
  'bench-running': {
    status: 409,
    exit: 2,
    text: 'The machine is taken by {holder}. Nothing was measured: two benches at once would measure each other.',
    remedy: 'Wait until it has ended, then run the bench again.',
  },

  // ---- plan, apply, unapply ----------------------------------------------------------------------------------------
  'plan-blocked': {
    status: 422,
    exit: 1,
    text: 'The map cannot be brought onto this database. Nothing was changed.{problems}',
    remedy:
      'Mend the map (`safekeep map check` names each place), then make a new plan. Where its tables are those of another database, name the right map with --map.',
  },
  'plan-outdated': {
    status: 409,
    exit: 1,
    text: 'The database or the map has changed since the plan was made: {difference}. Nothing of the rest was run.',
    remedy: 'Run `safekeep plan` again, look at it, and apply the new one.',
  },
  'apply-running': {
    status: 409,
    exit: 1,
    text: 'Another apply or unapply works on this database now. Nothing was changed.',
    remedy: 'Wait for it to finish, then run the command again.',
  },
  'apply-failed': {
    status: 422,
    exit: 1,
    text: 'The step "{step}" failed and was rolled back: {reason}. {kept}',
    remedy: 'Mend the cause, look at `safekeep plan` again, and apply.',
  },
  'apply-cancelled': {
    status: 503,
    exit: 2,
    text: 'The server cancelled the step "{step}", which took longer than statement_timeout allows this login. {kept}',
    remedy: 'Give the login more time (ALTER ROLE … SET statement_timeout), or run it when there is less traffic.',
  },
  'unapply-held': {
    status: 409,
    exit: 1,
    text: 'Protection cannot be taken out while something is held: {holds}. Nothing was changed.',
    remedy: '{remedies} Then run unapply again, or leave Safekeep in place.',
  },
  'unapply-drifted': {
    status: 409,
    exit: 1,
    text: 'Somebody changed this since the last apply, and taking Safekeep out would overwrite it: {objects}. Nothing was changed.',
    remedy: 'Look at `safekeep status`; `safekeep apply` takes the change over, then run unapply again.',
  },
  'unapply-differs': {
    status: 500,
    exit: 3,
    text: 'Without Safekeep this would not be as it was before the first apply: {objects}. Everything was rolled back.',
    remedy: 'Nothing is lost. Report this with the output of `safekeep status --json`: it is a fault of Safekeep.',
  },

  // ---- import ------------------------------------------------------------------------------------------------------
  'import-source-not-sqlite': {
    status: 400,
    exit: 2,
    text: '{file} is not a SQLite database: {finding}. Nothing was changed.',
    remedy: 'Name the database file itself; unpack or decrypt it first (SQLCipher: sqlcipher_export).',
  },
  'import-source-empty': {
    status: 400,
    exit: 2,
    text: '{file} is an empty file: a SQLite database without a single table. Nothing was changed.',
    remedy: 'Check the path: SQLite programs create an empty file when they are given a wrong one.',
  },
  'import-source-no-tables': {
    status: 400,
    exit: 2,
    text: '{file} is a SQLite database without any table. Nothing was changed.',
    remedy: 'Check the path: this may be a fresh database instead of the one in use.',
  },
  'import-source-corrupt': {
    status: 400,
    exit: 2,
    text: 'The SQLite file is damaged at {place}: {detail}. The file was not touched and nothing was imported.',
    remedy:
      'Restore it from a backup, or save what can be read with the recover command of the sqlite3 shell and import the result.',
  },
  'import-source-journal': {
    status: 409,
    exit: 2,
    text: 'Beside {file} lies the journal of a transaction that never finished. Reading without it would show half of it. Nothing was changed.',
    remedy: 'Open the database once with its own application (or sqlite3), which rolls it back; then import again.',
  },
  'import-source-locked': {
    status: 409,
    exit: 2,
    text: '{file} is locked by another program that is writing to it. Nothing was changed.',
    remedy: 'Try again when it has finished, or stop it for the time of the import.',
  },
  'import-source-changed': {
    status: 409,
    exit: 1,
    text: '{file} was changed by another program while it was read. What was loaded was removed again.',
    remedy: 'Stop the writing program and import again, or use --follow for a database in use.',
  },
  'import-source-differs': {
    status: 409,
    exit: 1,
    text: '{file} is not the file any more that the run {run} imported (its SHA-256 differs), so the run cannot be proven against it. Nothing was changed.',
    remedy:
      'Put the file as it was back in its place, or move this one away: the target is then compared with the digests the run recorded.',
  },
  'import-source-missing': {
    status: 409,
    exit: 2,
    text: 'The SQLite file is gone and the run recorded no digest of {table} (it ran with --verify counts or off). Nothing was changed.',
    remedy: 'Put the file back in its place.',
  },
  'import-blocked': {
    status: 422,
    exit: 1,
    text: 'PostgreSQL cannot hold this database as it is: {problems}. Nothing was created.',
    remedy: 'Mend what is named in the source, then import again.',
  },
  'import-type-unfit': {
    status: 422,
    exit: 1,
    text: '{column} cannot become {type}: {reason}. Nothing was created.',
    remedy: 'Leave the --type for this column out, or choose one that holds every value; `--plan` shows what the column holds.',
  },
  'import-strict-types': {
    status: 422,
    exit: 1,
    text: '{count} column(s) hold values against their declared type, and --strict-types was given: {columns}. Nothing was created.',
    remedy: 'Mend the values in the source, or leave out --strict-types: the columns are then widened without loss.',
  },
  'import-target-occupied': {
    status: 409,
    exit: 1,
    text: 'The schema {schema} has {count} object(s) of these names already: {names}. Nothing was changed.',
    remedy:
      'Import into another schema with --schema, or repeat with --replace: what stands there is kept aside, and `safekeep import rollback RUN` brings it back.',
  },
  'import-replace-referenced': {
    status: 409,
    exit: 1,
    text: '{table} cannot be replaced: {dependent} depends on it and is not part of this import. Nothing was changed.',
    remedy: 'Drop what depends on it first, or import into another schema with --schema.',
  },
  'import-replace-protected': {
    status: 409,
    exit: 1,
    text: '{table} cannot be replaced: its changes are in the audit log, or columns of it are encrypted, and what would take its place knows nothing of either, nor of whom was erased in it. Nothing was changed.',
    remedy:
      'Go on with what is there. Or `safekeep unapply` takes all of it out first; or the file goes into another schema (--schema) or another home (--home).',
  },
  'import-run-unknown': {
    status: 404,
    exit: 2,
    text: 'There is no import run {run} here.',
    remedy: '`safekeep import list` shows the runs of this database.',
  },
  'import-run-state': {
    status: 409,
    exit: 1,
    text: 'The import run {run} is {state}; {action} needs one that is {needed}. Nothing was changed.',
    remedy: '`safekeep import show {run}` tells what became of it.',
  },
  'import-run-active': {
    status: 409,
    exit: 1,
    text: 'Another import into schema {schema} is running now. Nothing was changed.',
    remedy: 'Wait for it to finish, or stop it; then run the command again.',
  },
  'import-rollback-changed': {
    status: 409,
    exit: 1,
    text: 'Since the import, {tables} changed. Rolling back would lose these changes; nothing was changed.',
    remedy: 'Save the changes first, or repeat with --discard-changes.',
  },
  'import-rollback-dependents': {
    status: 409,
    exit: 1,
    text: 'The import cannot be rolled back: {detail}. Nothing was changed.',
    remedy: 'Drop what was built on the imported tables first (`safekeep unapply` takes out what Safekeep added), then roll back.',
  },

  // ---- import: following a source in use ---------------------------------------------------------------------------
  'import-source-read-only': {
    status: 403,
    exit: 2,
    text: '{file} cannot be written to. Following it needs triggers in it. Nothing was changed.',
    remedy: 'Give this user the right to write to the file and its folder, or stop the application and import once more.',
  },
  'import-follow-no-key': {
    status: 422,
    exit: 1,
    text: 'Changes of these tables cannot be told row by row: {tables}. Nothing was changed.',
    remedy: 'Give them a primary key of columns that are never NULL, or stop the application for the time of the import.',
  },
  'import-follow-exists': {
    status: 409,
    exit: 1,
    text: '{file} has a changelog already. Nothing was changed.',
    remedy: '`safekeep import list` shows the import it belongs to; `safekeep import follow RUN --stop` of that one takes it out.',
  },
  'import-follow-missing': {
    status: 409,
    exit: 1,
    text: 'The source of the import run {run} is not followed. Nothing was changed.',
    remedy: 'Begin with `safekeep import follow {run}`.',
  },
  'import-follow-quarantine': {
    status: 422,
    exit: 1,
    text: 'The import run {run} has {count} row(s) in quarantine, so its source cannot be followed. Nothing was changed.',
    remedy: 'Mend these rows in the source and import again without --on-invalid quarantine.',
  },
  'import-follow-differs': {
    status: 409,
    exit: 1,
    text: '{file} has changed since the run {run} imported it (or the run recorded no digests): {tables}. What changed is in no log. Nothing was changed.',
    remedy: 'Import again with --follow, which logs changes from before the first row is read.',
  },
  'import-follow-referenced': {
    status: 409,
    exit: 1,
    text: '{table} cannot follow its source: {dependent} refers to it and is not part of the import. Nothing was changed.',
    remedy: 'Drop that foreign key until the cut-over.',
  },
  'import-follow-broken': {
    status: 409,
    exit: 1,
    text: '{file} cannot be followed any further: {problem}. The target stays at the last state that was brought over whole.',
    remedy: 'Stop following (`safekeep import follow RUN --stop`) and import again with --follow --replace.',
  },
  'import-follow-unfit': {
    status: 422,
    exit: 1,
    text: 'A row of the source does not fit any more: {column} became {type}, and its new value is none ({place}). Nothing of this round was written.',
    remedy:
      'Mend the value in the source and catch up again; or import again with --follow --replace, which decides the types anew.',
  },
  'import-follow-refused': {
    status: 422,
    exit: 1,
    text: 'PostgreSQL refuses changed rows of {table}: {reason}. Nothing of this round was written.',
    remedy: 'Mend the rows in the source and catch up again; or import again with --follow --replace.',
  },
  'import-follow-mismatch': {
    status: 500,
    exit: 1,
    text: '{table} is not the same on both sides: {finding}. Nothing of this round was written.',
    remedy:
      'Somebody may have written to the target: `safekeep import verify RUN` finds the rows. Else import again with --follow --replace.',
  },
  'import-follow-state': {
    status: 409,
    exit: 1,
    text: 'The import run {run} is {state}; this needs one that is {needed}. Nothing was changed.',
    remedy:
      '`safekeep import cut-over {run} --back` hands an import that was cut over back; `safekeep import follow {run} --stop` ends it.',
  },
  'import-back-conflict': {
    status: 409,
    exit: 1,
    text: 'Since the cut-over the same rows changed on both sides: {tables}. Nothing was written back.',
    remedy: 'Repeat with --overwrite to let the rows of PostgreSQL win.',
  },
  'import-back-expired': {
    status: 410,
    exit: 1,
    text: 'The way back of the import run {run} is closed: {reason}. Nothing was written back.',
    remedy: 'Export what changed since and bring it over by hand.',
  },

  // ---- jobs --------------------------------------------------------------------------------------------------------
  'job-unknown': {
    status: 404,
    exit: 2,
    text: 'There is no job {job} here.',
    remedy: '`safekeep jobs list` shows the jobs of this tenant.',
  },
  'job-kind-unknown': {
    status: 404,
    exit: 2,
    text: 'There is no kind of job called {kind}.',
    remedy: 'The kinds are: {kinds}.',
  },
  'job-state': {
    status: 409,
    exit: 1,
    text: 'The job {job} is {state}; {action} needs one that is {needed}. Nothing was changed.',
    remedy: '`safekeep jobs show {job}` tells what became of it.',
  },
  'job-busy': {
    status: 409,
    exit: 1,
    text: 'The job {job} is in the middle of a transaction. Nothing was changed.',
    remedy: 'Try again in a moment.',
  },
  'job-payload-invalid': {
    status: 422,
    exit: 1,
    text: 'The payload of a {kind} job does not fit version {version} of its schema (at {places}). It was not run.',
    remedy: 'Enqueue it again with a payload that fits.',
  },
  'job-payload-old': {
    status: 422,
    exit: 1,
    text: 'The payload of a {kind} job has version {version}; this Safekeep reads version {current} and has no way to upgrade it. It was not run.',
    remedy: 'Enqueue it again in the new form, or run a Safekeep that reads the old one.',
  },
  'job-upgrade-failed': {
    status: 422,
    exit: 1,
    text: 'The payload of a {kind} job could not be brought from version {version} to {current}. It was not run.',
    remedy: 'Enqueue it again in the new form; the old payload is kept with the job.',
  },
  'job-key-reused': {
    status: 409,
    exit: 1,
    text: 'The idempotency key belongs to the {kind} job {job} already, which has another payload. Nothing was enqueued.',
    remedy: 'Use a new key for new work.',
  },
  'job-tenant-unknown': {
    status: 404,
    exit: 2,
    text: 'There is no tenant {tenant} here. Nothing was enqueued or scheduled.',
    remedy:
      "Check --tenant. Another tenant is a row that an administrator adds: INSERT INTO safekeep.tenants (tenant_id, name) VALUES ('{tenant}', '…').",
  },
  'job-lost': {
    status: 409,
    exit: 1,
    text: 'The job {job} is no longer held by this worker: it was cancelled or taken over by another. Nothing of this attempt was committed since its last checkpoint.',
    remedy: '`safekeep jobs show {job}` tells where it stands.',
  },
  'job-needs-home': {
    status: 503,
    exit: 1,
    text: 'The job {kind} works on the keys of the home, and this worker was started without one. Nothing was changed.',
    remedy: 'Let a worker take it that `safekeep start --role worker` has started, in the home with the keys.',
  },
  'job-timed-out': {
    status: 504,
    exit: 1,
    text: 'The job {job} did not end within {seconds} seconds and was stopped. What it committed up to its last checkpoint stands.',
    remedy: 'It goes on from there with its next attempt; give the kind more time if this happens often.',
  },
  'job-drained': {
    status: 503,
    exit: 1,
    text: 'The worker is stopping; the job {job} is handed back.',
    remedy: 'Another worker goes on from the last checkpoint.',
  },
  'job-worker-lost': {
    status: 500,
    exit: 3,
    text: 'The worker that ran the job {job} vanished in the middle (killed, crashed, or cut off). Nothing of this attempt was committed since its last checkpoint.',
    remedy:
      'It is tried again by itself. If it ended up dead, it probably kills its worker: look at the memory it needs, then `safekeep jobs retry {job}`.',
  },
  'job-not-committed': {
    status: 500,
    exit: 3,
    text: 'The handler of the job {job} ended it in a transaction and never committed that. Its effects are not there.',
    remedy: 'This is a bug of the handler. The job is tried again.',
  },
  'job-schedule-invalid': {
    status: 422,
    exit: 2,
    text: 'The schedule "{cron}" in time zone "{timeZone}" cannot be used: {reason}',
    remedy:
      'Write five fields (minute, hour, day of month, month, day of week), as in "30 3 * * *", and an IANA time zone, as in Europe/Berlin.',
  },
  'job-schedule-unknown': {
    status: 404,
    exit: 2,
    text: 'There is no schedule for {kind}.',
    remedy: '`safekeep jobs schedule` lists what is scheduled.',
  },
  'jobs-schema-newer': {
    status: 503,
    exit: 2,
    text: 'Schema safekeep_jobs has version {found} of the queue; this Safekeep knows {known}. Nothing was changed.',
    remedy: 'Run the Safekeep that made it, or a newer one.',
  },

  // ---- holds -------------------------------------------------------------------------------------------------------
  'hold-target-invalid': {
    status: 400,
    exit: 2,
    text: 'A hold cannot be placed on this target: {reason}. Nothing was placed.',
    remedy:
      'Write a subject (patient:42), a row (public.invoices:17, several key columns joined by commas, a comma within one as \\,), or a table with --query.',
  },
  'hold-target-missing': {
    status: 404,
    exit: 1,
    text: 'There is no such {what} in {table}. A hold on nothing would protect nothing, so none was placed.',
    remedy: 'Check the key. If a row was erased before, no hold can bring it back; a backup may hold it.',
  },
  'hold-table-unfit': {
    status: 422,
    exit: 1,
    text: '{table} cannot carry a hold: {reason}. Nothing was placed.',
    remedy: 'Hold the people or the rows it belongs to, or mend what is named.',
  },
  'hold-condition-invalid': {
    status: 400,
    exit: 2,
    text: 'The condition of the hold is not understood at character {at}: {reason}. Nothing was placed.',
    remedy:
      "Write comparisons of a column with a value, joined by and, or and parentheses: status = 'open' and (amount >= 100 or note is not null).",
  },
  'hold-condition-unfit': {
    status: 422,
    exit: 1,
    text: 'The condition does not fit {table} ({reason}). Nothing was placed.',
    remedy: 'Compare columns that the table has with values of their types; extension types and arrays cannot be compared here.',
  },
  'hold-dates-unfit': {
    status: 422,
    exit: 2,
    text: 'The dates of the hold do not fit: {reason}. Nothing was changed.',
    remedy: 'A review lies in the future; the time that a matter is about ends after it begins.',
  },
  'hold-unknown': {
    status: 404,
    exit: 1,
    text: 'There is no hold {hold}.',
    remedy: '`safekeep hold list --all` shows them with their ids.',
  },
  'hold-released': {
    status: 409,
    exit: 1,
    text: 'The hold {hold} was released already. Nothing was changed.',
    remedy: '`safekeep hold history {hold}` shows by whom. Place a new one where one is needed again.',
  },
  'hold-busy': {
    status: 503,
    exit: 1,
    text: 'Something is being destroyed right now, and did not end within {seconds} s. The hold was not placed.',
    remedy: 'Try again at once; if it must not be destroyed, stop the running erasure or retention first.',
  },
  'hold-not-evaluable': {
    status: 503,
    exit: 1,
    text: 'It cannot be told whether rows of {table} are held ({reason}), so they count as held. Nothing was destroyed.',
    remedy: 'Mend what is named, or release the hold whose condition cannot be read any more.',
  },

  // ---- ledger ------------------------------------------------------------------------------------------------------
  'ledger-busy': {
    status: 503,
    exit: 1,
    text: 'Another process has been writing the ledger for {seconds} s. Nothing was written, and nothing was destroyed.',
    remedy: 'Try again. If no other Safekeep runs on this home, look for a process that hangs.',
  },
  'ledger-disk-full': {
    status: 507,
    exit: 3,
    text: 'The disk that holds the ledger is full. The entry was taken back whole, and nothing was destroyed.',
    remedy: 'Free some space and run the command again. Never delete the ledger: without it a restore brings erased people back.',
  },
  'ledger-unwritable': {
    status: 500,
    exit: 2,
    text: 'The ledger in {path} cannot be written ({reason}). Nothing was destroyed.',
    remedy: 'Give this user write access to it, or name another folder with SAFEKEEP_LEDGER_DIR and move the files there.',
  },
  'ledger-broken': {
    status: 500,
    exit: 1,
    text: 'The ledger is not what was written: {reason}. Nothing was written to it, and nothing was destroyed.',
    remedy: 'Run `safekeep ledger verify`. Keep the files as they are, find out who changed them, and put the copy in their place.',
  },
  'ledger-key-missing': {
    status: 500,
    exit: 2,
    text: 'There is a ledger, but not its key {path}. Nothing was written.',
    remedy: 'Restore the key from your key backup. Without it nobody can tell which rows of a restored database were erased.',
  },
  'ledger-key-wrong': {
    status: 500,
    exit: 2,
    text: 'The key {path} is not the one that this ledger was begun with. Nothing was written.',
    remedy: 'Put back the key that belongs to the ledger, or name the right folder with SAFEKEEP_LEDGER_DIR.',
  },
  'ledger-copy-ahead': {
    status: 409,
    exit: 1,
    text: 'The copy of the ledger in {path} holds what the ledger itself does not. Nothing was written, and nothing was destroyed.',
    remedy:
      'The ledger was cut or replaced by an older one: run `safekeep ledger verify`, and put the copy in its place if that one is whole.',
  },
  'verdicts-invalid': {
    status: 400,
    exit: 2,
    text: '{path} is no file of verdicts: {reason}. Nothing was recorded.',
    remedy:
      'Write a list `verdicts` whose entries have column, category and, if you like, note; docs/guides/find-personal-data.md has an example.',
  },
  'text-column-unfit': {
    status: 422,
    exit: 2,
    text: 'The texts of {column} cannot be looked at: {reason}. Nothing was changed.',
    remedy: 'Name a column of a table with a primary key, as `safekeep scan --json` names it.',
  },
  'verdict-unfit': {
    status: 422,
    exit: 2,
    text: 'The verdict on {column} does not fit: {reason}. Nothing was recorded.',
    remedy: 'Name the column as `safekeep scan --json` does, and a key of the taxonomy (docs/categories.md) or none.',
  },

  // ---- text of discovery -------------------------------------------------------------------------------------------
  'text-malformed': {
    status: 400,
    exit: 2,
    text: 'Item {number} is neither a JSON string nor an object with `text` or `full_text`. What came before it was looked at.',
    remedy: 'Mend the item, or give plain text: a file whose first line is no JSON is read line by line.',
  },
  'text-too-long': {
    status: 413,
    exit: 2,
    text: 'Item {number} is longer than {limit} characters. What came before it was looked at.',
    remedy: 'Cut it into several items, at the ends of paragraphs.',
  },
  'patterns-invalid': {
    status: 400,
    exit: 2,
    text: 'The file of patterns cannot be used: {problem}. Nothing was looked at.',
    remedy: 'Mend the file; docs/guides/detect.md shows one. Patterns are those of RE2: no look-around, no back-references.',
  },
  'pattern-too-slow': {
    status: 422,
    exit: 1,
    text: 'Your patterns took longer than {seconds} s on one text, at {name}. What came before that text was looked at.',
    remedy: 'Make the pattern smaller (large repetitions cost most), or cut the text into several items.',
  },

  // ---- sealed values -----------------------------------------------------------------------------------------------

  // ---- keys: the root, epochs, people's keys -------------------------------------------------------------------------
  'key-scope-invalid': {
    status: 400,
    exit: 2,
    text: '{scope} is not the name of a type of data.',
    remedy: 'Names are lower-case words joined by dots, like user.contact.email; `root`, `epoch` and `owners` mean something else.',
  },
  'key-root-unfit': {
    status: 500,
    exit: 2,
    text: 'The root of all keys ({root}) cannot be used: {reason}.',
    remedy: 'Mend the setting; docs/configuration.md lists all that begin with SAFEKEEP_ROOT.',
  },
  'key-root-missing': {
    status: 500,
    exit: 2,
    text: '{path} is gone, and without it no key opens. Nothing was made in its place.',
    remedy: 'Put it back, or rebuild the keys from a backup with `safekeep keys recover`.',
  },
  'key-root-wrong': {
    status: 500,
    exit: 2,
    text: 'The root {root} is not opened by what the settings name. Nothing was changed.',
    remedy: 'Give the passphrase, identity or key that belongs to it, or the one before in SAFEKEEP_ROOT_PREVIOUS.',
  },
  'key-root-unreachable': {
    status: 503,
    exit: 2,
    text: 'The program {root} that keeps the root did not do what it was asked: {reason}. Nothing was changed.',
    remedy: 'Run it by hand, see to what stands behind it, and repeat. What is open already works on until its process ends.',
  },
  'key-store-missing': {
    status: 500,
    exit: 2,
    text: 'The database has keys of the tenant {tenant}, but their key files are not in {path}. Nothing was made in their place.',
    remedy: 'Name the right folder with SAFEKEEP_KEYS_DIR, or rebuild them from a backup with `safekeep keys recover`.',
  },
  'key-store-foreign': {
    status: 409,
    exit: 2,
    text: 'The key files in {path} are not those that the keys of this database were wrapped under (epoch {epoch}). Nothing was changed.',
    remedy:
      'Name the folder that belongs to this database with SAFEKEEP_KEYS_DIR. Two homes cannot have one database with keys of their own.',
  },
  'key-store-unwritable': {
    status: 500,
    exit: 2,
    text: '{path} cannot be written ({reason}). No key was changed or destroyed.',
    remedy: 'Free some space or give this user write access, and repeat.',
  },
  'key-store-occupied': {
    status: 409,
    exit: 2,
    text: '{path} holds living keys of its own (tenant {tenant}, epoch {epoch}). Nothing was changed.',
    remedy: 'Recover into an empty folder, named with SAFEKEEP_KEYS_DIR or --home.',
  },
  'key-file-other': {
    status: 409,
    exit: 2,
    text: '{path} is another key than the one in the backup. Nothing was changed.',
    remedy:
      'Move it to another folder and repeat. Keep it: what was signed or sealed since the keys were lost goes with it, and with no other key.',
  },
  'key-epoch-destroyed': {
    status: 410,
    exit: 1,
    text: 'The keys of this database are wrapped under epoch {epoch}, whose key was destroyed: it is a copy from before.',
    remedy:
      'Bring its key table up to date with `safekeep keys recover`, which takes the newest export; then `safekeep ledger replay` for who was erased after it.',
  },
  'key-busy': {
    status: 423,
    exit: 1,
    text: 'Somebody else is rotating, backing up or recovering these keys, or a long transaction is making some. Nothing was changed.',
    remedy: 'Repeat the command when that has ended.',
  },
  'key-unknown': {
    status: 404,
    exit: 1,
    text: 'There is no key {key} here.',
    remedy: 'Run `safekeep keys list`. A value that names it comes from another tenant or another database.',
  },
  'key-in-use': {
    status: 409,
    exit: 1,
    text: 'Key {key} still opens {values} value(s) in {place}. It was not destroyed.',
    remedy:
      'Put them under the newest key: `safekeep encrypt rotate COLUMN`. `safekeep keys census` counts what is under which. Partitions that were detached and copies of a table are counted too: attach or drop them first.',
  },
  'key-still-held': {
    status: 409,
    exit: 1,
    text: 'A transaction that began before has not ended, and may have a value under key {key}. It was not destroyed.',
    remedy: 'Find it in pg_stat_activity (the oldest xact_start) or in pg_prepared_xacts, let it end, and run the command again.',
  },
  'key-not-retired': {
    status: 409,
    exit: 1,
    text: 'Key {key} is not destroyed: {reason}.',
    remedy:
      'A key of an encrypted column is retired by `safekeep encrypt rotate COLUMN`, one of an index by `safekeep encrypt reindex COLUMN --search exact`; both by `safekeep decrypt COLUMN`.',
  },
  'key-exists': {
    status: 409,
    exit: 1,
    text: 'There is a key for {scope} already.',
    remedy: 'Run `safekeep keys rotate {scope}` for a new version of it.',
  },
  'key-not-active': {
    status: 409,
    exit: 1,
    text: 'Key {key} is {state}: nothing is sealed under it.',
    remedy: 'Seal under the newest version of its scope.',
  },
  'key-lease-expired': {
    status: 409,
    exit: 3,
    text: 'Key {key} was read too long ago to be used: it may have been destroyed since.',
    remedy: 'Ask the key ring for it again.',
  },
  'key-swapped': {
    status: 500,
    exit: 1,
    text: 'Key {key} of the database does not open where it stands: it was changed, or put in the place of another.',
    remedy: 'Find out who wrote to safekeep.encryption_keys, and bring the table up to date with `safekeep keys recover`.',
  },
  'key-export-broken': {
    status: 500,
    exit: 1,
    text: 'The export {path} is not what was written: {reason}. No key was destroyed.',
    remedy: 'Take an older export with `safekeep keys recover --export FILE`, or make a new one with `safekeep keys rotate epoch`.',
  },
  'key-export-missing': {
    status: 404,
    exit: 1,
    text: 'There is no export of the key table of the tenant {tenant} in {path}.',
    remedy:
      'Name the folder that belongs to this database with SAFEKEEP_KEYS_DIR, or give a backup of the keys: `safekeep keys recover --from FILE`.',
  },
  'key-backup-unfit': {
    status: 400,
    exit: 2,
    text: 'This is not a backup of keys that can be used: {reason}. Nothing was changed.',
    remedy:
      'Give all files of one backup, each with --from: the .age file and its identity (--identity-file), or as many shares as its threshold says.',
  },

  // ---- encrypted fields --------------------------------------------------------------------------------------------
  'field-missing': {
    status: 404,
    exit: 2,
    text: 'There is no column {field}. Nothing was changed.',
    remedy: 'Name it as schema.table.column; parts with capitals or spaces in double quotes.',
  },
  'field-unfit': {
    status: 409,
    exit: 1,
    text: '{field} cannot be encrypted as it is. Nothing was changed.\n{reasons}',
    remedy: 'Do what is said beside each reason, and run the command again.',
  },
  'field-search-unsafe': {
    status: 409,
    exit: 1,
    text: '{field} cannot be given a search by {search}: {reason}. Nothing was changed.',
    remedy:
      'Leave that search out. Where the report is acceptable to whoever answers for the data, repeat the command with --accept-leak.',
  },
  'field-busy': {
    status: 409,
    exit: 1,
    text: 'Another run is moving {field}. This one changed nothing.',
    remedy: 'Wait for it; `safekeep encrypt status` shows how far it is.',
  },
  'field-changed': {
    status: 409,
    exit: 1,
    text: '{field} was altered, renamed or dropped since the plan was made. What was running was rolled back, no value was lost.',
    remedy:
      'Put the column back as it was (a renamed column or table: ALTER TABLE … RENAME back to the name that is shown here) and run the same command again, or go back with `safekeep decrypt TABLE.COLUMN`.',
  },
  'field-partition-detached': {
    status: 409,
    exit: 1,
    text: '{tables} holds values of {field} and is no partition of its table (any more), so no step would come to them. Nothing was changed by this one.',
    remedy:
      'Attach it again (ALTER TABLE … ATTACH PARTITION) and run the same command. Where its values are needed no more, drop the table or its encrypted column.',
  },
  'field-inherited': {
    status: 409,
    exit: 1,
    text: '{tables} inherits {field} from its table: no step would come to the rows in it, and dropping a column takes them along. Nothing was changed by this one.',
    remedy:
      'Move its rows back into the table and drop it, or take it out (ALTER TABLE … NO INHERIT …), where it keeps its columns and what is in them. Then run the same command again.',
  },
  'field-trigger-failed': {
    status: 409,
    exit: 1,
    text: 'Function {function}, which a trigger calls, failed (SQLSTATE {state}) when a row was written for {field}. The batch was rolled back, no value was lost.',
    remedy:
      'Let an UPDATE of a row by the login of this command succeed: what the function names must be found by that login’s search_path. Then run the same command again.',
  },
  'field-values-logged': {
    status: 409,
    exit: 1,
    text: 'The server would write values of {field} into its log, where nobody would look for them: {setting}. Nothing was changed.',
    remedy:
      'As a superuser: ALTER ROLE … SET log_parameter_max_length = 0 for the login of this command, or GRANT SET ON PARAMETER log_parameter_max_length TO it. Then run the same command again.',
  },
  'field-rows-hidden': {
    status: 409,
    exit: 1,
    text: 'Row security hides rows of {field} from this login, so no step would come to them. What was running was rolled back, no value was lost.',
    remedy: 'Run the same command as a login with BYPASSRLS, or take the table’s FORCE ROW LEVEL SECURITY off while it runs.',
  },
  'field-rows-locked': {
    status: 503,
    exit: 1,
    text: 'Other transactions hold rows of {field} and did not let go. What was done stays.',
    remedy: 'Find them with pg_blocking_pids, then run the same command again: it goes on with the rest.',
  },
  'field-not-equal': {
    status: 500,
    exit: 3,
    text: 'A stored value of {field} does not open to what stands beside it. The batch was rolled back, and no plaintext was taken away.',
    remedy: 'Find who writes the encrypted column by other means than the SDK or the view, and run the command again.',
  },
  'field-values-differ': {
    status: 409,
    exit: 1,
    text: '{rows} or more rows of {table} hold a plaintext of {field} that is not what the ciphertext beside it opens to, as after a write while a partition was detached. Neither was written over, and the batch was rolled back. Their places (ctid): {places}.',
    remedy:
      'Which of the two counts only you can tell. Where it is the plaintext: UPDATE … SET column = column, column_encrypted = NULL for these rows; else write the right value through the SDK or the view. Then run the same command again.',
  },
  'field-not-switched': {
    status: 409,
    exit: 1,
    text: '{field} is {phase}: on its way, and this can only be done at a place where it rests. Nothing was changed.',
    remedy:
      'Run `safekeep encrypt TABLE.COLUMN` for it first (`safekeep encrypt finish TABLE.COLUMN` where that was begun); it goes on from where it is.',
  },
  'field-going-back': {
    status: 409,
    exit: 1,
    text: '{field} is on its way back to plaintext. Nothing was changed.',
    remedy: 'Let `safekeep decrypt TABLE.COLUMN` come to its end first; after that it can be encrypted again.',
  },
  'field-key-in-use': {
    status: 409,
    exit: 1,
    text: 'Values of {field} are still being written under the key before, or a transaction that began with it has not ended. All others are under the new one; the old key stays.',
    remedy:
      'Wait until every client has the new key (a minute) and old transactions have ended (pg_stat_activity, pg_prepared_xacts), then run the same command with --resume.',
  },
  'field-values-doubled': {
    status: 409,
    exit: 1,
    text: 'Two rows of {field} have one value, so it cannot be kept unique. Nothing was lost; the index is not searched yet.',
    remedy: 'Give one of them another value and run the command again, or run it without `unique`.',
  },
  'field-map-behind': {
    status: 409,
    exit: 1,
    text: '{field} is done in the database, but the map could not be written: {reason}',
    remedy: 'Put protect: {protect} on the column in the map by hand.',
  },

  // ---- reading and verifying the audit log -------------------------------------------------------------------------
  'log-files-unfit': {
    status: 422,
    exit: 2,
    text: '{directory} is not taken as an exported log: {reason}. Nothing in it was changed.',
    remedy: 'Name a folder that `safekeep audit export --tiles FOLDER` wrote, or a new one to export to.',
  },
  'witness-conflict': {
    status: 409,
    exit: 1,
    text: 'The witness has seen a log that this one does not continue: {reason} Nothing was kept of its answer.',
    remedy:
      'Take this as a rewritten or restored log until it is explained: keep a copy, run `safekeep audit verify --full`, ask the witness what it signed.',
  },
  'witness-refused': {
    status: 502,
    exit: 1,
    text: 'The witness did not countersign: {reason} The log is as it was.',
    remedy:
      'Compare the verifier key with the one that the witness publishes, and ask its operator whether it knows the key of this log (`safekeep audit vkey`).',
  },
  'witness-unreachable': {
    status: 502,
    exit: 1,
    text: 'The witness at {host} did not answer ({reason}). The log is as it was.',
    remedy: 'Try again later; a checkpoint of then covers everything before it.',
  },
  'log-empty': {
    status: 404,
    exit: 1,
    text: 'There is no signed log of tenant {tenant} yet.',
    remedy:
      'See that the map audits a table (`writes: true` under its `audit:`), run `safekeep apply`, and change a row; `safekeep audit sequence --once` signs it.',
  },
  'verifier-key-missing': {
    status: 409,
    exit: 1,
    text: 'The home {home} has no verifier key: it has signed nothing. No key was made.',
    remedy:
      'To check a log that another home signs, take its verifier key from whoever keeps it and run `safekeep audit verify --vkey KEY`. A home that is to keep the log itself gets its key with the first `safekeep audit sequence --once`; where this one had keys, put its folder `keys` back.',
  },
  'era-unknown': {
    status: 404,
    exit: 1,
    text: 'The log has no era {era}; it has {eras}.',
    remedy: 'Name one of these. Without --era the newest is taken.',
  },
  'event-unknown': {
    status: 404,
    exit: 1,
    text: 'The log has no event {event}.',
    remedy:
      '`safekeep audit search` lists events with their ids and indexes. One that was just written is there after `safekeep audit sequence --once`.',
  },
  'event-unprovable': {
    status: 409,
    exit: 1,
    text: 'There is no proof of event {event}: {reason}. Nothing was written.',
    remedy: 'Run `safekeep audit verify --full`: it names what was changed in the log, and what to do.',
  },
  'event-pruned': {
    status: 410,
    exit: 1,
    text: 'Event {event} was dropped by policy; the log begins at index {minimum}.',
    remedy: 'Use a proof that was made before, or an archived export of that month.',
  },

  // ---- the audit log -------------------------------------------------------------------------------------------------
  'audit-partition-held': {
    status: 409,
    exit: 1,
    text: 'The events of {partition} were not dropped: hold {hold} concerns that time.',
    remedy: 'Look at it with `safekeep hold history {hold}`. Once it is released, run the command again.',
  },
  'audit-baseline-refused': {
    status: 409,
    exit: 1,
    text: 'No month was dropped: the rows of {table} are not as the log has them, and what is to be dropped may be what tells since when.',
    remedy:
      '`safekeep audit verify --full` names the rows. Once they are looked at, `safekeep audit acknowledge --reason TEXT` lets a new baseline be taken; then run the command again.',
  },
  'audit-rows-changed': {
    status: 409,
    exit: 1,
    text: 'Rows that are not as the log has them are others than those of the digest {told}: by now it is {now}. No difference was answered for.',
    remedy:
      '`safekeep audit verify --full` names what does not hold now. Look at it, then acknowledge it by the digest that stands there.',
  },
  'audit-checkpoint-missing': {
    status: 409,
    exit: 1,
    text: 'The home has no checkpoint of the log {origin}. Nothing was signed: what stands in the database may be another history than was signed before.',
    remedy:
      'Use the home that signs this log, or put its folder `audit` back. If that is lost, run `safekeep audit acknowledge --reason TEXT --checkpoint FILE` with the newest checkpoint that somebody else holds.',
  },
  'checkpoint-foreign': {
    status: 422,
    exit: 1,
    text: 'The log {origin} in the database does not begin with the {size} event(s) of this checkpoint. Nothing was taken over.',
    remedy: 'Keep a copy of the database: this is evidence. `safekeep audit verify` names what differs.',
  },

  // ---- people: find, export, erase ---------------------------------------------------------------------------------
  'subject-invalid': {
    status: 400,
    exit: 2,
    text: 'That names no person: {reason}.',
    remedy: 'Write type:key as `safekeep subject find QUERY` shows it; parts of a key are joined by commas.',
  },
  'tenant-of-others': {
    status: 403,
    exit: 2,
    text: 'By the map all rows of {tables} belong to one tenant (tenant: fixed), which is another one than {tenant}: the one that was here first. Nothing was shown or changed.',
    remedy:
      'Check --tenant. Where rows of several tenants stand in one table, the map says whose each is: a column, or a path to one, under `tenant`.',
  },
  'subject-type-unknown': {
    status: 404,
    exit: 2,
    text: 'The map knows no people of the kind {type}; it knows {known}.',
    remedy: 'Correct the name, or define the subject in the map.',
  },
  'subject-unknown': {
    status: 404,
    exit: 1,
    text: 'There is no {type} with this key. Nothing was changed.',
    remedy: 'Look for the person with `safekeep subject find QUERY`.',
  },
  'subject-key-ambiguous': {
    status: 422,
    exit: 1,
    text: 'The key of {subject} does not tell the rows of {table} apart: several have the same. Nothing was changed.',
    remedy: 'Name the primary key, or columns that are unique together, as key of the subject in the map.',
  },
  'subject-too-large': {
    status: 422,
    exit: 1,
    text: 'The paths of the map lead to more than {limit} {what} for one person. Nothing was changed.',
    remedy: 'Look whether a path of the map is right: it may lead from everybody to everybody.',
  },
  'search-unserved': {
    status: 422,
    exit: 2,
    text: 'The encrypted column {column} has no index that this search can use. Nothing was searched there.',
    remedy: 'Give it one with `safekeep encrypt TABLE.COLUMN --search exact`, or search by another value.',
  },
  'map-does-not-fit': {
    status: 422,
    exit: 1,
    text: 'The map does not fit the database: {problems}. Nothing was exported or erased, for it would not be everything.',
    remedy: 'Mend the map; `safekeep map check` names each place.',
  },
  'rows-hidden': {
    status: 403,
    exit: 2,
    text: 'Row security hides rows of {tables} from this login, so what is found there may not be all. Nothing was done.',
    remedy: 'Use a login that owns the tables or has BYPASSRLS for exports and erasures.',
  },
  'isolation-unfit': {
    status: 500,
    exit: 2,
    text: 'Transactions of this login do not start as READ COMMITTED, and an erasure must. Nothing was erased.',
    remedy:
      "Run ALTER ROLE … IN DATABASE … SET default_transaction_isolation = 'read committed' for the login of Safekeep, and the command again.",
  },
  'erasure-plan-unknown': {
    status: 404,
    exit: 1,
    text: 'There is no plan {hash} for this person. Nothing was erased.',
    remedy: 'Make one with `safekeep subject erase ID --plan` and look at it before you approve its hash.',
  },
  'erasure-plan-expired': {
    status: 410,
    exit: 1,
    text: 'The plan {hash} was made more than {days} days ago. Nothing was erased.',
    remedy: 'Make a new one with `safekeep subject erase ID --plan` and look at it before you approve its hash.',
  },
  'erasure-plan-changed': {
    status: 409,
    exit: 1,
    text: 'The plan is not what was approved ({approved}): rows, holds or the map have changed since, and it is {now} now. Nothing was erased.',
    remedy: 'Make a new plan with `safekeep subject erase ID --plan`, look at what is different, and approve that one.',
  },
  'erasure-blocked': {
    status: 409,
    exit: 1,
    text: 'The erasure cannot be carried out. Nothing was erased:\n{problems}',
    remedy: 'Do what stands at each place, then make a new plan.',
  },
  'erasure-held': {
    status: 409,
    exit: 1,
    text: 'The person is held ({holds}). Nothing was erased.',
    remedy: 'When the matter is over, end it with `safekeep hold release ID --reason TEXT`, then make a new plan.',
  },
  'erasure-person-unsure': {
    status: 409,
    exit: 1,
    text: 'Nothing was erased of {subject}: {reason}.',
    remedy:
      'Look at the row. If it is still the person, plan and approve by hand: `safekeep subject erase {subject} --plan`. If not, give what is left of the person who was erased a key of its own, or end it: `safekeep subject end-erasure ERASURE --because somebody-else`.',
  },
  'erasure-unproven': {
    status: 409,
    exit: 1,
    text: 'The record of the erasure {erasure} in the database was not written by this home, or not as it stands there. Nothing was signed, told to anybody or erased because of it.',
    remedy:
      'Find out who wrote to safekeep.erasures, and look with `safekeep subject erasures --check` for others. Whoever is still to be erased is planned and approved anew; `safekeep subject end-erasure {erasure} --because not-ours` takes the record away.',
  },
  'erasure-unknown': {
    status: 404,
    exit: 1,
    text: 'There is no erasure {erasure} that anything is left of.',
    remedy: 'See `safekeep subject erasures --open`.',
  },
  'erasure-certain': {
    status: 409,
    exit: 1,
    text: 'The erasure {erasure} was not ended: {reason}.',
    remedy: 'It goes on by `safekeep subject erasures --run`, or by `safekeep subject erase --due --plan`.',
  },
  'erasure-stopped': {
    status: 409,
    exit: 1,
    text: 'The erasure stopped: {reason}. It is not finished: {rows} rows are erased and stay so, the rest is as it was, and the person can still be found.',
    remedy:
      'Do what stands there, then run `safekeep subject erasures --run`: it goes on from there. Where the map had to be changed, make a new plan and approve it: the same erasure goes on.',
  },
  'erasure-finishing': {
    status: 409,
    exit: 1,
    text: 'The rows of erasure {erasure} are erased, and another call is still bringing it to its end. This one changed nothing.',
    remedy: 'Repeat the command when that has ended: it is answered with the certificate.',
  },
  'erasure-unsettled': {
    status: 503,
    exit: 1,
    text: 'The person is erased. Transactions that wrote to one of {tables} meanwhile, or locked rows there, have not ended yet: until then nobody sees whether they bring something of the person back, and no certificate is given.',
    remedy: 'Find the open transactions in pg_stat_activity, and run `safekeep subject erasures --run` when they have ended.',
  },
  'erasure-refused': {
    status: 409,
    exit: 1,
    text: 'Erasing was refused at {table}: {what}. Everything was taken back; nothing was erased.',
    remedy: '{remedy}',
  },
  'approvers-unsafe': {
    status: 500,
    exit: 2,
    text: 'The file of approvers {path} can be changed by others than the user that runs this and root: {reason}. It was not used, and nothing was erased.',
    remedy: 'Look whether somebody has put a line into it. Then let it belong to that user or to root, and run chmod go-w on it.',
  },
  'approval-unproven': {
    status: 403,
    exit: 1,
    text: 'That two people planned and approved this erasure is not proven: {reason}. Nothing was erased.',
    remedy:
      'Plan it with --sign-with and the key of one approver, and approve it with that of another. `safekeep subject approver-key NAME --out FILE` makes one.',
  },
  'second-person-needed': {
    status: 403,
    exit: 1,
    text: '{by} made this plan and cannot approve it too. Nothing was erased.',
    remedy: 'Let another person approve it, with --by, or set SAFEKEEP_ERASURE_APPROVAL=any.',
  },
  'export-unwritable': {
    status: 500,
    exit: 2,
    text: 'The export could not be written to {path} ({reason}). The unfinished file was removed.',
    remedy: 'Check the rights and the space there, then run the command again.',
  },
  'export-too-large': {
    status: 413,
    exit: 1,
    text: 'A PDF shows at most {limit} rows, and there are more. Nothing was written.',
    remedy: 'Export as zip, json or csv.',
  },
  'export-broken': {
    status: 422,
    exit: 1,
    text: 'The sealed export {path} cannot be opened: {reason}.',
    remedy: 'It was changed, cut or made in another home. Make a new one with `safekeep subject export ID`.',
  },
  ...valueRefusals,
} as const satisfies Record<string, Entry>;

// Who has all of Safekeep has all of its errors; the SDK in an application has those of values alone.
addEntries(catalogue);

export type ErrorCode = keyof typeof catalogue;
