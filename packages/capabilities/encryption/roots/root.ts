/** What keeps the keys of epochs shut: a file with a passphrase, an age identity, a key in the environment, a program (a KMS, an HSM). */
export type Root = {
  readonly kind: RootKind;
  /** Which one, so that it is known which root wrapped what. Not secret. */
  readonly id: string;
  readonly wrap: (key: Uint8Array) => Promise<Buffer>;
  /** Throws `key-root-wrong`, `key-root-unreachable`. */
  readonly unwrap: (wrapped: Uint8Array) => Promise<Buffer>;
  /** For a person: where it is, and what must not get lost. */
  readonly describe: () => Promise<string>;
  /** What opens it lies beside it: whoever copies the folder of keys has both. */
  readonly isUnparted?: true;
  /** After it: when nobody can unwrap any more. */
  readonly destroy: () => Promise<{ readonly at: Date } | 'unsupported'>;
};

export const rootKinds = ['file', 'age', 'environment', 'command'] as const;
export type RootKind = (typeof rootKinds)[number];
