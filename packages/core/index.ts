// The public face of core, listed by hand. Other packages import from here only.
export { columnName, tableName, tableRef } from './catalog-names.ts';
export { fixedClock, systemClock, type Clock } from './clock.ts';
export { readConfiguration, type Configuration, type ConfigurationSources } from './configuration/read.ts';
export { factsOf, settingNames, Settings, type SettingFacts, type SettingName } from './configuration/settings.ts';
export { choicesOf, faultOf, fromText, kindOf, suggestionFor, withDefaults } from './configuration/text.ts';
export { dayOf, parseDay } from './day.ts';
export { catalogue, type ErrorCode } from './errors/catalogue.ts';
export type { ExitCode } from './errors/entry.ts';
export { codeOf, isSafekeepError, SafekeepError, sqlStateOf, type ErrorReport, type Particulars } from './errors/error.ts';
export { newId, parseId, type Id } from './ids.ts';
export { isMapping } from './mapping.ts';
export { Secret } from './secret.ts';
export {
  formatColumnName,
  formatName,
  formatTableName,
  parseColumnName,
  parseTableName,
  shellWord,
  type ColumnRef,
  type TableRef,
} from './names.ts';

// ---- the data map ----------------------------------------------------------------------------------------------------
export { dataUses } from './datamap/categories/data-uses.ts';
export type { GdprClass, HipaaIdentifier, PciClass } from './datamap/categories/facts.ts';
export { categories, categoryOf, isPersonal, isWithin, suggestCategory, type Category } from './datamap/categories/taxonomy.ts';
export { checkMap, checkMapAlone } from './datamap/check.ts';
export { eraseRefusal, erasureValues, HASH_LENGTH, lengthOf, replaceRefusal, type ErasureValue } from './datamap/check/erase.ts';
export { outsideFault } from './datamap/check/outside.ts';
export { candidatePaths, severalPeople, type CandidatePath } from './datamap/check/people.ts';
export {
  holdsPersonalData,
  isAboutPeople,
  isPersonalColumn,
  purposesOf,
  subjectsOfTable,
  tablesOfNobody,
  UNCONFIRMED_PURPOSE,
  unconfirmedPurposes,
} from './datamap/check/questions.ts';
export { withoutMark } from './datamap/comment-mark.ts';
export { carries, encryptedName, indexName, isCompanion } from './datamap/companions.ts';
export { COMPLIANCE_FIELDS, ownColumns, type ComplianceField } from './datamap/compliance.ts';
export { diffMaps, type MapChange } from './datamap/diff.ts';
export { applyEdits, type MapEdit } from './datamap/edit.ts';
export { formatDuration, intervalOf, parseDuration, type Duration } from './datamap/duration.ts';
export {
  MapFile,
  MAP_SCHEMA_FILE,
  mapJsonSchema,
  type ColumnText,
  type PurposeText,
  type SubjectText,
  type TableText,
} from './datamap/file-schema.ts';
export { shortestPaths } from './datamap/find-paths.ts';
export { displayKinds, searchKinds } from './datamap/model.ts';
export type {
  AuditSettings,
  ComplianceForm,
  DataMap,
  DisplayKind,
  EraseAction,
  ErasureRule,
  IndexKind,
  KeepGround,
  LegalBasis,
  MappedColumn,
  HarmlessTrigger,
  MappedTable,
  Meaning,
  OutsidePlace,
  Protection,
  Purpose,
  RetentionRule,
  Scalar,
  SearchKind,
  SpecialCondition,
  Subject,
  SubjectEdge,
  TenantRule,
} from './datamap/model.ts';
export { readColumnName, readTableName, writeColumnName } from './datamap/names.ts';
export { directPath, formatPath, parsePath, type PathFault, type PathStep, type SubjectPath } from './datamap/path.ts';
export { problemAt, problemCatalogue, type MapProblem, type ProblemCode } from './datamap/problems.ts';
export { readMap, type MapFault, type MapReading } from './datamap/read.ts';
export {
  bareType,
  meaningOf,
  pathOfHops,
  resolveColumnPath,
  resolveEdge,
  resolvePath,
  textOfHops,
  type Hop,
  type PathProblem,
  type ResolvedPath,
} from './datamap/resolve.ts';
export {
  columnOf,
  indexSchema,
  isMappable,
  isOwnSchema,
  OWN_SCHEMAS,
  runThatKeeps,
  type ColumnFacts,
  type ForeignKeyFacts,
  type Link,
  type SchemaFacts,
  type SchemaIndex,
  type TableFacts,
} from './datamap/schema-facts.ts';
export type { MapPointer } from './datamap/shape.ts';
export { columnText, eraseText, ofText, subjectText, tableText, writeMap } from './datamap/write.ts';

// ---- encrypted fields ------------------------------------------------------------------------------------------------
export { cardNumber, displayCard, isTrack, shownOf } from './fields/card.ts';
export { cardRuleOf, type CardRule } from './fields/card-rule.ts';
export {
  canonicalForm,
  compoundForm,
  FIRST_INDEX_VERSION,
  indexKeyScope,
  indexLabel,
  PREFIX_LENGTH,
  searchFits,
  type SearchedType,
} from './fields/canonical.ts';
export { LEASE_MS } from './fields/lease.ts';
