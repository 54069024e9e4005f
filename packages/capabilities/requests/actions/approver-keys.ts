import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { codeOf, SafekeepError } from '@safekeep/core';
import { createSigningKey, signingKeyFromPem, verifierKey, type Signer } from '@safekeep/crypto';
import { privateFiles, readPrivate } from '@safekeep/files';

const files = privateFiles();

/** The first line of a key file says whose key it is; what reads PEM passes over it. */
const NAMED = /^approver (?<name>[^\s+]+)\n(?<pem>-----BEGIN[\s\S]+)$/u;

/** Makes the key of somebody who plans and approves erasures. It is theirs: nobody else reads the file, and no home keeps it. */
export async function makeApproverKey(name: string, out: string): Promise<{ readonly file: string; readonly verifierKey: string }> {
  const file = resolve(out);
  const pem = createSigningKey();
  const signer = signingKeyFromPem(pem, name);
  if (!(await files.createOnce(file, `approver ${name}\n${pem}`))) throw new SafekeepError('file-exists', { path: file });
  return { file, verifierKey: signer.verifierKey };
}

/** Throws `file-unreadable`, `key-file-unsafe` where others may read it, `key-file-broken`. */
export async function openApproverKey(path: string): Promise<Signer> {
  const text = await readPrivate(path);
  if (text === undefined) throw new SafekeepError('file-unreadable', { path, reason: 'ENOENT' });
  const { name, pem } = NAMED.exec(text)?.groups ?? {};
  if (name === undefined || pem === undefined)
    throw new SafekeepError('key-file-broken', { path, reason: 'it is no key of an approver' });
  try {
    return signingKeyFromPem(pem, name);
  } catch (cause) {
    throw new SafekeepError('key-file-broken', { path, reason: 'it holds no Ed25519 key' }, { cause });
  }
}

/** A line for each approver; more than a thousand of them are none. */
const APPROVERS_BYTES_AT_MOST = 1024 * 1024;

/**
 * The verifier keys of those who may plan and approve, one a line; null where no file is configured and names are only claimed.
 *
 * @throws `file-unreadable`, `approvers-unsafe` where somebody else could put themselves on the list, `signature-invalid` for a line that is no key
 */
export async function readApprovers(path: string | undefined): Promise<readonly string[] | null> {
  if (path === undefined) return null;
  const text = await readGuarded(path);
  const keys = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  // A line that is mistyped is told, not passed over.
  for (const key of keys) verifierKey(key);
  return keys;
}

async function readGuarded(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      // Of the file that is read, not of its name.
      const { mode, uid, size } = await file.stat();
      const me = process.getuid?.();
      const octal = (mode & 0o777).toString(8);
      if ((mode & 0o022) !== 0) throw new SafekeepError('approvers-unsafe', { path, reason: `its mode is ${octal}` });
      if (me !== undefined && uid !== me && uid !== 0)
        throw new SafekeepError('approvers-unsafe', { path, reason: `it belongs to the user ${uid}` });
      if (size > APPROVERS_BYTES_AT_MOST) throw new SafekeepError('file-unreadable', { path, reason: 'it is far too large' });
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof SafekeepError) throw cause;
    throw new SafekeepError('file-unreadable', { path, reason: codeOf(cause) ?? 'unknown reason' }, { cause });
  }
}
