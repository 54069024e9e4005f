import { FAULTS_AT_MOST, type Fault, type FaultCode } from './model.ts';

const EVIDENCE = 'Change nothing, keep a copy of the database and of its write-ahead log: this is evidence.';

/** What to do about each, by a person who was called at night. */
const REMEDIES: Readonly<Record<FaultCode, string>> = {
  'baseline-changed': `${EVIDENCE} What rows without events are held against was altered. Restore safekeep.audit_baseline_marks from a backup made since the event; without one, \`safekeep audit acknowledge --reason TEXT\` lets the next baseline be taken unseen.`,
  'baseline-missing': `${EVIDENCE} What rows without events are held against is gone, or was never taken: where there was none, \`safekeep audit sequence --once\` takes it. Else restore safekeep.audit_baseline_marks from a backup made since the event; without one, \`safekeep audit acknowledge --reason TEXT\` lets the next baseline be taken unseen.`,
  'baseline-outdated':
    'Find out who changed the table or dropped the events. Then `safekeep audit acknowledge --reason TEXT` says that you know, and the next baseline is taken of what stands there.',
  'blob-changed': `${EVIDENCE} The values shown for this event are not the logged ones; restore its row from a backup made before.`,
  'blob-missing': `${EVIDENCE} Without an erasure that explains it, restore the values of this event from a backup.`,
  'checkpoint-missing':
    'Run `safekeep audit sequence --once`; where there was a checkpoint before, put it back from a backup, of the database or of the folder `audit` of the home. One that is lost: `safekeep audit acknowledge --reason TEXT --checkpoint FILE`.',
  'checkpoint-unsigned': `${EVIDENCE} Somebody signed with another key, or the verifier key is not the one of this log: compare it with \`safekeep audit vkey\` of the home.`,
  'column-changed': `${EVIDENCE} What the columns say is not what was logged; the entry itself is right. Write the columns again from it.`,
  'cosignature-wrong': `${EVIDENCE} What is kept in the home as countersigned is not what the witness signed. Ask the witness what it has seen of this log; \`safekeep audit witness URL --vkey KEY\` keeps its newest word again.`,
  'entry-changed': `${EVIDENCE} Restore the row of this index from a backup made before, and look for who had superuser rights since.`,
  'entry-missing': `${EVIDENCE} Restore the missing events from a backup or from exported tiles (\`safekeep audit export --tiles FOLDER\`).`,
  'entry-moved': `${EVIDENCE} Two events stand in each other's place; restore their rows from a backup.`,
  'entry-unreadable': `${EVIDENCE} What stands there makes no entry any more. Restore the row of this index from a backup made before.`,
  'entry-unsigned': `${EVIDENCE} The table has rows that the signed tree does not have: they were put there by hand, or the newest checkpoint was lost.`,
  'erasure-forged': `${EVIDENCE} Whose the event was or who acted was emptied by hand. Restore its row from a backup made before.`,
  'function-changed':
    'Find out who changed it: what was written in between may not be in the log. `safekeep migrate up` makes those that all share again, `safekeep apply` those of a table.',
  'log-rolled-back': `${EVIDENCE} The database stands at an older point than what was signed before. After a restore on purpose, say so: \`safekeep audit acknowledge --reason TEXT\`.`,
  'proof-wrong': 'Ask for the proof again; if it stays wrong, the entry is not the one that was logged.',
  'root-wrong': `${EVIDENCE} Compare the checkpoint with the copies outside the database; one of checkpoint and tiles was replaced.`,
  'row-unexplained':
    'Look at the row: it was changed with triggers off or before capture was applied. Its history in the log ends earlier.',
  'rows-hidden':
    'Verify as a login that sees all rows: a superuser, one with BYPASSRLS, or the owner of the table where row security is not forced.',
  'rows-unreadable':
    'Find out who changed the table. `safekeep plan` and `safekeep apply` bring the capture to the table as it stands, and its rows are looked at again; where the login may not read the table, verify as one that may.',
  'table-changed':
    'Find out who changed it, and since when by the digests of the attestations: what was written since may not be in the log. Then take it back.',
  'tile-changed': `${EVIDENCE} The entries are right where nothing else is named: tiles can be made again from them.`,
  'tile-missing': 'Restore the tile from a backup or from exported tiles.',
  'trigger-changed': 'Find out who changed it, then run `safekeep plan` and `safekeep apply`.',
  'trigger-disabled': 'Find out who disabled it and since when, then run `safekeep apply`: changes since then are not in the log.',
  'trigger-missing': 'Find out who dropped it and since when, then run `safekeep apply`: changes since then are not in the log.',
};

/** Collects what is wrong and counts the rest. */
export type FaultList = {
  readonly add: (code: FaultCode, detail: string, index?: number) => void;
  readonly count: () => number;
  /** Whether any of these was found. */
  readonly has: (...codes: readonly FaultCode[]) => boolean;
  /** Lowest index first, then what has none. */
  readonly list: () => Fault[];
  /** What is no fault, and is told all the same. */
  readonly note: (text: string) => void;
  readonly notes: () => string[];
};

export function faultList(): FaultList {
  const kept: Fault[] = [];
  const found = new Set<FaultCode>();
  const notes: string[] = [];
  let count = 0;
  return {
    add: (code, detail, index) => {
      count += 1;
      found.add(code);
      if (kept.length < FAULTS_AT_MOST) {
        kept.push({ code, detail, remedy: REMEDIES[code], ...(index === undefined ? {} : { index }) });
      }
    },
    count: () => count,
    note: (text) => {
      if (notes.length < FAULTS_AT_MOST) notes.push(text);
    },
    notes: () => [...notes],
    has: (...codes) => codes.some((code) => found.has(code)),
    list: () => kept.toSorted((a, b) => (a.index ?? Number.MAX_SAFE_INTEGER) - (b.index ?? Number.MAX_SAFE_INTEGER)),
  };
}
