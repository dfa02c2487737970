import module from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { vesselCache } from '#shared/paths.ts';

/** The compiled code is written while nobody waits; a process that is killed has written it by then as well. */
const FLUSH_AFTER_MS = 5_000;

// The server is one file of megabytes, and compiling it is half of a start: what the last start compiled is kept. In our own cache, because whoever
// can write there decides what runs; without a place to write Node simply compiles. Electron's Node may not have it.
module.enableCompileCache?.(join(vesselCache(process.env, homedir(), process.getuid?.() === 0), 'code'));
setTimeout(() => module.flushCompileCache?.(), FLUSH_AFTER_MS).unref();
// Beside this file once built; the bundler must not follow it.
await import(new URL('program.mjs', import.meta.url).href);
