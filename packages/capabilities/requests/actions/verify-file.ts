import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf, SafekeepError } from '@safekeep/core';
import { readZip } from '../export/zip.ts';
import { checkSigned, type Checked } from '../rules/certificate.ts';

/** A certificate or a manifest is some kilobytes; one that names thousands of tables a few megabytes. */
const DOCUMENT_BYTES_AT_MOST = 64 * 1024 * 1024;

/** Checks a certificate, a manifest with the files beside it, or a whole export, without a database. Throws `file-unreadable`. */
export async function verifyFile(path: string, vkey: string, approvers: readonly string[] | null = null): Promise<Checked> {
  try {
    if (await isZip(path)) return await verifyZip(path, vkey);
    // What proves an export that is one file lies beside it.
    const beside = `${path}.manifest.json`;
    return existsSync(beside) ? await verifyBeside(beside, path, vkey) : await verifyDocument(path, vkey, approvers);
  } catch (error) {
    const code = codeOf(error);
    if (error instanceof SafekeepError || code === undefined || code.startsWith('ERR_')) throw error;
    throw new SafekeepError('file-unreadable', { path, reason: code }, { cause: error });
  }
}

async function isZip(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.readUInt32LE(0) === 0x04034b50;
  } finally {
    await file.close();
  }
}

async function verifyDocument(path: string, vkey: string, approvers: readonly string[] | null): Promise<Checked> {
  const { size } = await stat(path);
  if (size > DOCUMENT_BYTES_AT_MOST) return broken('it is larger than any certificate');
  const parsed = parse(await readFile(path, 'utf8'));
  const checked = checkSigned(parsed, vkey, approvers);
  if (!checked.ok || checked.kind !== 'export') return checked;
  const faults = await compare(filesOf(parsed), async function* (name) {
    yield* createReadStream(join(dirname(path), name));
  });
  return { ...checked, ok: faults.length === 0, faults };
}

/** A manifest of something else proves nothing of this file. */
async function verifyBeside(manifest: string, path: string, vkey: string): Promise<Checked> {
  const checked = await verifyDocument(manifest, vkey, null);
  if (!checked.ok) return checked;
  if (checked.kind !== 'export') return { ...checked, ok: false, faults: ['what lies beside it is no manifest of an export'] };
  const isNamed = filesOf(parse(await readFile(manifest, 'utf8'))).some(({ name }) => name === basename(path));
  return isNamed ? checked : { ...checked, ok: false, faults: [`${basename(path)} is not in the manifest beside it`] };
}

async function verifyZip(path: string, vkey: string): Promise<Checked> {
  let zip: Awaited<ReturnType<typeof readZip>>;
  try {
    zip = await readZip(path);
  } catch (error) {
    return broken(reasonOf(error));
  }
  try {
    const byName = new Map(zip.files.map((file) => [file.name, file]));
    if (byName.size !== zip.files.length) return broken('a file stands in it twice');
    const manifest = byName.get('manifest.json');
    if (manifest === undefined) return broken('it has no manifest');
    const parsed = parse(await textOf(manifest.read()));
    const checked = checkSigned(parsed, vkey);
    if (!checked.ok) return checked;
    if (checked.kind !== 'export') return { ...checked, ok: false, faults: ['its manifest is none of an export'] };
    const files = filesOf(parsed);
    const named = new Set(['manifest.json', ...files.map(({ name }) => name)]);
    const strangers = zip.files.filter(({ name }) => !named.has(name)).map(({ name }) => `${name} is not in the manifest`);
    const faults = await compare(files, async function* (name) {
      const file = byName.get(name);
      if (file === undefined) throw Object.assign(new Error('missing'), { code: 'ENOENT' });
      yield* file.read();
    });
    return { ...checked, ok: faults.length + strangers.length === 0, faults: [...faults, ...strangers] };
  } catch (error) {
    return broken(reasonOf(error));
  } finally {
    await zip.close();
  }
}

/** What a changed or a strange file leads to: reasons of our own, of zlib, places that lead nowhere. Throws what says nothing of it. */
function reasonOf(error: unknown): string {
  const isOfSystem = /^E(?!RR_)/.test(codeOf(error) ?? '');
  if (!(error instanceof Error) || error instanceof TypeError || error instanceof SafekeepError || isOfSystem) throw error;
  return error.message;
}

function broken(fault: string): Checked {
  return { ok: false, kind: 'unknown', issuedAt: null, faults: [fault], about: null };
}

type Named = { readonly name: string; readonly sha256: string };

function filesOf(parsed: unknown): readonly Named[] {
  // Its signature is good, so this code wrote it.
  const { document } = parsed as { readonly document: { readonly files?: readonly Named[] } };
  return document.files ?? [];
}

async function compare(files: readonly Named[], read: (name: string) => AsyncIterable<Uint8Array>): Promise<string[]> {
  const faults: string[] = [];
  for (const { name, sha256 } of files) {
    const hash = createHash('sha256');
    try {
      for await (const chunk of read(name)) hash.update(chunk);
      if (hash.digest('hex') !== sha256) faults.push(`${name} was changed`);
    } catch (error) {
      faults.push(`${name} ${codeOf(error) === 'ENOENT' ? 'is missing' : 'does not unpack'}`);
    }
  }
  return faults;
}

async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  const gathered: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    sizeBytes += chunk.length;
    if (sizeBytes > DOCUMENT_BYTES_AT_MOST) throw new Error('its manifest is larger than any');
    gathered.push(chunk);
  }
  return Buffer.concat(gathered).toString('utf8');
}

/** Undefined for what is not exactly what was parsed: of a member that stands there twice one reader takes the first and another the last. */
function parse(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text);
    return JSON.stringify(parsed) === withoutBlanks(text) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function withoutBlanks(json: string): string {
  return json.replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, (_all, text: string | undefined) => text ?? '');
}
