import type { Static } from 'typebox';
import { SafekeepError } from '../errors/error.ts';
import { Secret } from '../secret.ts';
import { factsOf, settingNames, Settings, type SettingName } from './settings.ts';
import { faultOf, fromText, suggestionFor } from './text.ts';

type Plain = Static<typeof Settings>;
type SecretName = 'databaseUrl' | 'directUrl' | 'runtimeUrl' | 'rootPassphrase' | 'rootAgeIdentity' | 'rootKey' | 'rootPrevious';

/** The settings in force. Secrets are wrapped: printing a configuration shows none. */
export type Configuration = { readonly [Name in Exclude<SettingName, SecretName>]: Plain[Name] } & {
  readonly [Name in SecretName]: Secret | undefined;
};

/** Where settings come from, strongest first. */
export type ConfigurationSources = {
  /** Flags as typed, by setting name. */
  readonly flags: Readonly<Partial<Record<SettingName, string>>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The lines of `safekeep.env`, already split into names and values. */
  readonly file: Readonly<Record<string, string | undefined>>;
  /** Reads the file that a `<NAME>_FILE` variable names. Throws where it cannot. */
  readonly readFile: (path: string) => string;
};

// Variables of our own that are not settings: the test run speaks to its files through them.
const FOREIGN = /^SAFEKEEP_TEST_/;

/**
 * Reads and checks every setting at once.
 *
 * @throws `configuration-invalid` with every problem listed; never with the value of a secret.
 */
export function readConfiguration(sources: ConfigurationSources): Configuration {
  const problems = [...unknownVariables(sources.environment), ...unknownVariables(sources.file)];
  const values: Record<string, unknown> = {};
  for (const name of settingNames) {
    const { env, secret } = factsOf(name);
    const schema = Settings.properties[name];
    try {
      const text = textOf(name, sources);
      const value = text === undefined ? defaultOf(schema) : fromText(schema, text);
      const fault = value === undefined ? undefined : faultOf(schema, value);
      if (fault !== undefined) problems.push(secret === true ? `${env}: ${fault}` : `${env}: ${JSON.stringify(value)} ${fault}`);
      values[name] = secret === true && typeof value === 'string' ? new Secret(value) : value;
    } catch (error) {
      problems.push(error instanceof Error ? error.message : `${env}: cannot be read`);
    }
  }
  problems.push(...withoutEffect(values));
  if (problems.length > 0) {
    throw new SafekeepError('configuration-invalid', {
      count: problems.length,
      problems: problems.map((problem) => `  - ${problem}`).join('\n'),
    });
  }
  // Every property was checked against the schema just above, and secrets were wrapped.
  return values as Configuration;
}

/** What somebody has set and believes to be in force. */
function withoutEffect({ erasureApproval, erasureApprovers }: Readonly<Record<string, unknown>>): readonly string[] {
  if (erasureApprovers === undefined || erasureApproval === 'second-person') return [];
  return ['SAFEKEEP_ERASURE_APPROVERS: nobody has to sign unless SAFEKEEP_ERASURE_APPROVAL is second-person'];
}

function textOf(name: SettingName, { flags, environment, file, readFile }: ConfigurationSources): string | undefined {
  const { env } = factsOf(name);
  if (flags[name] !== undefined) return flags[name];
  for (const source of [environment, file]) {
    if (present(source[env])) return source[env];
    const path = source[`${env}_FILE`];
    if (!present(path)) continue;
    try {
      return readFile(path).replace(/\r?\n$/, '');
    } catch {
      throw new Error(`${env}_FILE: the file ${path} cannot be read`);
    }
  }
  return undefined;
}

/** An empty variable counts as not set: `SAFEKEEP_TENANT= npm start` is how a shell unsets it. */
function present(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

function defaultOf(schema: object): unknown {
  return 'default' in schema ? schema.default : undefined;
}

function unknownVariables(source: Readonly<Record<string, string | undefined>>): readonly string[] {
  const known = settingNames.flatMap((name) => [factsOf(name).env, `${factsOf(name).env}_FILE`]);
  return Object.keys(source)
    .filter((name) => name.startsWith('SAFEKEEP_') && !FOREIGN.test(name) && !known.includes(name))
    .map((name) => {
      const meant = suggestionFor(name, known);
      return `${name} is not a setting${meant === undefined ? '' : `; did you mean ${meant}?`}`;
    });
}
