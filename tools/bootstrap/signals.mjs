import { constants } from 'node:os';
import process from 'node:process';

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/** Calls `handle` for each signal that asks us to end, instead of ending. Returns the way back. */
export function onSignals(handle) {
  for (const name of ENDING) process.on(name, handle);
  return () => {
    for (const name of ENDING) process.off(name, handle);
  };
}

/** Ctrl-C and Ctrl-\ at a terminal go to the whole foreground group: a child of ours has had them already. */
export function cameFromTerminal(signal) {
  return (signal === 'SIGINT' || signal === 'SIGQUIT') && process.stdin.isTTY === true;
}

/** What a shell reports for a program that died of this signal. */
export function exitCodeOf(signal) {
  return 128 + constants.signals[signal];
}
