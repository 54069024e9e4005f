// A process of its own for home.test.ts: takes a lease, tells the URL, and stays until it is killed.
import { openEmbedded } from './home.ts';

const [home = '', purpose = '', umask] = process.argv.slice(2);
if (umask !== undefined) process.umask(umask);
const lease = await openEmbedded(home, { purpose });
process.send?.(lease.url.reveal());
setInterval(() => undefined, 60_000);
