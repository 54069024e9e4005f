import { createPrivateKey, X509Certificate } from 'node:crypto';
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
  /** Binds the password exchange to the TLS channel where the server offers it. */
  readonly channelBinding: boolean;
  /** As the URL asks; it knows its network better than a general setting. */
  readonly connectTimeoutMs: number | undefined;
  readonly applicationName: string;
};

const DEFAULT_PORT = 5432;
const LONGEST_CONNECT_TIMEOUT_S = 3_600;
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
  refuseParameters(url.searchParams);
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
    tlsMode: tlsMode(parameter('sslmode'), host, parameter('sslrootcert') !== undefined),
    rootCertificate: certificateAt('sslrootcert', parameter('sslrootcert')),
    clientCertificate: certificateAt('sslcert', parameter('sslcert')),
    clientKey: keyAt('sslkey', parameter('sslkey')),
    channelBinding: channelBinding(parameter('channel_binding')),
    connectTimeoutMs: connectTimeoutMs(parameter('connect_timeout')),
    applicationName: parameter('application_name') ?? 'safekeep',
  };
}

/** True for a socket folder, `localhost` and the loopback addresses of RFC 1122 and RFC 4291. */
export function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** A host as it stands before `:PORT`: an IPv6 address in brackets (RFC 3986, 3.2.2). */
export function printedHost(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

function refuseParameters(parameters: URLSearchParams): void {
  const seen = new Set<string>();
  for (const [name, value] of parameters) {
    if (!PARAMETERS.has(name)) throw invalid(`the parameter ${name} is not known; known are ${[...PARAMETERS].join(', ')}`);
    if (seen.has(name)) throw invalid(`the parameter ${name} stands in it more than once`);
    if (value.includes('\0')) throw invalid(`the parameter ${name} holds a NUL`);
    seen.add(name);
  }
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

function tlsMode(text: string | undefined, host: string, hasAuthority: boolean): TlsMode {
  if (text === undefined) return isLocal(host) ? 'prefer' : 'verify-full';
  const mode = TLS_MODES.get(text);
  if (mode === undefined) throw invalid(`sslmode must be one of ${[...TLS_MODES.keys()].join(', ')}`);
  // Whoever names an authority wants it asked (PostgreSQL manual, 32.19.1).
  return mode === 'require' && hasAuthority ? 'verify-ca' : mode;
}

function channelBinding(text: string | undefined): boolean {
  if (text === undefined || text === 'disable') return false;
  if (text === 'prefer') return true;
  // pg falls back to other logins without a word, so a promise of `require` could not be kept.
  if (text === 'require') throw invalid('channel_binding=require cannot be enforced here; use sslmode=verify-full in its place');
  throw invalid('channel_binding must be prefer or disable');
}

function connectTimeoutMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > LONGEST_CONNECT_TIMEOUT_S)
    throw invalid(`connect_timeout must be a whole number of seconds from 1 to ${LONGEST_CONNECT_TIMEOUT_S}`);
  return seconds * 1_000;
}

function certificateAt(parameter: string, path: string | undefined): string | undefined {
  return fileAt(parameter, path, 'certificate in PEM', (text) => void new X509Certificate(text));
}

function keyAt(parameter: string, path: string | undefined): Secret | undefined {
  const text = fileAt(parameter, path, 'private key in PEM without a passphrase', (pem) => void createPrivateKey(pem));
  return text === undefined ? undefined : new Secret(text);
}

function fileAt(parameter: string, path: string | undefined, kind: string, check: (text: string) => void): string | undefined {
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SafekeepError('database-url-invalid', { reason: `the file of ${parameter} cannot be read` }, { cause });
  }
  try {
    check(text);
  } catch (cause) {
    throw new SafekeepError('database-url-invalid', { reason: `the file of ${parameter} holds no ${kind}` }, { cause });
  }
  return text;
}

function decode(text: string, part: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw invalid(`its ${part} is not percent-encoded correctly`);
  }
  // It ends a name in PostgreSQL's protocol: another database or user would be reached than the one that is written here.
  if (decoded.includes('\0')) throw invalid(`its ${part} holds a NUL`);
  return decoded;
}

function invalid(reason: string): SafekeepError {
  return new SafekeepError('database-url-invalid', { reason });
}
