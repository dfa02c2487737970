import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Readable, Writable } from 'node:stream';

export type InputStream = Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };
export type ForwardedSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGWINCH';

/** Everything of the process that the commands touch, so that a test can be the process. */
export type Runtime = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly homeDirectory: string;
  readonly platform: string;
  readonly version: string;
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Program and leading arguments that start a server. */
  readonly serverCommand: readonly [string, ...string[]];
  now(): number;
  /** Takes the signal over until the returned function is called. */
  onSignal(signal: ForwardedSignal, listener: () => void): () => void;
};

/** The runtime of this very process. */
export function processRuntime(): Runtime {
  return {
    env: process.env,
    cwd: process.cwd(),
    homeDirectory: homedir(),
    platform: process.platform,
    version: packageVersion(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    serverCommand: [process.execPath, serverEntry()],
    now: () => Date.now(),
    onSignal: (signal, listener) => {
      process.on(signal, listener);
      return () => process.off(signal, listener);
    },
  };
}

/** The server beside this program: built beside built, source beside source. */
function serverEntry(): string {
  const built = fileURLToPath(new URL('../server/main.mjs', import.meta.url));
  return existsSync(built) ? built : fileURLToPath(new URL('../server/main.ts', import.meta.url));
}

/** `electron/cli/` and `out/cli/` are both two levels below package.json. */
function packageVersion(): string {
  const parsed: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof parsed === 'object' && parsed !== null && 'version' in parsed ? String(parsed.version) : 'unknown';
}
