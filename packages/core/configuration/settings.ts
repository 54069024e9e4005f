import { Type } from '../schema/build.ts';
import type { TSchema, TSchemaOptions } from 'typebox';

/** What a setting carries beside its type: where it may come from and how it is explained. */
export type SettingFacts = {
  /** The environment variable; `<env>_FILE` names a file that holds the value instead. */
  readonly env: string;
  /** The flag of every command, e.g. `--db`. */
  readonly flag?: string;
  readonly description: string;
  /** Never printed; in memory a `Secret`. */
  readonly secret?: true;
};

const setting = (facts: SettingFacts & TSchemaOptions): SettingFacts & TSchemaOptions => facts;

/**
 * Every setting of Safekeep, once. Flags, environment, the commented file of `safekeep init`, validation and
 * docs/configuration.md are derived from this.
 */
export const Settings = Type.Object({
  databaseUrl: Type.Optional(
    Type.String(
      setting({
        env: 'SAFEKEEP_DATABASE_URL',
        flag: '--db',
        secret: true,
        description:
          'Your PostgreSQL 15 to 18, as postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full. Without it: the embedded one of the home.',
      }),
    ),
  ),
  runtimeUrl: Type.Optional(
    Type.String(
      setting({
        env: 'SAFEKEEP_RUNTIME_URL',
        secret: true,
        description:
          'The same database with the login of the running worker and API: a member of safekeep_app and of nothing stronger. The embedded server makes its own.',
      }),
    ),
  ),
  directUrl: Type.Optional(
    Type.String(
      setting({
        env: 'SAFEKEEP_DIRECT_URL',
        secret: true,
        description:
          'A session connection to the same database, beside a pooled one (pgBouncer), for LISTEN and replication. Nothing needs it yet.',
      }),
    ),
  ),
  home: Type.String(
    setting({
      env: 'SAFEKEEP_HOME',
      flag: '--home',
      default: './.safekeep',
      minLength: 1,
      description: 'The folder of keys, reports and the embedded database.',
    }),
  ),
  tenant: Type.String(
    setting({
      env: 'SAFEKEEP_TENANT',
      flag: '--tenant',
      default: 'default',
      pattern: '^[a-z0-9][a-z0-9_-]{0,62}$',
      description: 'Whose rows: the organisation that this call works for.',
    }),
  ),
  map: Type.String(
    setting({ env: 'SAFEKEEP_MAP', flag: '--map', default: 'datamap.yaml', minLength: 1, description: 'The data map.' }),
  ),
  port: Type.Integer(
    setting({
      env: 'SAFEKEEP_PORT',
      default: 7300,
      minimum: 1,
      maximum: 65_535,
      description: 'Where `start` will serve the console on 127.0.0.1, once there is one. Nothing listens yet.',
    }),
  ),
  poolMax: Type.Integer(
    setting({
      env: 'SAFEKEEP_POOL_MAX',
      default: 10,
      // The end of an erasure holds its turn on one, a part of it its transaction on another, and that asks by a third.
      minimum: 4,
      maximum: 1_000,
      description: 'Database connections at most, per process.',
    }),
  ),
  connectTimeoutMs: Type.Integer(
    setting({
      env: 'SAFEKEEP_CONNECT_TIMEOUT_MS',
      default: 10_000,
      minimum: 100,
      maximum: 600_000,
      description: 'How long one attempt to connect may take.',
    }),
  ),
  ledgerDirectory: Type.Optional(
    Type.String(
      setting({
        env: 'SAFEKEEP_LEDGER_DIR',
        description:
          'Where the ledger of what was destroyed lies. Without it: `ledger` in the home. Never inside a backup of the database.',
      }),
    ),
  ),
  ledgerCopyDirectory: Type.Optional(
    Type.String(
      setting({
        env: 'SAFEKEEP_LEDGER_COPY_DIR',
        description: 'Where a second copy of the ledger is kept, best on another disk or machine. Without it there is none.',
      }),
    ),
  ),
  keysDirectory: Type.Optional(
    Type.String(
      setting({
        env: 'SAFEKEEP_KEYS_DIR',
        description:
          'Where wrapped keys lie. Without it: `keys` in the home. Never inside a backup of the database; machines that share a database share it.',
      }),
    ),
  ),
  rootKind: Type.Union(
    [Type.Literal('file'), Type.Literal('age'), Type.Literal('environment'), Type.Literal('command')],
    setting({
      env: 'SAFEKEEP_ROOT',
      default: 'file',
      description: 'What all other keys are wrapped with at the top: a file, an age identity, a key in the environment, a program.',
    }),
  ),
  rootPassphrase: Type.Optional(
    Type.String(
      setting({
        env: 'SAFEKEEP_ROOT_PASSPHRASE',
        secret: true,
        minLength: 12,
        description:
          'Opens the root file. Without it a secret is made that lies beside the file: whoever copies the folder has both.',
      }),
    ),
  ),
  rootAgeIdentity: Type.Optional(
    Type.String(
      setting({
        env: 'SAFEKEEP_ROOT_AGE_IDENTITY',
        secret: true,
        description: 'The age identity (AGE-SECRET-KEY-1…) of the root `age`.',
      }),
    ),
  ),
  rootKey: Type.Optional(
    Type.String(
      setting({ env: 'SAFEKEEP_ROOT_KEY', secret: true, description: 'The key of the root `environment`: 32 bytes in base64.' }),
    ),
  ),
  rootCommand: Type.Optional(
    Type.String(
      setting({
        env: 'SAFEKEEP_ROOT_COMMAND',
        description: 'The program of the root `command`, by its absolute path: it wraps and unwraps over stdin and stdout.',
      }),
    ),
  ),
  rootTimeoutMs: Type.Integer(
    setting({
      env: 'SAFEKEEP_ROOT_TIMEOUT_MS',
      default: 10_000,
      minimum: 100,
      maximum: 600_000,
      description: 'How long the program of the root `command` may take for one answer.',
    }),
  ),
  rootPrevious: Type.Optional(
    Type.String(
      setting({
        env: 'SAFEKEEP_ROOT_PREVIOUS',
        secret: true,
        description: 'While the root is being replaced: the passphrase, age identity, key or program before.',
      }),
    ),
  ),
  erasureApproval: Type.Union(
    [Type.Literal('any'), Type.Literal('second-person')],
    setting({
      env: 'SAFEKEEP_ERASURE_APPROVAL',
      default: 'any',
      description: 'Who may approve an erasure: anybody, or only somebody else than the one who planned it.',
    }),
  ),
  erasureApprovers: Type.Optional(
    Type.String(
      setting({
        env: 'SAFEKEEP_ERASURE_APPROVERS',
        minLength: 1,
        description:
          'A file with the verifier keys of those who may plan and approve erasures, one a line. With second-person both must sign then; without it the names are claimed and not proven.',
      }),
    ),
  ),
  accessLogActors: Type.Union(
    [Type.Literal('pseudonyms'), Type.Literal('names')],
    setting({
      env: 'SAFEKEEP_ACCESS_LOG_ACTORS',
      default: 'pseudonyms',
      description: 'How a person is told who looked at their data: by a role and a number for each who did, or by name.',
    }),
  ),
  outsideTimeoutMs: Type.Integer(
    setting({
      env: 'SAFEKEEP_OUTSIDE_TIMEOUT_MS',
      default: 60_000,
      minimum: 100,
      maximum: 3_600_000,
      description: 'How long a place outside of the database may take to erase one person before it is asked again later.',
    }),
  ),
  runtimeDirectory: Type.String(
    setting({
      env: 'SAFEKEEP_RUNTIME_DIRECTORY',
      default: '/var/lib/safekeep',
      description: 'Where the embedded database lives when the home lies below a folder that only root may enter.',
    }),
  ),
  logLevel: Type.Union(
    [
      Type.Literal('trace'),
      Type.Literal('debug'),
      Type.Literal('info'),
      Type.Literal('warn'),
      Type.Literal('error'),
      Type.Literal('fatal'),
    ],
    setting({ env: 'SAFEKEEP_LOG_LEVEL', default: 'info', description: 'The least severe events that are logged.' }),
  ),
});

export type SettingName = keyof typeof Settings.properties;

/** The facts of a setting, as written above. */
export function factsOf(name: SettingName): SettingFacts {
  const schema: TSchema = Settings.properties[name];
  // `setting` typed each of them; TypeBox keeps the keywords but not their types.
  return schema as TSchema & SettingFacts;
}

// The keys of an object literal are exactly its type's keys here: it is declared above and nothing is added later.
export const settingNames = Object.keys(Settings.properties) as readonly SettingName[];
