/** How grave an event is, mildest first. */
export const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

export type Level = (typeof levels)[number];
