import { indexForms, openTexts, sealTexts, type DataKeys } from '@safekeep/crypto';
import type { FieldKeys } from '../model.ts';

/** What the engine asks of the keys of a database, by tenant and scope. */
export type KeySource = DataKeys & {
  /** Makes the data key and the index key of a scope where there are none. */
  readonly prepare: (tenant: string, scope: string) => Promise<void>;
  /** A new data key; the one before only opens from now on. */
  readonly rotate: (tenant: string, scope: string) => Promise<void>;
};

/** The only place where keys and values meet: the rest of the engine sees ciphertext and text, and no key. */
export function fieldKeys(source: KeySource): FieldKeys {
  return {
    prepare: ({ tenant, keyScope }) => source.prepare(tenant, keyScope),
    seal: (field, values) => sealTexts(source, field, values),
    open: (field, sealed) => openTexts(source, field, sealed),
    index: (field, index, forms) => indexForms(source, field, index, forms),
    currentKeyId: async ({ tenant, keyScope }) => (await source.current(tenant, keyScope)).id,
    rotate: ({ tenant, keyScope }) => source.rotate(tenant, keyScope),
  };
}
