import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import pg from 'pg';
import { Secret } from '@safekeep/core';
import type { Database } from '../database.ts';

/** The login of the running pool on an embedded server: a member of safekeep_app and of nothing else. */
export const RUNTIME_LOGIN = 'safekeep_runtime';

// PostgreSQL's own default (scram_iterations).
const ITERATIONS = 4096;
const SALT_BYTES = 16;
const SQL_KEY = 'safekeep runtime login';

/**
 * Makes the login, or gives it this password, and returns the URL of `url` with it. Only the SCRAM verifier stands in the
 * statement, so the password is in no log and no statistics view of the server (PostgreSQL manual, CREATE ROLE).
 */
export async function makeRuntimeLogin(admin: Database, url: Secret, password: Secret): Promise<Secret> {
  const verifier = pg.escapeLiteral(scramVerifier(password, randomBytes(SALT_BYTES)));
  await admin.withClient(async (client) => {
    await client.query(`begin; set local search_path = ''`);
    // Two workers may start at once.
    await client.query('select pg_advisory_xact_lock(hashtext($1))', [SQL_KEY]);
    const { rowCount } = await client.query('select from pg_roles where rolname = $1', [RUNTIME_LOGIN]);
    await client.query(
      `${rowCount === 0 ? 'create' : 'alter'} role ${RUNTIME_LOGIN} login nosuperuser nobypassrls password ${verifier}`,
    );
    await client.query(`grant safekeep_app to ${RUNTIME_LOGIN}`);
    await client.query('commit');
  });
  const runtime = new URL(url.reveal());
  runtime.username = RUNTIME_LOGIN;
  runtime.password = password.reveal();
  return new Secret(runtime.href);
}

/** What PostgreSQL stores of a password under scram-sha-256 (RFC 5803, RFC 7677). */
function scramVerifier(password: Secret, salt: Buffer): string {
  const salted = pbkdf2Sync(password.reveal(), salt, ITERATIONS, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const storedKey = createHash('sha256').update(clientKey).digest('base64');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
