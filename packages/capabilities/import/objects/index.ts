export { unifyKeyTypes, type KeyTypeChange } from './key-types.ts';
export type {
  Affinity,
  ColumnDecision,
  ColumnFacts,
  Decisions,
  ForeignKeyAction,
  GeneratedColumn,
  IndexPart,
  KeyConstraint,
  NameChange,
  ObjectKind,
  ObjectReport,
  ObjectState,
  PostLoadStatement,
  SourceCheck,
  SourceCollation,
  SourceColumn,
  SourceForeignKey,
  SourceIndex,
  SourceSchema,
  SourceTable,
  SourceTrigger,
  SourceView,
  StatementKind,
  TableKind,
  TargetColumn,
  TargetPlan,
  TargetTable,
  TargetType,
  TranslateOptions,
} from './model.ts';
export { NAME_BYTES_LIMIT } from './names.ts';
export { readSourceSchema } from './read-schema.ts';
export { refuse, settlePlain, settleViolated } from './report.ts';
export { createTableSql } from './tables.ts';
export { translateObjects } from './translate.ts';
