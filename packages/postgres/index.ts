export { codeOf, isConnectionLost, operationFailure } from './connect/failures.ts';
export { openDatabase, type OpenOptions } from './connect/open.ts';
export { isLocal, parseDatabaseUrl, type ConnectionTarget, type TlsMode } from './connect/url.ts';
export type { Database, ServerFacts } from './database.ts';
export { openEmbedded, prepareHome, stopEmbedded, usersOfHome, type EmbeddedLease, type EmbeddedOptions } from './embedded/home.ts';
export { migrateDown, migrateUp, migrationStatus, type MigrateOptions, type MigrationStatus } from './migrations/run.ts';
export { readServerHealth, type ServerHealth } from './connect/health.ts';
