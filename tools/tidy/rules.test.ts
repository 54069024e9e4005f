import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RepositoryFile } from './rule.ts';
import { rules } from './rules.ts';

/** Files by path. */
type Files = Readonly<Record<string, string>>;

/** Files that break a rule, and what must be told about them: where, and a part of the message; and nothing else. */
type Planted = { readonly files: Files; readonly told: readonly (readonly [place: string, message: RegExp])[] };

type Proof = {
  /** What the rule must leave alone. */
  readonly good: Files;
  readonly planted: readonly Planted[];
};

/** One file that breaks a rule at `path:line`. */
function plant(place: string, text: string, message: RegExp): Planted {
  return { files: { [place.replace(/:\d+$/, '')]: text }, told: [[place, message]] };
}

const manifest = (fields: object): string => JSON.stringify({ name: 'x', ...fields });
const ledger = (...rows: string[]): string =>
  `| id | requirement | state | where | test |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
const LEDGER_COUNTS = { D: 17, M: 12, P: 19, X: 21, A: 11, S: 14 };
const LEDGER_ROWS = Object.entries(LEDGER_COUNTS).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, index) => `| ${letter}${index + 1} | words | not yet | | |`),
);

const SQL_STATEMENTS = [
  'select id from hold where x',
  ' SELECT now()',
  'INSERT INTO hold VALUES (1)',
  'update safekeep.hold set x = 1',
  'DELETE FROM hold',
  'CREATE OR REPLACE FUNCTION f()',
  'create unique index i on t (c)',
  'ALTER TABLE hold ADD x int',
  'drop policy p on t',
  'WITH old AS (SELECT 1)',
  'truncate table hold',
];
const LOG_CALLS: Readonly<Record<string, RegExp>> = {
  'log.info(`erased ${name}`)': /name of an event/,
  'this.logger.warn(message)': /name of an event/,
  "log.info('Erased a person')": /name of an event/,
  "log.info('erased', subject)": /written out as an object/,
  "log.info('erased', { ...subject })": /one by one/,
  "log.info('erased', { fullName })": /fullName sounds like content/,
  "log.info('failed', { sql: statement })": /sql sounds like content/,
  "log.info('erased', { birthDate })": /birthDate sounds like content/,
  "log.info('erased', { what: `${a} ${b}` })": /put together/,
  "log.info('erased', { what: 'row ' + row })": /put together/,
  "log.info('erased', { id }, subject)": /nothing more/,
};

const CATALOGUE = `export const catalogue = {
  usage: { status: 400, text: 'x' },
  'file-exists': { status: 409 },
  'file-unreadable': { status: 400 },
} as const satisfies Record<string, Entry>;`;

const RAISED =
  "throw new SafekeepError('usage', {}); const code = isThere ? 'file-exists' : 'file-unreadable'; throw new SafekeepError(code);";

const proofs: Readonly<Record<string, Proof>> = {
  'package-direction': {
    good: {
      'packages/core/a.ts': "import { b } from './b.ts';",
      'packages/cli/a.ts': "import { x } from '@safekeep/core'; import { y } from '@safekeep/sample';",
      'packages/capabilities/import/a.test.ts': "import { sample } from '@safekeep/sample';",
      'tools/a.ts': "import { x } from '@safekeep/postgres';",
    },
    planted: [
      plant('packages/core/a.ts:2', "\nimport { x } from '@safekeep/postgres';", /core may not import postgres/),
      plant('packages/core/a.ts:1', "export type { X } from '@safekeep/crypto';", /crypto/),
      plant('packages/crypto/a.ts:1', "type X = import('@safekeep/tlog').X;", /tlog/),
      plant('packages/postgres/a.ts:1', "await import('@safekeep/capabilities/audit');", /capabilities/),
      plant('packages/server/a.ts:1', "import { x } from '@safekeep/sample';", /sample/),
      plant('packages/core/a.ts:1', "import { x } from '../sdk/x.ts';", /core may not import sdk/),
      plant('packages/novelty/a.ts:1', '', /no place in the direction/),
    ],
  },
  'public-face': {
    good: {
      'packages/cli/a.ts': "import { x } from '@safekeep/core'; import { y } from '@safekeep/capabilities/audit';",
      'packages/capabilities/audit/actions/a.ts':
        "import { h } from '../../holds/index.ts'; import { c } from '../../capability.ts';",
      'packages/capabilities/audit/b.ts': "import { h } from '@safekeep/capabilities/holds';",
      'tests/attack/a.test.ts': "import { x } from '@safekeep/postgres/testing';",
    },
    planted: [
      plant('packages/cli/a.ts:1', "import { x } from '@safekeep/core/ids.ts';", /names a file/),
      plant('packages/cli/a.ts:1', "import { x } from '../core/index.ts';", /reaches into packages\/core/),
      plant('tests/a.test.ts:1', "import { x } from '../packages/core/ids.ts';", /reaches into packages\/core/),
      plant('packages/core/a.ts:1', "import { x } from '@safekeep/core';", /this package itself/),
      plant('packages/capabilities/audit/a.ts:1', "import { x } from '../holds/store.ts';", /reaches into holds/),
      plant('packages/capabilities/audit/a.ts:1', "import { x } from '@safekeep/capabilities/audit';", /this capability itself/),
    ],
  },
  'live-face': {
    good: {
      'packages/capabilities/holds/index.ts':
        "export { heldBy, type Hold } from './actions/held-by.ts';\nexport { late } from './late.ts'; export type { Target } from './model.ts';",
      'packages/capabilities/audit/a.ts': "import { heldBy } from '../holds/index.ts';",
      'packages/cli/a.ts': "const { late } = await import('@safekeep/capabilities/holds');",
    },
    planted: [
      {
        files: {
          'packages/capabilities/holds/index.ts':
            "export { heldBy } from './a.ts';\nexport {\n  parse,\n  type T,\n} from './b.ts';",
          'packages/capabilities/holds/a.test.ts': "import { parse } from './index.ts';",
          'packages/cli/a.ts': "import { heldBy as parse } from '@safekeep/capabilities/holds';",
        },
        told: [['packages/capabilities/holds/index.ts:3', /nobody outside of holds takes parse/]],
      },
    ],
  },
  'capability-layers': {
    good: {
      'packages/capabilities/holds/rules.ts': "import { Hold } from './model.ts'; import { read } from './format/read.ts';",
      'packages/capabilities/holds/store/holds.ts': "import { decide } from '../rules.ts';",
      'packages/capabilities/holds/actions/place-hold.ts':
        "import { insert } from '../store/holds.ts'; import { other } from './release-hold.ts';",
      'packages/capabilities/holds/commands.ts': "import { placeHold } from './actions/place-hold.ts';",
      'packages/capabilities/holds/index.ts': "export { commands } from './commands.ts';",
      'packages/capabilities/holds/model.test.ts': "import { insert } from './store/holds.ts';",
    },
    planted: [
      plant('packages/capabilities/holds/rules.ts:1', "import { insert } from './store.ts';", /rules may not import store/),
      plant('packages/capabilities/holds/model.ts:1', "import { decide } from './rules.ts';", /model may not import rules/),
      plant('packages/capabilities/holds/store/a.ts:1', "import { act } from '../actions/act.ts';", /store may not import actions/),
      plant('packages/capabilities/holds/routes.ts:1', "import { x } from './jobs.ts';", /routes may not import jobs/),
      plant(
        'packages/capabilities/holds/format/read.ts:1',
        "import { x } from '../actions/act.ts';",
        /format may not import actions/,
      ),
      {
        files: {
          'packages/capabilities/holds/format/read.ts': "import { x } from '../store.ts';",
          'packages/capabilities/holds/proof/prove.ts': "import { x } from '../format/read.ts';",
          'packages/capabilities/holds/rules.ts': "import { x } from './proof/prove.ts';",
          'packages/capabilities/holds/store.ts': "import { x } from './format/read.ts';",
        },
        told: [['packages/capabilities/holds/rules.ts:1', /rules may not import proof, which stands on store/]],
      },
      plant('packages/capabilities/holds/actions/a.ts:1', "import { x } from '../index.ts';", /actions may not import index/),
    ],
  },
  'capability-circles': {
    good: {
      'packages/capabilities/audit/a.ts':
        "import { x } from '../ledger/index.ts'; import { c } from '@safekeep/capabilities/capability';",
      'packages/capabilities/ledger/a.ts': "import { x } from '../datamap/index.ts';",
      'packages/capabilities/ledger/a.test.ts': "import { x } from '../audit/index.ts';",
    },
    planted: [
      {
        files: {
          'packages/capabilities/audit/a.ts': "import { x } from '../ledger/index.ts';",
          'packages/capabilities/ledger/a.ts': "import { x } from '@safekeep/capabilities/holds';",
          'packages/capabilities/holds/a.ts': "import { x } from '../audit/index.ts';",
        },
        told: [
          ['packages/capabilities/audit/a.ts:1', /audit -> ledger -> holds -> audit/],
          ['packages/capabilities/ledger/a.ts:1', /ledger -> holds -> audit -> ledger/],
          ['packages/capabilities/holds/a.ts:1', /holds -> audit -> ledger -> holds/],
        ],
      },
      plant('packages/capabilities/datamap/a.ts:1', "import { x } from '../holds/index.ts';", /datamap may not import/),
    ],
  },
  'capability-shape': {
    good: {
      'packages/capabilities/capability.ts': '',
      'packages/capabilities/holds/README.md': 'short\n',
      'packages/capabilities/holds/index.ts': '',
      'packages/capabilities/holds/rules.test.ts': '',
      'packages/capabilities/holds/rules.long.test.ts': '',
      'packages/capabilities/holds/format/anything.ts': '',
    },
    planted: [
      {
        files: { 'packages/capabilities/holds/helpers.ts': '' },
        told: [
          ['packages/capabilities/holds:1', /README\.md is missing/],
          ['packages/capabilities/holds:1', /index\.ts is missing/],
          ['packages/capabilities/holds/helpers.ts:1', /no file of this name/],
        ],
      },
      {
        files: { 'packages/capabilities/holds/index.ts': '', 'packages/capabilities/holds/README.md': 'line\n'.repeat(61) },
        told: [['packages/capabilities/holds/README.md:61', /has 61 lines/]],
      },
    ],
  },
  'file-names': {
    good: {
      'packages/core/ids.long.test.ts': '',
      'packages/postgres/sql/migrations/0001_first_step.up.sql': '',
      'packages/postgres/sql/functions/set_actor.sql': '',
      '.ci/run': '',
      '.oxlintrc.json': '',
      'README.md': '',
      'LICENSE': '',
    },
    planted: [
      plant('packages/core/holdStore.ts:1', '', /kebab-case/),
      plant('packages/core/hold_store.ts:1', '', /kebab-case/),
      plant('packages/Core/ids.ts:1', '', /kebab-case/),
    ],
  },
  'migration-numbers': {
    good: {
      'packages/postgres/sql/migrations/0001_first.up.sql': '',
      'packages/postgres/sql/migrations/0001_first.down.sql': '',
    },
    planted: [
      plant('packages/postgres/sql/migrations/0001_first.up.sql:1', '', /has no way back/),
      plant('packages/postgres/sql/migrations/0002_second.up.sql:1', '', /is number 2 at place 1/),
    ],
  },
  'no-barrels': {
    good: { 'packages/core/index.ts': "export { a, type B } from './a.ts';", 'packages/core/a.ts': 'const a = 1;\nexport { a };' },
    planted: [
      plant('packages/core/index.ts:1', "export * from './a.ts';", /export \*/),
      plant('packages/core/all.ts:1', "export { a } from './a.ts';", /only index\.ts/),
      plant('packages/core/all.ts:1', "export type * from './a.ts';", /export \*/),
    ],
  },
  'sql-place': {
    good: {
      'packages/capabilities/holds/store.ts': 'const q = "select id from hold";',
      'packages/capabilities/holds/store/a.ts': 'const q = sql`select 1 as one`;',
      'packages/postgres/a.ts': 'const q = "DROP TABLE x";',
      'packages/core/a.ts':
        'const texts = ["Select a table", "Update the row.", "Create an account", "select", "Delete it", "with care"];',
      'packages/capabilities/holds/a.test.ts': 'const q = "select id from hold";',
      'bench/a.ts': 'const q = "select id from hold";',
    },
    planted: [
      plant('packages/server/a.ts:1', 'const q = sql`now()`;', /sql`…` template/),
      ...SQL_STATEMENTS.flatMap((statement) => [
        plant('packages/capabilities/holds/rules.ts:1', `const q = '${statement}';`, /SQL outside of a store/),
        plant('packages/cli/a.ts:2', `\nconst q = \`${statement} \${table}\`;`, /SQL outside of a store/),
      ]),
    ],
  },
  'pure-floors': {
    good: {
      'packages/core/a.ts': 'performance.now();',
      'packages/crypto/a.ts': "import { sign } from 'node:crypto';",
      'packages/core/a.test.ts': "import { readFileSync } from 'node:fs'; process.exit();",
      'packages/postgres/a.ts': "import { connect } from 'node:net'; process.env;",
    },
    planted: [
      plant('packages/core/a.ts:1', "import { readFileSync } from 'node:fs';", /node:fs/),
      plant('packages/crypto/a.ts:1', "import { connect } from 'node:net';", /node:net/),
      plant('packages/core/a.ts:1', 'const x = process.env;', /process/),
      plant('packages/tlog/a.ts:1', 'await fetch(url);', /fetch/),
    ],
  },
  'log-calls': {
    good: {
      'packages/server/a.ts':
        "log.info('backup-finished', { runId, durationMs: end - start, rows: rows.length, tableName, state: 'done' }); context.log.warn('queue-full');",
      'packages/server/b.ts': 'Math.log(`${x}`); changelog.info(`${x}`);',
      'packages/server/a.test.ts': 'log.info(`${name}`);',
    },
    planted: Object.entries(LOG_CALLS).map(([call, message]) => plant('packages/server/a.ts:2', `\n${call};`, message)),
  },
  'no-console': {
    good: { 'packages/cli/a.ts': 'console.log(1);', 'tools/a.ts': 'console.log(1);', 'packages/core/a.ts': '// console.log(1)' },
    planted: [plant('packages/core/a.ts:1', 'console.log(1);', /console/)],
  },
  'reasoned-assertions': {
    good: {
      'packages/core/a.ts':
        'const a = [1] as const;\n// Checked above.\nconst b = x as Id;\nconst c = y as Id; // checked\nimport { z as w } from "./z.ts";',
      'packages/core/a.test.ts': 'const b = x as Id;',
      'packages/core/a.test-process.ts': 'const b = x as Id;',
      'packages/core/testing/a.ts': 'const b = x as Id;',
    },
    planted: [
      plant('packages/core/a.ts:4', '// Far away.\n\n\nconst b = x as Id;', /without its reason/),
      plant('packages/core/a.ts:1', 'const b = <Id>x;', /without its reason/),
    ],
  },
  'whole-tests': {
    good: {
      'packages/core/a.test.ts':
        "test('x', { skip: hasRedis ? false : 'no Redis here' }, (t) => { t.skip('because'); }); array.only(); skip();",
    },
    planted: [
      "test.only('x', f)",
      "describe.skip('x', f)",
      "it.todo('x')",
      "test('x', { only: true }, f)",
      "test('x', { skip: true }, f)",
      "test('x', { todo: 'later' }, f)",
      't.skip()',
    ].map((call) => plant('packages/core/a.test.ts:2', `\n${call};`, /./)),
  },
  'no-unfinished': {
    good: {
      'packages/core/a.ts': "const mask = 'XXX-XX-1234';",
      'docs/guide.md': 'A TODO in a document.',
      'a.sql': "SELECT 'TODO';",
    },
    planted: [
      plant('packages/core/a.ts:2', 'f();\n// TODO: all of it', /TODO/),
      plant('packages/core/a.ts:2', '/*\n * FIXME\n */', /FIXME/),
      plant('packages/postgres/sql/a.sql:1', 'SELECT 1; -- XXX', /XXX/),
      plant('.ci/run:1', '# HACK', /HACK/),
    ],
  },
  'no-foreign-places': {
    good: {
      'packages/core/a.ts': 'join(tmpdir(), "x"); const route = "/workers"; const url = "https://a.example/tmp/x"; a/work;',
      'package-lock.json': 'https://registry.npmjs.org/',
    },
    planted: [
      plant('docs/a.md:1', 'cd /work/main', /path of one machine/),
      plant('packages/core/a.ts:2', "\nconst dir = '/tmp/x';", /path of one machine/),
      plant('packages/core/a.ts:1', "const home = '/home/someone/x';", /path of one machine/),
      plant('.npmrc:1', 'registry=https://registry.npmjs.org/', /package registry/),
    ],
  },
  'pinned-dependencies': {
    good: {
      'package.json': manifest({ dependencies: { a: '1.2.3', b: '18.4.0-beta.17' } }),
      'tests/x/package.json': manifest({ dependencies: { a: '^1' } }),
    },
    planted: ['^1.2.3', '~1.2.3', '*', 'latest', '1.x', 'npm:null@*', 'file:../a', '>=1.0.0'].map((version) =>
      plant('packages/core/package.json:1', manifest({ devDependencies: { a: version } }), /a is not pinned/),
    ),
  },
  'lock-file': {
    good: {
      'package.json': manifest({ devDependencies: { a: '1.0.0' } }),
      'packages/core/package.json': manifest({}),
      'package-lock.json': JSON.stringify({ packages: { '': { devDependencies: { a: '1.0.0' } }, 'packages/core': {} } }),
    },
    planted: [
      { files: {}, told: [['package-lock.json:1', /is missing/]] },
      {
        files: {
          'package.json': manifest({ dependencies: { a: '1.0.1' } }),
          'package-lock.json': JSON.stringify({ packages: { '': { dependencies: { a: '1.0.0' } } } }),
        },
        told: [
          ['package.json:1', /a@1\.0\.1/],
          ['package.json:1', /a@1\.0\.0/],
        ],
      },
      {
        files: { 'packages/core/package.json': manifest({ dependencies: { a: '1.0.0' } }), 'package-lock.json': '{}' },
        told: [['packages/core/package.json:1', /a@1\.0\.0/]],
      },
      plant('package-lock.json:3', '{\n"packages": {"a": {\n"resolved": "https://a.example/a.tgz"}}}', /place it came from/),
    ],
  },
  'dependencies-explained': {
    good: {
      'package.json': manifest({ dependencies: { 'a': '1.0.0', '@x/b': '1.0.0', '@safekeep/core': '0.1.0' } }),
      'docs/dependencies.md': '| package | why |\n|---|---|\n| `a`, `@x/b` | because |\n',
    },
    planted: [
      { files: {}, told: [['docs/dependencies.md:1', /is missing/]] },
      {
        files: { 'packages/core/package.json': manifest({ dependencies: { a: '1.0.0' } }), 'docs/dependencies.md': 'a' },
        told: [['packages/core/package.json:1', /a has no line/]],
      },
      plant('docs/dependencies.md:2', '| package |\n| `gone` | why |', /gone is explained but no longer used/),
    ],
  },
  'error-codes': {
    good: {
      'packages/core/errors/catalogue.ts': CATALOGUE,
      'packages/core/a.ts': RAISED,
      'packages/core/a.test.ts': "isSafekeepError(error, 'usage'); assert.match(code, /^(file-exists|file-unreadable)$/);",
    },
    planted: [
      {
        files: {
          'packages/core/errors/catalogue.ts': CATALOGUE,
          // Asked for, compared, typed, a key, in a comment, in a test, in another word: none of it raises anything.
          'packages/core/a.ts': `if (isSafekeepError(error, 'usage') || error.code === 'file-exists') throw error; type Code = 'usage'; // 'usage'
            const meaning = { 'file-exists': 1 }; switch (code) { case 'file-exists': }; new SafekeepError('file-unreadable'); use('usage of it');`,
          'packages/core/a.test.ts': "new SafekeepError('usage'); new SafekeepError('file-exists'); refused('file-unreadable');",
        },
        told: [
          ['packages/core/errors/catalogue.ts:2', /nothing raises usage/],
          ['packages/core/errors/catalogue.ts:3', /nothing raises file-exists/],
        ],
      },
      {
        files: {
          'packages/core/errors/catalogue.ts': CATALOGUE,
          'packages/core/a.ts': RAISED,
          // The usage of a word, and a longer code, are no tests of these.
          'packages/core/a.test.ts': "it('shows its usage'); refused('file-exists-not'); refused('a-file-unreadable');",
          'packages/core/testing/a.ts': "'usage'",
        },
        told: [
          ['packages/core/errors/catalogue.ts:2', /no test names usage/],
          ['packages/core/errors/catalogue.ts:3', /no test names file-exists/],
          ['packages/core/errors/catalogue.ts:4', /no test names file-unreadable/],
        ],
      },
    ],
  },
  'requirements-ledger': {
    good: {
      'docs/requirements.md': ledger(
        ...LEDGER_ROWS.slice(1),
        '| D1 | words \\| more | done | `migrate` | `packages/core/a.test.ts` |',
      ),
      'packages/core/a.test.ts': '',
    },
    planted: [
      { files: {}, told: [['docs/requirements.md:1', /is missing/]] },
      plant('docs/requirements.md:1', ledger(...LEDGER_ROWS.slice(1)), /D1 is missing/),
      plant('docs/requirements.md:97', ledger(...LEDGER_ROWS, '| D1 | again | not yet | | |'), /D1 stands here twice/),
      plant('docs/requirements.md:97', ledger(...LEDGER_ROWS, '| S15 | new | not yet | | |'), /S15 is no requirement/),
      plant('docs/requirements.md:96', ledger(...LEDGER_ROWS.slice(1), '| D1 | words | nearly | | |'), /"nearly" is none of/),
      plant('docs/requirements.md:96', ledger(...LEDGER_ROWS.slice(1), '| D1 | words | done | `migrate` | |'), /no test is named/),
      {
        files: {
          'docs/requirements.md': ledger(
            ...LEDGER_ROWS.slice(1),
            '| D1 | words | done | `migrate` | `packages/core/gone.test.ts` |',
          ),
        },
        told: [['docs/requirements.md:96', /there is no file packages\/core\/gone\.test\.ts/]],
      },
    ],
  },
};

const repository = (files: Files): RepositoryFile[] => Object.entries(files).map(([path, text]) => ({ path, text }));

describe('every rule proves itself', () => {
  it('on violations planted for it, and there is no rule without them', () => {
    assert.deepEqual(Object.keys(proofs).sort(), rules.map(({ name }) => name).sort());
    for (const [name, { planted }] of Object.entries(proofs)) assert.ok(planted.length > 0, name);
  });

  for (const rule of rules) {
    it(`${rule.name} leaves good files alone`, () => {
      assert.deepEqual(rule.check(repository(proofs[rule.name]?.good ?? {})), []);
    });

    it(`${rule.name} finds each planted violation where it stands, and nothing else`, () => {
      for (const { files, told } of proofs[rule.name]?.planted ?? []) {
        const faults = rule.check(repository(files));
        assert.deepEqual(
          faults.map(({ path, line }) => `${path}:${line}`),
          told.map(([place]) => place),
          JSON.stringify(files),
        );
        for (const [index, [, message]] of told.entries()) assert.match(faults[index]?.message ?? '', message);
      }
    });
  }
});
