import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { FieldKeys, KeyedField } from '../model.ts';

/** Keys in memory. TEMPORARY until crypto lands. */
export function memoryKeys(seed = Buffer.alloc(32, 7)): FieldKeys {
  let version = 1;
  const key = (id: string) => createHmac('sha256', seed).update(id).digest();
  const id = () => version.toString(16).padStart(16, '0');
  const aad = (header: Buffer, field: KeyedField) => Buffer.concat([Buffer.from('safekeep/1'), header, Buffer.from(field.tenant), Buffer.from(field.id)]);
  return {
    prepare: async () => undefined,
    seal: async (field, values) =>
      values.map((value) => {
        const header = Buffer.concat([Buffer.from('fa531100', 'hex'), Buffer.from(id(), 'hex')]);
        const iv = randomBytes(12);
        const cipher = createCipheriv('aes-256-gcm', key(id()), iv);
        cipher.setAAD(aad(header, field));
        const body = Buffer.concat([cipher.update(`\u0001${value}`, 'utf8'), cipher.final()]);
        return Buffer.concat([header, iv, body, cipher.getAuthTag()]);
      }),
    open: async (field, sealed) =>
      sealed.map((bytes) => {
        const header = bytes.subarray(0, 12);
        const cipher = createDecipheriv('aes-256-gcm', key(header.subarray(4).toString('hex')), bytes.subarray(12, 24));
        cipher.setAAD(aad(header, field));
        cipher.setAuthTag(bytes.subarray(-16));
        return Buffer.concat([cipher.update(bytes.subarray(24, -16)), cipher.final()]).toString('utf8').slice(1);
      }),
    index: async (field, { kind, bits, version: of }, forms) =>
      forms.map((form) =>
        form === null
          ? null
          : (createHmac('sha256', seed).update(`${field.id} ${kind} ${of} ${form}`).digest().readBigUInt64BE() >> BigInt(64 - bits)).toString(),
      ),
    currentKeyId: async () => id(),
    rotate: async () => void (version += 1),
  };
}
