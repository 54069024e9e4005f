/** A file of the repository; `path` is relative to its root, with `/`. */
export type RepositoryFile = { readonly path: string; readonly text: string };

/** Something a rule found. */
export type Fault = { readonly path: string; readonly line: number; readonly message: string };

export type Rule = {
  readonly name: string;
  /** What goes wrong without it; shown below its faults. */
  readonly why: string;
  /** All files at once: some rules look at how files stand to each other. */
  readonly check: (files: readonly RepositoryFile[]) => Fault[];
};

export function isTypeScript({ path }: RepositoryFile): boolean {
  return path.endsWith('.ts');
}

/** Tests and what only tests use: programs they start (`home.test-process.ts`), folders named testing and fixtures. */
export function isTest({ path }: RepositoryFile): boolean {
  return /\.test(-[a-z]+)?\.ts$|^tests\/|\/(testing|fixtures)\//.test(path);
}
