import type { SealedPlace } from '../../model.ts';
import { censusOf } from '../store/rows.ts';

/** Tells the census of keys what is sealed in columns: before a key dies none of it may be under that. */
export const sealedColumns: SealedPlace = { name: 'encrypted columns', census: censusOf };
