import type { Database } from '@safekeep/postgres';
import { readHealth, type LogHealth } from '../store/health.ts';
import { readOnly } from '../store/read-only.ts';
import { checkStanding } from '../verification/check-standing.ts';
import { faultList } from '../verification/faults.ts';

/** A worker moves changes within a second; so long without one is worth a word. */
const WAITS_LONG_SECONDS = 600;
/** Attested each hour by a worker, or each night by whoever has none. */
const ATTESTED_LONG_AGO_SECONDS = 26 * 3600;

export type Health = { readonly state: 'ok' | 'warn' | 'fail'; readonly detail: string };

/** Whether the log is kept well: what writes it stands as made, nothing waits, capture was looked at, months are there ahead. For doctor. */
export async function logHealth(database: Database, tenant: string): Promise<Health> {
  return await readOnly(database, tenant, async (client) => {
    const health = await readHealth(client, tenant);
    const faults = faultList();
    if (health.captures > 0) await checkStanding(client, tenant, faults);
    const [first, ...more] = faults.list();
    if (first === undefined) return judge(health);
    const others = more.length === 0 ? '' : ` And ${more.length} more: safekeep audit attest.`;
    return {
      state: 'fail',
      detail: `${first.detail}${others} Make it anew with safekeep migrate up and safekeep apply, then look with safekeep audit verify --full what came into no log`,
    };
  });
}

function judge({ captures, monthsAhead, waitingSeconds, refused, attested }: LogHealth): Health {
  if (attested?.action === 'capture-broken')
    return { state: 'fail', detail: `capture did not stand as applied ${long(attested.secondsAgo)} ago: safekeep audit attest` };
  const [first, ...others] = refused;
  if (first !== undefined) {
    const more = others.length === 0 ? '' : ` and ${others.length} more table(s)`;
    return {
      state: 'fail',
      detail: `the baseline of ${first}${more} could not be taken, since rows are not as the log has them or cannot be read: safekeep audit verify --full tells which, and why`,
    };
  }
  const worries = [
    ...(captures === 0 ? ['what is changed is in no log: safekeep plan, then safekeep apply'] : []),
    ...(monthsAhead === 0 ? ['no month is made ahead: safekeep audit partitions'] : []),
    ...((waitingSeconds ?? 0) > WAITS_LONG_SECONDS
      ? [`the oldest change waits for ${long(waitingSeconds ?? 0)}: safekeep start --role worker`]
      : []),
    ...(captures > 0 && (attested === null || attested.secondsAgo > ATTESTED_LONG_AGO_SECONDS)
      ? ['capture was not attested for a day: safekeep audit attest']
      : []),
  ];
  const tables = `${captures} table(s) captured, ${monthsAhead} month(s) ahead`;
  if (worries.length > 0) return { state: 'warn', detail: `${tables}; ${worries.join('; ')}` };
  return { state: 'ok', detail: `${tables}${attested === null ? '' : `, attested ${long(attested.secondsAgo)} ago`}` };
}

function long(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
}
