// The public face of the SDK, listed by hand. `@safekeep/sdk/kysely` has the plugin for Kysely.
export type { ActorSecret } from '@safekeep/crypto';
export { actAs, type Actor } from './actor.ts';
export type { SealedField } from './field.ts';
export { leasedKeys } from './leased-keys.ts';
export type { Queryable, SafekeepOptions } from './model.ts';
export { SealedParameter } from './parameters.ts';
export { sealedPool, type SealedClient, type SealedPool } from './pool.ts';
export { safekeep, type ColumnTypes, type Fields, type Safekeep, type SealingContext } from './safekeep.ts';
export { unlock, wrappedKeys } from './unlock.ts';
