export { typedValues, type Sample } from './typed-values.ts';
