import { SafekeepError } from '@safekeep/core';

const SQLITE_FULL = 13;
const UNWRITABLE: readonly string[] = ['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EPERM', 'EROFS'];

/** Names what the file system refused while `path` was written; anything else is a bug and stays as it is. */
export function refusal(error: unknown, path: string): unknown {
  if (!(error instanceof Error)) return error;
  // Node's errors carry these beside the message, undeclared on Error.
  const { code = '', errcode } = error as { readonly code?: string; readonly errcode?: number };
  if (code === 'ENOSPC' || errcode === SQLITE_FULL) return new SafekeepError('disk-full', { path }, { cause: error });
  if (UNWRITABLE.includes(code)) return new SafekeepError('file-unwritable', { path, reason: code }, { cause: error });
  return error;
}
