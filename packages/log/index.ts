// The public face of log, listed by hand. Other packages import from here only.
export { catalogName, homePath, type DeclaredName } from './declared-name.ts';
export { levels, type Level } from './level.ts';
export { parseLine, type LogLine } from './line.ts';
export { openLog, type Log, type LogOptions, type OpenLog } from './log.ts';
export { openLogReader, type LogReader } from './reader.ts';
export { quietServerLog } from './server-log.ts';
