import {
  categoryOf,
  formatDuration,
  isPersonal,
  purposesOf,
  type DataMap,
  type LegalBasis,
  type MappedTable,
  type Purpose,
  type SpecialCondition,
} from '@safekeep/core';

const GDPR = 'https://w3id.org/dpv/legal/eu/gdpr#';

/** Classes of the DPV extension for GDPR, one for each letter of Art. 6(1). */
const BASES: Readonly<Record<LegalBasis, string>> = {
  consent: 'A6-1-a',
  contract: 'A6-1-b',
  legal_obligation: 'A6-1-c',
  vital_interests: 'A6-1-d',
  public_task: 'A6-1-e',
  legitimate_interests: 'A6-1-f',
};

/** And of Art. 9(2). */
const CONDITIONS: Readonly<Record<SpecialCondition, string>> = {
  explicit_consent: 'A9-2-a',
  employment_social_security: 'A9-2-b',
  vital_interests: 'A9-2-c',
  nonprofit_members: 'A9-2-d',
  made_public: 'A9-2-e',
  legal_claims: 'A9-2-f',
  substantial_public_interest: 'A9-2-g',
  health_care: 'A9-2-h',
  public_health: 'A9-2-i',
  archiving_research_statistics: 'A9-2-j',
};

/** The map in the words of the Data Privacy Vocabulary, as JSON-LD: a process for each purpose. */
export function exportDpv(map: DataMap): object {
  return {
    '@context': {
      dpv: 'https://w3id.org/dpv#',
      dct: 'http://purl.org/dc/terms/',
      rdfs: 'http://www.w3.org/2000/01/rdf-schema#',
    },
    '@graph': [
      ...(map.controller === null
        ? []
        : [
            {
              '@id': '#controller',
              '@type': 'dpv:DataController',
              'dpv:hasName': map.controller.name,
              'dpv:hasContact': map.controller.contact,
            },
          ]),
      ...[...map.subjects.keys()].map((name) => ({ '@id': id('subject', name), '@type': 'dpv:DataSubject', 'rdfs:label': name })),
      ...[...map.purposes.values()].map((purpose) => processOf(map, purpose)),
    ],
  };
}

function processOf(map: DataMap, purpose: Purpose): object {
  const tables = [...map.tables.values()].filter((table) => purposesOf(map, table).includes(purpose.name));
  const classes = new Set(tables.flatMap(dpvOf));
  const bases = [
    ...(purpose.basis === null ? [] : [BASES[purpose.basis]]),
    ...(purpose.condition === null ? [] : [CONDITIONS[purpose.condition]]),
  ];
  return {
    '@id': id('process', purpose.name),
    '@type': 'dpv:Process',
    'rdfs:label': purpose.name,
    'dpv:hasPurpose': {
      '@id': id('purpose', purpose.name),
      '@type': 'dpv:Purpose',
      'dct:title': purpose.name,
      'dct:subject': purpose.use,
      ...note(purpose),
    },
    'dpv:hasLegalBasis': bases.map((basis) => ({ '@id': `${GDPR}${basis}` })),
    'dpv:hasPersonalData': [...classes].toSorted().map((iri) => ({ '@id': iri })),
    'dpv:hasDataSubject': subjectsOf(map, tables).map((name) => ({ '@id': id('subject', name) })),
    ...(map.controller === null ? {} : { 'dpv:hasDataController': { '@id': '#controller' } }),
    ...(purpose.recipients.length === 0
      ? {}
      : { 'dpv:hasRecipient': purpose.recipients.map((name) => ({ '@type': 'dpv:Recipient', 'rdfs:label': name })) }),
    ...(purpose.retention === null ? {} : { 'dpv:hasStorageCondition': storageOf(purpose.retention) }),
  };
}

function storageOf(retention: NonNullable<Purpose['retention']>): object {
  return {
    '@type': 'dpv:StorageDuration',
    'dpv:hasDuration': { '@type': 'dpv:TemporalDuration', 'rdfs:label': formatDuration(retention) },
  };
}

function note({ note: text, cite }: Purpose): object {
  return { ...(text === null ? {} : { 'dct:description': text }), ...(cite === null ? {} : { 'dct:source': cite }) };
}

function dpvOf(table: MappedTable): readonly string[] {
  return [...table.columns.values()].flatMap(({ categories }) =>
    categories.filter(isPersonal).flatMap((key) => categoryOf(key)?.dpv ?? []),
  );
}

function subjectsOf(map: DataMap, tables: readonly MappedTable[]): readonly string[] {
  const names = new Set(tables.map(({ name }) => name));
  const ofTables = [...map.subjects.values()].filter(({ table }) => names.has(table)).map(({ name }) => name);
  return [...new Set([...ofTables, ...tables.flatMap(({ of }) => of.map(({ subject }) => subject))])].toSorted();
}

/** Relative to the document. */
function id(kind: string, name: string): string {
  return `#${kind}-${encodeURIComponent(name)}`;
}
