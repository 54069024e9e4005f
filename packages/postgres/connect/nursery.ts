import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// V8 keeps what is new in a space of its own, the nursery, and lets it grow with what passes through. Rows are garbage as soon as
// they are read or sent; what follows is for programs through which very many of them pass. All of it holds for the whole process
// and for good: V8 has no narrower switch once it runs.

type Collection = { readonly type: 'minor' | 'major'; readonly execution?: 'sync'; readonly flavor?: 'last-resort' };
type Collect = (options: Collection) => void;

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
 * {@link keepNurserySmall}, after it was made small again: reading its own code has let it grow to 64 MB. Costs some 50 ms, once.
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

/** The collector of https://v8.dev/docs/embed, as `--expose-gc` would have made it a global of the whole program. */
function collector(): Collect {
  if (collect !== undefined) return collect;
  setFlagsFromString('--expose-gc');
  // `gc` is what the flag puts into a new context.
  collect = runInNewContext('gc') as Collect;
  return collect;
}
