import {
  accessLog,
  actWithin,
  beginErasure,
  drainBeforeErasure,
  emptyAfterErasure,
  forget,
  namingOf,
  openSequencer,
  parsePlace,
  recordRemains,
  recordRemainsOfChunk,
  rehearseErasure,
  stillNamed,
  type Naming,
  type SequencerGround,
} from '@safekeep/capabilities/audit';
import {
  endShred,
  fieldKeys,
  fieldKeySource,
  findStored,
  livingKeyOf,
  livingKeysOf,
  maskStored,
  openKeys,
  openStored,
  shredHorizon,
  type Fate,
  type Keyring,
  type SealedPlace,
} from '@safekeep/capabilities/encryption';
import { formatPerson } from '@safekeep/capabilities/holds';
import { UNEXPLAINED } from '@safekeep/capabilities/requests';
import type {
  AccessLog,
  ErasureParticipant,
  ErasureScope,
  FieldOpener,
  OpenPorts,
  ParticipantEffects,
} from '@safekeep/capabilities/requests';
import { keyEvents, operator } from './audited.ts';

/**
 * What the log and the keys bring to finding, exporting and erasing people: the one place where these three meet. One ring serves them
 * all. The log's part destroys the person's keys, and the keys' part ends what hangs on them.
 *
 * Locks of an erasure: the rows of the person, then the sequencer, then keys. A sequencer takes its own before keys and no row at all.
 */
export function requestPorts(places: readonly SealedPlace[]): OpenPorts {
  return async (context) => {
    const ring = await openKeys(context, { record: keyEvents(context) });
    const sequencer = await openSequencer(context, ring);
    return {
      participants: participantsOf(sequencer, ring, places),
      opener: openerOf(ring),
      accessLog: accessLogOf(sequencer, namingOf(context.configuration.accessLogActors, await context.signer())),
      close: () => ring.close(),
    };
  };
}

export function participantsOf(
  sequencer: SequencerGround,
  ring: Keyring,
  places: readonly SealedPlace[],
): readonly ErasureParticipant[] {
  return [logPart(sequencer), keysPart(ring, places)];
}

const NOTHING: ParticipantEffects = { counts: {}, keysDestroyed: [], horizon: null };

/**
 * A hold on single rows keeps all that the person's keys open: the history of those rows is sealed under the same key as that of the
 * others. When it ends the erasure comes again.
 */
function isHeld({ holds }: ErasureScope): boolean {
  return holds.length > 0;
}

/** What the law keeps stays readable as long as rows of it are kept: by a duty or a hold, not because nothing in them is personal. */
function fatesOf({ isKept }: ErasureScope): readonly Fate[] {
  return isKept ? ['erasable'] : ['erasable', 'kept'];
}

