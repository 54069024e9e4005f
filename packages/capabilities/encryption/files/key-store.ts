import { SafekeepError } from '@safekeep/core';
import { privateFiles } from '@safekeep/files';

export const { makeFolder, createOnce, replaceFile, destroyFile, writing } = privateFiles(
  (path, reason, cause) => new SafekeepError('key-store-unwritable', { path, reason }, { cause }),
);
