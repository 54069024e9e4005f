import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// V8 keeps what is new in a space of its own, the nursery, and lets it grow with what passes through. Rows are garbage as soon as
// they are read or sent; what follows is for programs through which very many of them pass. All of it holds for the whole process
// and for good: V8 has no narrower switch once it runs.

type Collection = { readonly type: 'minor' | 'major'; readonly execution?: 'sync'; readonly flavor?: 'last-resort' };
type Collect = (options: Collection) => void;

/** With the 128 MB that V8 would take the main job on the sample is no faster. */
const ROOMY_BYTES = 16 * 2 ** 20;

let collect: Collect | undefined;
let shrunk = false;

/**
 * Keeps V8's space for new objects as small as it is. A nursery that grows to its default of 128 MB (Node 24, 64 bits) holds
 * nothing but rows: an import of 1.5 million of them needs 100 MB less and the same time.
 */
export function keepNurserySmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Lets the nursery grow to some 16 MB while work goes on whose batches live until they are written. In one that is kept small V8 collects
 * for each megabyte, and copies the same batch every time: a twentieth of the processor's time of the main job on the sample.
 */
export async function inRoomyNursery<Result>(work: () => Promise<Result>): Promise<Result> {
  // V8 sets the nursery back when it is hardly used, and has no bound of its own that could be changed now.
  const bound = (): void => setFlagsFromString(`--semi-space-growth-factor=${nurseryBytes() < ROOMY_BYTES ? 2 : 1}`);
  const collections = new PerformanceObserver(bound);
  collections.observe({ entryTypes: ['gc'] });
  bound();
  try {
    return await work();
  } finally {
    collections.disconnect();
    keepNurserySmall();
    shrunk = false;
  }
}

/**
 * {@link keepNurserySmall}, after it was made small again: reading its own code has let it grow to 64 MB. Costs some 50 ms, where it may have grown since.
 */
export function shrinkNursery(): void {
  if (shrunk) return;
  shrunk = true;
  keepNurserySmall();
  collector()({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

/**
 * Tells V8 that what is made from now on soon dies. While the first lines of a text are read, few enough that most of what was
 * made for them is alive still, it may conclude that such things live long and put them among the old objects from then on, which
 * it collects rarely: of sixteen runs over 40 MB one took 350 MB for what else needs 205.
 */
export function expectShortLives(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}

/**
 * Gives back what was received and read. The bytes of a socket lie outside of V8's heap, which sees no reason to collect before
 * 64 MB of them have gathered as long as nobody makes objects.
 */
export function collectReceived(): void {
  collector()({ type: 'minor' });
}

/**
 * Gives back everything that nobody holds any more. What lived a little is in V8's old space, which doubles before it is looked
 * at; whoever works through a long stream in bounded memory says when.
 */
export function collectPassed(): void {
  collector()({ type: 'major' });
}

function nurseryBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}

/** The collector of https://v8.dev/docs/embed, as `--expose-gc` would have made it a global of the whole program. */
function collector(): Collect {
  if (collect !== undefined) return collect;
  setFlagsFromString('--expose-gc');
  // `gc` is what the flag puts into a new context.
  collect = runInNewContext('gc') as Collect;
  return collect;
}
