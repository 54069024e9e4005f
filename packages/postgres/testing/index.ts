export { testDatabase, type TestDatabase } from './database.ts';
export { seeded } from './seeded.ts';
export { startTestServers, testServers, type TestServer } from './servers.ts';
export { smallDisks, type SmallDisks } from './small-disks.ts';
export { untilKilled } from './until-killed.ts';
