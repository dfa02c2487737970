import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connectGuest } from '../../electron/core/adapters/guest/guest-client.ts';
import { LocalHostLink } from '../../electron/core/adapters/local-host/local-host-link.ts';
import { vesselCache } from '#shared/paths.ts';
import type { HostFacts, StartResult } from '#shared/host-protocol.ts';
import { homedir } from 'node:os';

const run = promisify(execFile);
const AGENT = fileURLToPath(new URL('../../out/host/infra-agent.mjs', import.meta.url));

/** Rounds of each measurement; `--runs=N` changes it. */
export function rounds(fallback = 10): number {
  const given = process.argv.find((argument) => argument.startsWith('--runs='));
  return given === undefined ? fallback : Math.max(1, Number(given.slice('--runs='.length)));
}

export const note = (line: string): void => { process.stderr.write(`  ${line}\n`); };

export const cacheFolder = (): string => vesselCache(process.env, homedir(), process.getuid?.() === 0);

/** The built infra-agent with a home of its own, without Vessel around it. */
export type BenchHost = { readonly link: LocalHostLink; readonly facts: HostFacts; readonly home: string; dispose(): Promise<void> };

/** Throws when the host is not provisioned: a bench measures, it does not install. */
export async function benchHost(): Promise<BenchHost> {
  const home = await mkdtemp(join(tmpdir(), 'vsl-bench-'));
  await chmod(home, 0o711);
  const link = new LocalHostLink({ hostId: 'local', command: [process.execPath, AGENT], env: { ...process.env as Record<string, string>, VESSEL_HOME: home }, log: () => undefined });
  const dispose = async (): Promise<void> => {
    for (const vm of (await link.request('list', {})).vms) await link.request('stop', { id: vm.id });
    await link.dispose();
    await rm(home, { recursive: true, force: true });
  };
  await link.request('provision', {});
  const facts = await link.request('facts', {});
  if (facts.image === null || !facts.ready) {
    await dispose();
    throw new Error('The host is not provisioned: run `npx vessel host provision local` first.');
  }
  return { link, facts, home, dispose };
}

/** Asks the IDE itself, through the guest agent, as the gateway does. Throws when it does not answer. */
export async function ideAnswers(host: BenchHost, started: StartResult): Promise<void> {
  const { address, token } = started.vm;
  if (address === null || token === null) throw new Error('the VM has no address');
  const client = connectGuest({ dial: () => host.link.forward(address.host, address.port), token });
  const { ideReady } = await client.health();
  client.close();
  if (!ideReady) throw new Error('the IDE does not answer');
}

/** How the golden image starts its IDE; read from the image itself, so that the peer runs the very same. */
export async function ideOfImage(root: string): Promise<{ readonly argv: readonly string[]; readonly port: number; readonly healthPath: string; readonly env: Readonly<Record<string, string>> }> {
  const { stdout } = await run('debugfs', ['-R', 'cat /etc/vessel/agent.json', root], { maxBuffer: 1e7 });
  return (JSON.parse(stdout) as { readonly ide: { readonly argv: readonly string[]; readonly port: number; readonly healthPath: string; readonly env: Readonly<Record<string, string>> } }).ide;
}

/** The hypervisor and its network helper of one VM: every process whose command line names its folder or its sockets. */
export async function processesOfVm(host: BenchHost, id: string): Promise<readonly number[]> {
  const record = await host.link.request('inspect', { id });
  if (record.pid === null) throw new Error(`${id} has no process`);
  const folder = /\/run\/[^\s,]*?\/[0-9a-f]{16}/.exec((await readFile(`/proc/${record.pid}/cmdline`, 'utf8')).replaceAll('\0', ' '))?.[0];
  if (folder === undefined) throw new Error(`the hypervisor of ${id} names no socket folder`);
  const { stdout } = await run('pgrep', ['-f', '--', folder]);
  return [...new Set([record.pid, ...stdout.trim().split('\n').map(Number)])].filter((pid) => pid > 0);
}
