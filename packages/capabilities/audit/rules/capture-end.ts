import { Type } from '@safekeep/core/schema';
import type { Static } from 'typebox';
import Schema from 'typebox/schema';
import type { MarkOf } from '../keys/key-file.ts';

/** The action of an event by which the home says that it took the capture of a table back. */
export const CAPTURE_ENDED = 'capture-ended';

const CaptureEnd = Type.Object({ id: Type.String(), mark: Type.String() });
/** `id` makes each the only one of its kind, so that one that is told again is known. */
export type CaptureEnd = Static<typeof CaptureEnd>;

type Of = { readonly tenant: string; readonly table: string };

export function captureEnd(markOf: MarkOf, { tenant, table }: Of, id: string): CaptureEnd {
  return { id, mark: markOf([CAPTURE_ENDED, tenant, table, id]) };
}

/** What an event tells, where it is the home's word. */
export function readCaptureEnd(markOf: MarkOf, of: Of, details: unknown): CaptureEnd | undefined {
  return Schema.Check(CaptureEnd, details) && details.mark === captureEnd(markOf, of, details.id).mark ? details : undefined;
}
