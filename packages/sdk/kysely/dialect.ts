import {
  PostgresDialect,
  PostgresDriver,
  type DatabaseConnection,
  type Dialect,
  type PostgresDialectConfig,
  type QueryCompiler,
} from 'kysely';
import { codeOf } from '@safekeep/core/values';
import { mayGoAnew, type SealedPool } from '../pool.ts';
import type { SealedPlugin } from './plugin.ts';
import { kyselyPool } from './pool.ts';

/**
 * Kysely over a sealed pool, in which a query that was made for a field as it was a moment ago is made anew and run once more. Where the
 * database refused it in a transaction it is not: what came before is lost with it, and the caller runs all of it again (`field-moved`); nor
 * where a plugin behind ours changed it, since it would be run without what that one says.
 */
export function sealedDialect(pool: SealedPool, plugin: SealedPlugin, config: Omit<PostgresDialectConfig, 'pool'> = {}): Dialect {
  const whole: PostgresDialectConfig = { ...config, pool: kyselyPool(pool) };
  const dialect = new PostgresDialect(whole);
  return {
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createDriver: () => new RerunningDriver(whole, plugin, dialect.createQueryCompiler()),
  };
}

class RerunningDriver extends PostgresDriver {
  readonly #plugin: SealedPlugin;
  readonly #compiler: QueryCompiler;
  readonly #rerun = new WeakSet<DatabaseConnection>();

  constructor(config: PostgresDialectConfig, plugin: SealedPlugin, compiler: QueryCompiler) {
    super(config);
    this.#plugin = plugin;
    this.#compiler = compiler;
  }

  override async acquireConnection(...given: Parameters<PostgresDriver['acquireConnection']>): Promise<DatabaseConnection> {
    const connection = await super.acquireConnection(...given);
    if (!this.#rerun.has(connection)) {
      this.#rerun.add(connection);
      // The driver knows its connections by what they are, so one that is wrapped would be a stranger to it.
      connection.executeQuery = rerunning(connection, this.#plugin, this.#compiler);
    }
    return connection;
  }
}

function rerunning(
  connection: DatabaseConnection,
  plugin: SealedPlugin,
  compiler: QueryCompiler,
): DatabaseConnection['executeQuery'] {
  const execute = connection.executeQuery.bind(connection);
  return async (query, options) => {
    try {
      return await execute(query, options);
    } catch (error) {
      const node = mayGoAnew(error) ? plugin.rewriteAnew(query) : undefined;
      if (node === undefined) throw error;
      const anew = compiler.compileQuery(node, query.queryId);
      if (anew.sql === query.sql) throw error;
      try {
        return await execute(anew, options);
      } catch (other) {
        // in_failed_sql_transaction: what the caller is to hear is why it failed.
        throw codeOf(other) === '25P02' ? error : other;
      }
    }
  };
}
