// The plugin for Kysely, apart from the rest so that nobody needs Kysely who does not use it.
export { sealedDialect } from './dialect.ts';
export { sealedKysely } from './plugin.ts';
