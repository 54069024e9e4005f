import { formatDuration, purposesOf, type DataMap, type MappedTable, type Subject } from '@safekeep/core';

/** Art. 15(1)(a) to (h) and (2) GDPR, as far as the map knows it: what the person is to be told beside the data. docs/export.md. */
export type Processing = {
  readonly purposes: readonly {
    readonly purpose: string;
    readonly use: string;
    readonly basis: string | null;
    readonly condition: string | null;
    readonly retention: string | null;
    readonly cite: string | null;
  }[];
  readonly categories: readonly string[];
  readonly recipients: readonly string[];
  readonly retention: readonly {
    readonly table: string;
    readonly keep: string;
    readonly after: string | null;
    readonly why: string | null;
  }[];
  readonly regions: readonly string[];
  /** Where the data came from, and whether decisions are made by a program alone: the map does not know it. */
  readonly source: null;
  readonly automatedDecisions: null;
  readonly rights: readonly string[];
  readonly complaint: string;
  /** Where more of the person's data lies that this export does not hold. */
  readonly elsewhere: readonly { readonly place: string; readonly kind: string; readonly note: string | null }[];
};

const RIGHTS = [
  'to have what is wrong corrected (Art. 16 GDPR)',
  'to have data erased (Art. 17)',
  'to have the processing restricted (Art. 18)',
  'to take the data elsewhere (Art. 20)',
  'to object to the processing (Art. 21)',
] as const;

/** Of the tables in which something of the person stands. */
export function processingOf(map: DataMap, subject: Subject, tables: readonly string[]): Processing {
  const mapped = tables.flatMap((table) => map.tables.get(table) ?? []);
  const purposes = [...new Set(mapped.flatMap((table) => purposesOf(map, table)))].flatMap((name) => map.purposes.get(name) ?? []);
  const categories = mapped.flatMap(({ columns }) => [...columns.values()].flatMap((column) => column.categories));
  return {
    purposes: purposes.map(({ name, use, basis, condition, retention, cite }) => ({
      purpose: name,
      use,
      basis,
      condition,
      retention: retention === null ? null : formatDuration(retention),
      cite,
    })),
    categories: [...new Set(categories)].toSorted(),
    recipients: [...new Set(purposes.flatMap(({ recipients }) => recipients))].toSorted(),
    retention: mapped.flatMap(retentionOf),
    regions: [...new Set(mapped.flatMap(({ region }) => region ?? map.region ?? []))].toSorted(),
    source: null,
    automatedDecisions: null,
    rights: RIGHTS,
    complaint: 'with the data protection authority where you live or work, or where you think the law was broken (Art. 77 GDPR)',
    elsewhere: [...map.outside.values()]
      .filter((place) => place.export && place.subject === subject.name)
      .map(({ name, kind, note }) => ({ place: name, kind, note })),
  };
}

function retentionOf({ name, retention, onErasure }: MappedTable): Processing['retention'] {
  const kept = onErasure?.until ?? null;
  return [
    ...(retention === null
      ? []
      : [{ table: name, keep: formatDuration(retention.keep), after: retention.after, why: retention.cite }]),
    ...(onErasure === null
      ? []
      : [
          {
            table: name,
            keep: kept === null ? 'as long as the ground holds' : formatDuration(kept.plus),
            after: kept?.column ?? null,
            why: [onErasure.keep, onErasure.cite].filter((word) => word !== null).join(', '),
          },
        ]),
  ];
}

/** The same for the person to read. */
export function processingText(processing: Processing, controller: DataMap['controller']): readonly string[] {
  const { purposes, categories, recipients, retention, regions, rights, complaint, elsewhere } = processing;
  const whom = controller === null ? 'whoever gave you this' : controller.contact;
  const { dataProtectionOfficer: officer = null, representative = null } = controller ?? {};
  const list = (heading: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : [heading, ...lines.map((line) => `  ${line}`), ''];
  const words = (...parts: readonly (string | null)[]): string => parts.filter((part) => part !== null && part !== '').join(', ');
  return [
    ...list(
      'What the data is used for',
      purposes.map(({ purpose, use, basis, condition, retention: keep, cite }) =>
        words(
          `${purpose} (${use})`,
          basis === null ? null : `basis: ${basis}`,
          condition,
          keep === null ? null : `kept for ${keep}`,
          cite,
        ),
      ),
    ),
    ...list('What kinds of data it is', categories),
    ...list('Who is given it', recipients.length === 0 ? ['nobody stands in the record of processing'] : recipients),
    ...list(
      'How long it is kept',
      retention.map(({ table, keep, after, why }) => words(`${table}: ${keep}${after === null ? '' : ` after ${after}`}`, why)),
    ),
    ...list('Where it is kept', regions),
    ...list('Where it came from, and whether a program alone decides about you', [`this is not on record here: ask ${whom}`]),
    ...list('Your rights', [...rights, `to complain ${complaint}`]),
    ...list('Responsible', [
      ...(controller === null ? [] : [`${controller.name}, ${controller.contact}`]),
      ...(officer === null ? [] : [`data protection officer: ${officer}`]),
      ...(representative === null ? [] : [`representative: ${representative}`]),
    ]),
    ...list(
      'Also held, and NOT in this export',
      elsewhere.map(({ place, kind, note }) => words(`${place} (${kind})`, note)),
    ),
  ];
}