function logPart(sequencer: SequencerGround): ErasureParticipant {
  return {
    name: 'audit',
    before: () => drainBeforeErasure(sequencer),
    plan: async (db, scope) => {
      await actWithin(db, operator());
      await rehearseErasure(db, { tenant: scope.tenant, subject: formatPerson(scope.person) });
      const history = 'what the log has about the person';
      if (isHeld(scope))
        return {
          will: [],
          keeps: [{ what: history, reason: `held by ${scope.holds.join(', ')}`, until: null }],
          externalCopies: [],
          blocked: [],
        };
      const isAll = fatesOf(scope).includes('kept');
      return {
        will: [
          'destroys the keys of what it has about the person, and what names them: that something happened stays, and can be proven',
        ],
        keeps: isAll ? [] : [{ what: `${history} in tables that must be kept`, reason: 'the same as of those rows', until: null }],
        externalCopies: [],
        blocked: [],
      };
    },
    within: async (client, moment, scope) => {
      const erased = { tenant: scope.tenant, subject: formatPerson(scope.person), fates: fatesOf(scope) };
      if (moment === 'before-rows') {
        await actWithin(client, operator());
        const { rows, kept, isPart = false } = scope;
        const all = [...new Set([...rows.keys(), ...kept.keys()])];
        const touched = new Map(all.map((table) => [table, [...(rows.get(table) ?? []), ...(kept.get(table) ?? [])]]));
        const unexplained = await beginErasure(client, sequencer, { ...erased, rows: touched, isPart });
        return unexplained === 0 ? NOTHING : { ...NOTHING, counts: { [UNEXPLAINED]: unexplained } };
      }
      if (moment === 'after-chunk') {
        // Until the last transaction these rows would be such that no event explains.
        await recordRemainsOfChunk(client, erased);
        return NOTHING;
      }
      if (isHeld(scope)) {
        // Capture left out what was erased of the rows that are not held: that they are explained must not wait for the hold's end.
        await recordRemains(client, sequencer, erased);
        return NOTHING;
      }
      const { keyIds, events } = await forget(client, sequencer, erased);
      return { counts: { 'safekeep.audit_events': events }, keysDestroyed: keyIds, horizon: null };
    },
    // What the erasure itself and changes before it left in the inboxes.
    after: () => emptyAfterErasure(sequencer),
    tables: ['safekeep.audit_inbox_even', 'safekeep.audit_inbox_odd', 'safekeep.audit_events'],
    recheck: async (db, scope) => {
      const asked = { tenant: scope.tenant, subject: formatPerson(scope.person), fates: fatesOf(scope) };
      const count = isHeld(scope) ? 0 : await stillNamed(db, asked);
      const remedy = 'Run `safekeep audit sequence --once`, make a new plan and erase again.';
      return count === 0 ? [] : [{ place: 'safekeep.audit_events', what: 'events that name the person', count, remedy }];
    },
  };
}

function keysPart(ring: Keyring, places: readonly SealedPlace[]): ErasureParticipant {
  return {
    name: 'encryption',
    plan: async (_db, scope) => ({
      will: isHeld(scope) ? [] : ['ends what hangs on the keys of the person, so that nothing is ever sealed for them again'],
      keeps: [],
      externalCopies: [],
      blocked: [],
    }),
    within: async (client, moment, scope) => {
      if (moment !== 'after-rows' || isHeld(scope)) return NOTHING;
      const { tenant, person } = scope;
      const { epochs, counts } = await endShred(ring, client, { tenant, person, fates: fatesOf(scope), places });
      // Of backups, WAL and replicas nobody has told yet.
      const { at } = await shredHorizon(ring, tenant, { epochs, plaintextCopies: 'unknown' });
      return { counts, keysDestroyed: [], horizon: at === null ? null : at.toISOString() };
    },
    after: async () => undefined,
    tables: ['safekeep.encryption_keys'],
    recheck: async (db, scope) => {
      if (isHeld(scope) || (await livingKeyOf(ring, db, scope.tenant, scope.person, fatesOf(scope))) === null) return [];
      const remedy = 'Make a new plan and erase again; where it stays so, the key table was restored.';
      return [{ place: 'safekeep.encryption_keys', what: 'key of the person that was not destroyed', count: 1, remedy }];
    },
    subjectKeyIds: (db, { tenant, people }) => livingKeysOf(ring, db, tenant, people),
  };
}

function openerOf(ring: Keyring): FieldOpener {
  const keys = fieldKeys(fieldKeySource(ring));
  return {
    open: (db, { tenant }, values) => openStored(db, keys, tenant, values),
    find: (db, question) => findStored(db, keys, question),
    mask: (db, wanted) => maskStored(db, keys, wanted),
  };
}

/** Lines of the log that are read at once. */
const LINES = 1_000;

function accessLogOf({ database }: SequencerGround, naming: Naming): AccessLog {
  return async function* lines(_db, { tenant, person, from, to }) {
    const asked = {
      subject: formatPerson(person),
      ...(from === null ? {} : { from: from.toISOString() }),
      ...(to === null ? {} : { to: to.toISOString() }),
    };
    let page = await accessLog(database, { tenant, naming }, asked, { limit: LINES });
    for (;;) {
      for (const { at, action, actor, sentence } of page.events) yield { at, action, actor, sentence };
      const after = page.next === null ? undefined : parsePlace(page.next);
      if (after === undefined) return;
      page = await accessLog(database, { tenant, naming }, asked, { limit: LINES, after });
    }
  };
}
