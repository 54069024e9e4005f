// What tests and the test run use of log, listed by hand.
export { assertNoCanaries, CANARIES, findCanaries, type Canary, type Finding } from './canary.ts';
