import { codeOf, isSafekeepError, SafekeepError } from '@safekeep/core';
import { printedHost, type ConnectionTarget } from './url.ts';

const LOST_MESSAGES = /Connection terminated|Client has encountered a connection error|Connection ended unexpectedly/;
const LOST_CODES = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', '57P01', '57P02', '08000', '08003', '08006']);
// A program that is no PostgreSQL answers the request for TLS with something else than one letter.
const FOREIGN_MESSAGES = /error establishing an SSL connection|received unexpected|invalid response/i;
/** How pg-pool says that nobody gave a connection back in time; a server that does not answer reads otherwise. */
const POOL_MESSAGE = 'timeout exceeded when trying to connect';
const TLS_MESSAGES = /does not support SSL|self-signed certificate|certificate|Hostname\/IP|wrong version number|SSL routines/i;
// Worth another try within the same call: the server restarts, starts up, is full for a moment, or a network hiccup.
const PASSING_CODES = new Set(['57P03', '53300', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EAI_AGAIN']);
const CANCELLED = '57014';

/** Whether the connection was cut while it was in use. */
export function isConnectionLost(error: unknown): boolean {
  return LOST_CODES.has(codeOf(error) ?? '') || (error instanceof Error && LOST_MESSAGES.test(error.message));
}

/** Whether a failed attempt to connect may succeed in a moment. */
export function isPassing(error: unknown): boolean {
  return PASSING_CODES.has(codeOf(error) ?? '');
}

/** Turns a failed attempt to connect into what it means. An error that is not about connecting is handed back as it is. */
export function connectFailure(error: unknown, target: ConnectionTarget): unknown {
  if (isSafekeepError(error)) return error;
  const { port, user, database, tlsMode: mode } = target;
  const host = printedHost(target.host);
  const code = codeOf(error) ?? '';
  const message = error instanceof Error ? error.message : String(error);
  const options = { cause: error };
  if (code === '28P01' || code === '28000') {
    return /no encryption|SSL off/i.test(message)
      ? new SafekeepError('database-tls', { host, port, mode, reason: 'the server accepts this login only over TLS' }, options)
      : new SafekeepError('database-password-wrong', { host, port, user }, options);
  }
  if (code === '3D000') return new SafekeepError('database-missing', { host, port, database }, options);
  if (code === '55000') return new SafekeepError('database-closed', { host, port, database }, options);
  if (code === CANCELLED) return new SafekeepError('statement-cancelled', { action: 'connecting' }, options);
  if (code === '42501') return new SafekeepError('privilege-missing', connectRight(target), options);
  if (code === '53300') return new SafekeepError('database-busy', { reason: 'too many clients' }, options);
  if (message === POOL_MESSAGE)
    return new SafekeepError('database-busy', { reason: 'this process uses all that it may have' }, options);
  if (FOREIGN_MESSAGES.test(message)) {
    return new SafekeepError('database-unreachable', { host, port, reason: 'what answers there is no PostgreSQL' }, options);
  }
  if (code.startsWith('ERR_TLS') || TLS_MESSAGES.test(message))
    return new SafekeepError('database-tls', { host, port, mode, reason: message }, options);
  if (/password must be a|no password/i.test(message))
    return new SafekeepError('database-password-wrong', { host, port, user }, options);
  if (/^E[A-Z]+$/.test(code) || code === '57P03' || isConnectionLost(error) || /timeout/i.test(message)) {
    return new SafekeepError('database-unreachable', { host, port, reason: code || 'no answer in time' }, options);
  }
  return error;
}

/** Turns what PostgreSQL said in the middle of `action` into a refusal of ours, where it is one; else hands it back. */
export function operationFailure(error: unknown, action: string): unknown {
  if (isSafekeepError(error)) return error;
  const code = codeOf(error) ?? '';
  const options = { cause: error };
  if (code === '53100') return new SafekeepError('disk-full', { path: 'the database server' }, options);
  if (code === '25006') return new SafekeepError('database-read-only', {}, options);
  if (code === '42501' && error instanceof Error) {
    return new SafekeepError(
      'privilege-missing',
      // PostgreSQL names the object and not the right, so the statement cannot be written out.
      {
        user: 'This login',
        right: error.message,
        grant: `GRANT, with the right to what is named above. For schema safekeep: GRANT safekeep_app TO the login that runs Safekeep, GRANT safekeep_client TO that of an application with the SDK, GRANT safekeep_auditor TO one that only reads the log and lists keys, GRANT safekeep_owner TO the one that migrates.`,
      },
      options,
    );
  }
  if (code === CANCELLED) return new SafekeepError('statement-cancelled', { action }, options);
  if (isConnectionLost(error)) return new SafekeepError('connection-lost', { action }, options);
  return error;
}

function connectRight({ user, database }: ConnectionTarget): { user: string; right: string; grant: string } {
  return { user, right: `CONNECT on database ${database}`, grant: `GRANT CONNECT ON DATABASE "${database}" TO "${user}";` };
}
