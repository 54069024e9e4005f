import { codeOf, SafekeepError } from '@safekeep/core';

/**
 * Runs one write into a table whose only foreign key is that on the tenant.
 *
 * @throws `job-tenant-unknown`.
 */
export async function ofKnownTenant<Result>(tenant: string, write: () => Promise<Result>): Promise<Result> {
  try {
    return await write();
  } catch (cause) {
    // 23503 foreign_key_violation.
    if (codeOf(cause) === '23503') throw new SafekeepError('job-tenant-unknown', { tenant }, { cause });
    throw cause;
  }
}
