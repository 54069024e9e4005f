export { testDatabase, type TestDatabase } from './database.ts';
export { startTestServers, testServers, type TestServer } from './servers.ts';
export { smallDisks, type SmallDisks } from './small-disks.ts';
