import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import process from 'node:process';

import { Refusal } from './refusal.mjs';
import { exitCodeOf, onSignals } from './signals.mjs';

/**
 * `npm install --no-save` and not `npm ci`: it leaves the lock file alone and installs what that names; when it fails
 * (no network), what was there before is still there, where `npm ci` would have deleted it first; and it takes a lock
 * file that lacks packages of other platforms. That the result is the lock file's is checked by the caller.
 */
const FLAGS = [
  'install',
  '--no-save',
  '--ignore-scripts',
  '--include=dev',
  '--include=optional',
  '--engine-strict=false', // this older Node only runs npm; the packages run on the Node that npm brings
  '--no-audit',
  '--no-fund',
  '--no-progress',
  '--loglevel=error',
  // npm's own waits between tries are 10 to 60 s: without a network a person would look at nothing for over a minute.
  '--fetch-retry-mintimeout=1000',
  '--fetch-retry-maxtimeout=10000',
];

/** How long the registry may take to answer: a resolver without a network gives up after 10 s. */
const REACH_MS = 10_000;

/** npm also heeds the variables that other programs know, and does not show them as its settings. */
const PROXY_VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'PROXY', 'proxy'];

/** Installs what the lock file of `root` names. Throws a `Refusal` that says what stood in the way. */
export async function npmInstall(root) {
  const unreachable = await registryFault(root);
  // Without a network npm would ask for each package by itself, three times: ten minutes until it gives up. Its cache
  // may hold all that is needed.
  const { code, output } = await runNpm(root, unreachable === undefined ? FLAGS : [...FLAGS, '--offline']);
  if (code === 0) return;
  throw unreachable !== undefined && /ENOTCACHED/.test(output) ? faultIn(unreachable) : faultIn(output);
}

/** Why no connection to the registry is to be had; undefined when it is, or when a proxy stands between and only npm can tell. */
async function registryFault(root) {
  const { output } = await runNpm(root, ['config', 'get', 'registry', 'https-proxy', 'proxy']);
  const settings = Object.fromEntries(output.split('\n').map((line) => line.split(/=(.*)/)));
  const proxies = [settings['https-proxy'], settings['proxy'], ...PROXY_VARIABLES.map((name) => process.env[name])];
  const hasProxy = proxies.some((proxy) => proxy !== undefined && proxy !== '' && proxy !== 'null');
  if (hasProxy || !URL.canParse(settings['registry'])) return undefined;
  const { protocol, hostname, port } = new URL(settings['registry']);
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (protocol === 'http:' ? 80 : 443) });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(REACH_MS) });
    return undefined;
  } catch (error) {
    return error.code === 'ABORT_ERR' ? 'ETIMEDOUT' : error.code;
  } finally {
    socket.destroy();
  }
}

async function runNpm(root, args) {
  const npm = findNpm();
  const child = spawn(npm.command, [...npm.args, ...args], {
    cwd: root,
    env: npmEnvironment(process.env),
    shell: npm.shell,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stoppedBy;
  const restoreSignals = onSignals((signal) => {
    stoppedBy = signal;
    child.kill(signal);
  });
  try {
    const ended = await ending(child);
    if (stoppedBy !== undefined) {
      throw new Refusal('the installation was stopped. Run the same command again.', exitCodeOf(stoppedBy));
    }
    return ended;
  } finally {
    restoreSignals();
  }
}

/** The npm that called us, else the one beside this Node, else whatever `npm` the PATH has. */
function findNpm() {
  const beside = path.join(path.dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js');
  const script = [process.env.npm_execpath, beside].find(
    (file) => file && /^npm(-cli)?\.c?js$/.test(path.basename(file)) && existsSync(file),
  );
  if (script !== undefined) return { command: process.execPath, args: [script], shell: false };
  // npm is a .cmd file on Windows, which only a shell can run. The flags hold nothing that a shell would read.
  return { command: 'npm', args: [], shell: process.platform === 'win32' };
}

/**
 * Settings of the npm command that called us which would change what an installation is: `npm test --workspace x` must
 * not install only x. What says where and how to reach a registry (registry, proxy, cafile, cache, offline …) stays.
 */
const FOREIGN_SETTINGS = new Set(
  [
    ['workspace', 'workspaces', 'include_workspace_root', 'prefix', 'local_prefix', 'global_prefix', 'global', 'location'],
    ['omit', 'include', 'only', 'production', 'optional', 'dev', 'also', 'before', 'dry_run', 'package_lock', 'package_lock_only'],
    ['install_strategy', 'install_links', 'global_style', 'legacy_bundling', 'bin_links', 'force', 'json', 'parseable', 'long'],
  ]
    .flat()
    .map((name) => `npm_config_${name}`),
);

function npmEnvironment(environment) {
  const isOurs = ([name]) => !FOREIGN_SETTINGS.has(name.toLowerCase().replaceAll('-', '_'));
  return Object.fromEntries(Object.entries(environment).filter(isOurs));
}

function ending(child) {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      output += chunk;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Refusal(`npm cannot be run (${error.code}). Install npm, or put it on the PATH.`)));
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** What npm's error codes mean to a person. The first that the output names wins. */
const faults = [
  {
    codes:
      /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED|EPROTO)\b/,
    what: 'the npm registry cannot be reached',
    remedy: 'Check the network, the proxy (HTTPS_PROXY) and `npm config get registry`, then run the same command again.',
  },
  {
    codes: /\b(UNABLE_TO_GET_ISSUER_CERT_LOCALLY|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|CERT_HAS_EXPIRED)\b/,
    what: 'the certificate of the npm registry is not trusted here',
    remedy: 'Name the authority of your network with NODE_EXTRA_CA_CERTS or `npm config set cafile`.',
  },
  {
    codes: /\b(ENOSPC)\b/,
    what: 'the disk is full',
    remedy: 'Free about 1 GB and run the same command again.',
  },
  {
    codes: /\b(EACCES|EPERM|EROFS)\b/,
    what: 'node_modules or the npm cache cannot be written',
    remedy: 'Run as the owner of this folder, or give this user write access to it and to `npm config get cache`.',
  },
  {
    codes: /\b(EINTEGRITY)\b/,
    what: 'a package is not the one the lock file names, and was not installed',
    remedy: 'Run `npm cache verify` and try again; if it stays, the registry serves another file than the one that was locked.',
  },
  {
    codes: /\b(E401|E403|E404|ETARGET)\b/,
    what: 'the npm registry does not give a package',
    remedy: 'Check `npm config get registry` and your access to it.',
  },
  {
    codes: /\b(ERESOLVE|EUSAGE|EJSONPARSE)\b/,
    what: 'package.json and package-lock.json are not in step',
    remedy: 'Run `npm install` and commit the lock file.',
  },
];

function faultIn(output) {
  for (const { codes, what, remedy } of faults) {
    const code = codes.exec(output)?.[1];
    if (code !== undefined) return new Refusal(`${what} (${code}). ${remedy}`);
  }
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  return new Refusal(`npm could not install:\n${lines.slice(-10).join('\n')}`);
}
