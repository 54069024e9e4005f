// What schemas are built of, listed by hand.
export { Type } from './build.ts';
