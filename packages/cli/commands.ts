import type { Capability, Command } from '@safekeep/capabilities/capability';
import { audit, auditBaseline, auditCapture, logPutAside, sealedEvents } from '@safekeep/capabilities/audit';
import { datamap } from '@safekeep/capabilities/datamap';
import { discovery, structureWatch } from '@safekeep/capabilities/discovery';
import { encryptedFields, encryptionOver, plaintextBack, sealedColumns } from '@safekeep/capabilities/encryption';
import { holds, onRelease, refuseWhileHeld } from '@safekeep/capabilities/holds';
import { importCapability } from '@safekeep/capabilities/import';
import { jobsOver } from '@safekeep/capabilities/jobs';
import { ledger } from '@safekeep/capabilities/ledger';
import { logs } from '@safekeep/capabilities/logs';
import { columnComments, complianceFields, mapNames, planCapability, rowSecurity } from '@safekeep/capabilities/plan';
import { requestsCapability, requeueErasures } from '@safekeep/capabilities/requests';
import { audited, keyEvents } from './audited.ts';
import { completion } from './commands/completion.ts';
import { doctor } from './commands/doctor.ts';
import { init } from './commands/init.ts';
import { migrate } from './commands/migrate.ts';
import { demo, start } from './commands/start.ts';
import { stop } from './commands/stop.ts';
import { url } from './commands/url.ts';
import { healthCheck } from './doctor/health-job.ts';
import { requestPorts } from './request-ports.ts';

// What a hold had stopped is due again when it ends.
onRelease(requeueErasures);

/** Where values stand that are sealed under keys. */
const sealed = [sealedColumns, sealedEvents];

/** What Safekeep can do, in the order of the documentation. The one list of capabilities. */
const doers: readonly Capability[] = [
  importCapability,
  discovery,
  datamap,
  planCapability({
    contributors: [
      columnComments,
      mapNames,
      complianceFields((map, table) => map.tables.get(table)?.compliance ?? null),
      encryptedFields,
      rowSecurity((map, table) => {
        const { isolate = false, hideDeleted = false } = map.tables.get(table) ?? {};
        return { isolate, hideDeleted };
      }),
      auditCapture,
      auditBaseline,
      structureWatch,
    ],
    guards: [refuseWhileHeld],
    takeOut: [plaintextBack({ record: keyEvents, follows: [auditCapture] }), logPutAside],
  }),
  audit,
  holds,
  encryptionOver({ places: sealed, record: keyEvents, follows: [auditCapture] }),
  ledger,
  requestsCapability(requestPorts(sealed)),
  logs,
];

/** What a worker takes up: the house's own health check, and what the capabilities bring. */
const kinds = [healthCheck, ...doers.flatMap(({ jobs }) => jobs ?? [])];

const capabilities = [...doers, jobsOver(kinds)];

/** The house's own commands first, then each capability's. */
export const allCommands: readonly Command[] = [
  init,
  start(kinds, () => allCommands),
  demo(() => allCommands),
  stop,
  url,
  doctor,
  ...migrate,
  completion(() => allCommands),
  ...audited(capabilities.flatMap(({ commands }) => commands)),
];
