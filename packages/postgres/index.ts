export { isConnectionLost, operationFailure } from './connect/failures.ts';
export { collectPassed, collectReceived, expectShortLives, keepNurserySmall, shrinkNursery } from './connect/nursery.ts';
export { together } from './connect/together.ts';
export { openDatabase, type OpenOptions } from './connect/open.ts';
export { inTenant, setTenant, transaction } from './connect/transaction.ts';
export { isLocal, parseDatabaseUrl, printedHost, type ConnectionTarget, type TlsMode } from './connect/url.ts';
export type { Database, ServerFacts } from './database.ts';
export {
  embeddedDirectory,
  openEmbedded,
  runtimePassword,
  prepareHome,
  stopEmbedded,
  usersOfHome,
  type EmbeddedLease,
  type EmbeddedOptions,
} from './embedded/home.ts';
export {
  migrateDown,
  migrateUp,
  migrationStatus,
  refuseNewerSchema,
  type MigrateOptions,
  type MigrationStatus,
} from './migrations/run.ts';
export { FUNCTION_CALL, isShipped, shippedFunctions, shippedIn, type ShippedFunction } from './migrations/shipped-functions.ts';
export { readServerHealth, type ServerHealth } from './connect/health.ts';
export {
  differences,
  fingerprint,
  fingerprintOf,
  fingerprintParts,
  type Difference,
  type FingerprintOptions,
  type FingerprintParts,
} from './catalog/fingerprint.ts';
export { findTable, findTableByOid, foreignKeysOf, referencedBy, type Reference } from './catalog/lookup.ts';
export type {
  Catalog,
  Check,
  Column,
  ForeignKey,
  Index,
  Policy,
  PrimaryKey,
  Table,
  TableKind,
  TablePrivileges,
  Trigger,
  Unique,
  ViewDefinition,
} from './catalog/model.ts';
export type { Queryable } from './catalog/queryable.ts';
export { strangeOwners, type StrangeOwner } from './catalog/owners.ts';
export { quoteName, quoteTable, quoteText } from './catalog/quote.ts';
export { readCatalog, readCatalogAroundLocks } from './catalog/read-catalog.ts';
export { NOT_OF_USERS, readUserCatalog } from './catalog/user-catalog.ts';
export { shardingFaults, type ShardingExemption, type ShardingFault, type ShardingOptions } from './catalog/sharding-faults.ts';
export { makeRuntimeLogin, RUNTIME_LOGIN } from './embedded/runtime-login.ts';
