import { closeSync, readFileSync, readdirSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { vesselCache } from '#shared/paths.ts';

/** The compiled code is written while nobody waits; a process that is killed has written it by then as well. */
const FLUSH_AFTER_MS = 5_000;

/** `O_CLOEXEC` in octal, as `/proc/self/fdinfo` shows it. Node marks its own descriptors so. */
const CLOSE_ON_EXEC = 0o2000000;

/** A server in the background outlives the shell that started it, and must not keep open (or locked) what that shell had open. */
function closeInheritedDescriptors(): void {
  if (process.platform !== 'linux') return;
  for (const name of readdirSync('/proc/self/fd').filter((entry) => Number(entry) > 2)) {
    try {
      const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'))?.[1] ?? '0';
      if ((Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0) closeSync(Number(name));
    } catch {
      // The one that listed the folder is closed by now.
    }
  }
}
closeInheritedDescriptors();

// The server is one file of megabytes, and compiling it is half of a start: what the last start compiled is kept. In our own cache, because whoever
// can write there decides what runs; without a place to write Node simply compiles. Electron's Node may not have it.
module.enableCompileCache?.(join(vesselCache(process.env, homedir(), process.getuid?.() === 0), 'code'));
setTimeout(() => module.flushCompileCache?.(), FLUSH_AFTER_MS).unref();
// Beside this file once built; the bundler must not follow it.
await import(new URL('program.mjs', import.meta.url).href);
