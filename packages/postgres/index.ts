export type { Database, ServerFacts } from './database.ts';
