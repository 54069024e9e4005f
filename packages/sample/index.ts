// The public face of the sample practice, listed by hand. Other packages import from here only.
export { TODAY } from './calendar.ts';
export { generatePractice, type PracticeRequest, type PracticeSummary } from './generate.ts';
export { labels } from './labels/labels.ts';
export {
  type Category,
  type ColumnLabel,
  type ColumnTrait,
  type Labels,
  type Meaning,
  type Owner,
  type Subject,
  type SubjectType,
  type TableLabel,
  type TableTrait,
} from './labels/model.ts';
export { labelledNotes } from './labelled-notes.ts';
export { type EntityType, type Passage, type Span } from './passage.ts';
export { type Size } from './sizes.ts';
