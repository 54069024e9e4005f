import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { SafekeepError, Secret } from '@safekeep/core';

/** libpq's sslmode values (PostgreSQL manual, 32.19). `allow` is treated as `prefer`. */
export type TlsMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** A parsed connection URL. */
export type ConnectionTarget = {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: Secret | undefined;
  readonly tlsMode: TlsMode;
  readonly rootCertificate: string | undefined;
  readonly clientCertificate: string | undefined;
  readonly clientKey: Secret | undefined;
  readonly channelBinding: boolean;
  readonly applicationName: string;
};

const DEFAULT_PORT = 5432;
const TLS_MODES = new Map<string, TlsMode>([
  ['disable', 'disable'],
  ['allow', 'prefer'],
  ['prefer', 'prefer'],
  ['require', 'require'],
  ['verify-ca', 'verify-ca'],
  ['verify-full', 'verify-full'],
]);
const PARAMETERS = new Set([
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'channel_binding',
  'application_name',
  'host',
  'connect_timeout',
]);

/**
 * Reads a `postgres://` URL. Without `sslmode` a server on this machine is reached without TLS where it offers none
 * (`prefer`), any other server only with a verified certificate (`verify-full`): a network in between is never trusted by default.
 *
 * A parameter that is not known is refused rather than ignored: it may have asked for more safety than it would get.
 *
 * @throws `database-url-invalid`; the reason never repeats the URL, which holds a password.
 */
export function parseDatabaseUrl(secret: Secret): ConnectionTarget {
  const url = parse(secret);
  const parameter = (name: string): string | undefined => url.searchParams.get(name) ?? undefined;
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.has(name)) throw invalid(`the parameter ${name} is not known; known are ${[...PARAMETERS].join(', ')}`);
  }
  const host = parameter('host') ?? decode(url.hostname.replace(/^\[|\]$/g, ''), 'host');
  if (host === '') throw invalid('it names no host');
  const user = decode(url.username, 'user');
  if (user === '') throw invalid('it names no user');
  return {
    host,
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    database: decode(url.pathname.slice(1), 'database') || user,
    user,
    password: url.password === '' ? undefined : new Secret(decode(url.password, 'password')),
    tlsMode: tlsMode(parameter('sslmode'), host),
    rootCertificate: fileAt('sslrootcert', parameter('sslrootcert')),
    clientCertificate: fileAt('sslcert', parameter('sslcert')),
    clientKey: secretAt('sslkey', parameter('sslkey')),
    channelBinding: parameter('channel_binding') === 'require',
    applicationName: parameter('application_name') ?? 'safekeep',
  };
}

/** True for a socket folder, `localhost` and the loopback addresses of RFC 1122 and RFC 4291. */
export function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function parse(secret: Secret): URL {
  let url: URL;
  try {
    url = new URL(secret.reveal());
  } catch {
    // No cause: its message would carry the URL.
    throw invalid('it is not a URL');
  }
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:')
    throw invalid(`it begins with ${url.protocol} instead of postgres:`);
  return url;
}

function tlsMode(text: string | undefined, host: string): TlsMode {
  if (text === undefined) return isLocal(host) ? 'prefer' : 'verify-full';
  const mode = TLS_MODES.get(text);
  if (mode === undefined) throw invalid(`sslmode must be one of ${[...TLS_MODES.keys()].join(', ')}`);
  return mode;
}

function fileAt(parameter: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SafekeepError('database-url-invalid', { reason: `the file of ${parameter} cannot be read` }, { cause });
  }
}

function secretAt(parameter: string, path: string | undefined): Secret | undefined {
  const text = fileAt(parameter, path);
  return text === undefined ? undefined : new Secret(text);
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(`its ${part} is not percent-encoded correctly`);
  }
}

function invalid(reason: string): SafekeepError {
  return new SafekeepError('database-url-invalid', { reason });
}
