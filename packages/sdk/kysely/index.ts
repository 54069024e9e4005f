// The plugin for Kysely, apart from the rest so that nobody needs Kysely who does not use it.
export { sealedKysely } from './plugin.ts';
export { kyselyPool } from './pool.ts';
