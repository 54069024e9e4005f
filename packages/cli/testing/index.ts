// What tests of the CLI's own and of the whole product use, listed by hand.
export { safekeepAtHand } from './at-hand.ts';
export { safekeep, temporaryHome, type Ended } from './safekeep.ts';
