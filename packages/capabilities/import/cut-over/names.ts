// What following writes into a source, by name. None of it is data of the application.

/** One row for each key that changed, in the order of the commits. */
export const CHANGELOG = 'safekeep_changelog';
/** Says which changelog this is: a backup that is put back brings an old one with it. */
export const CHANGELOG_ABOUT = 'safekeep_changelog_about';
const LOGGING = 'safekeep_changelog_';
const CLOSING = 'safekeep_closed_';

export type TriggerEvent = 'insert' | 'update' | 'delete';

export function loggingTrigger(table: number, moment: 'before' | 'after', event: TriggerEvent): string {
  return `${LOGGING}${table}_${moment}_${event}`;
}

export function closingTrigger(table: number, event: TriggerEvent): string {
  return `${CLOSING}${table}_${event}`;
}

/** Whether a table or trigger of a source is ours: it is no part of what is imported. */
export function isOurs(name: string): boolean {
  return name === CHANGELOG || name.startsWith(LOGGING) || name.startsWith(CLOSING);
}

export function isClosing(name: string): boolean {
  return name.startsWith(CLOSING);
}
