import { setFlagsFromString } from 'node:v8';

/**
 * Tells V8 that what is made from now on soon dies. While the first lines are read, few enough that most of what was made for them
 * is alive still, it may conclude that findings live long and put them among the old objects from then on, which it collects
 * rarely: one run in sixteen took 350 MB for what else needs 205. For the whole process and for good: there is no narrower switch.
 */
export function expectShortLives(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}
