#!/usr/bin/env node
import { runVessel } from './run.ts';
import { processRuntime } from './runtime.ts';

/** 128 + SIGPIPE, what a program ends with when its reader has left. */
const READER_LEFT = 141;

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(READER_LEFT);
  throw error;
});

process.exitCode = await runVessel(process.argv.slice(2), processRuntime());
// A terminal that was being read would keep the process; what was written has its own reference and drains first.
process.stdin.unref?.();
