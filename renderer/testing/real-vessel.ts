import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** A server that has not said its address by then never will. */
const START_MS = 60_000;

export type RealVessel = { readonly url: string; readonly home: string; readonly stop: () => Promise<void> };

/** Starts the real server with guests as plain processes, in folders of its own; `env` is added to its environment. `stop` ends it and removes them. */
export async function startRealVessel(env: Readonly<Record<string, string>> = {}): Promise<RealVessel> {
  const folder = await mkdtemp(join(tmpdir(), 'vessel-ui-'));
  const home = join(folder, 'home');
  const child = spawn(process.execPath, ['electron/server/main.ts', '--no-open', '--json', '--port', '0'], {
    cwd: root, stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, VESSEL_HOME: home, VESSEL_CACHE: join(folder, 'cache'), VESSEL_DRIVER: 'process', VESSEL_UNSAFE_PROCESS_DRIVER: '1', ...env },
  });
  const errors: string[] = [];
  child.stderr.on('data', (data: Buffer) => errors.push(String(data)));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`Vessel did not start (${why}): ${errors.join('').slice(-2_000)}`));
    const deadline = setTimeout(() => fail('no address in time'), START_MS);
    void ended.then(() => fail('it ended'));
    createInterface({ input: child.stdout }).once('line', (line) => { clearTimeout(deadline); resolve((JSON.parse(line) as { readonly url: string }).url); });
  });
  return {
    url, home,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
