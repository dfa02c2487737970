import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Client, Host } from '#shared/contract.ts';
import { makeKey, me, scratch, startCutter, startSshd, type Cutter, type Sshd } from '../../electron/core/adapters/ssh/testing/sshd.ts';
import { endHome } from './home.ts';
import { processesTouching } from './processes.ts';
import { makeHome } from './vessel.ts';

/** What a page that was closed leaves to do in an emulated guest is done by then. */
const SLEEP_MS = 30_000;
/** The built agent, as provisioning would put it on a host. */
const AGENT = fileURLToPath(new URL('../../out/host/infra-agent.mjs', import.meta.url));

export type LoopbackOptions = {
  readonly driver: 'process' | 'qemu';
  readonly env?: Readonly<Record<string, string>>;
  /** Lines of sshd_config that win over the usual ones. */
  readonly sshd?: readonly string[];
  /** Another way to sshd than a wire that can be cut, by its port. */
  readonly via?: (sshdPort: number) => Promise<{ readonly port: number; close(): Promise<void> }>;
};

/**
 * A host over SSH whose machine is this computer: a real sshd, behind it an infra-agent with a home of its own. For the tunnel it is as far away as any
 * other; what it does not show is provisioning, for which there is `remote-machine.ts`.
 */
export type LoopbackHost = {
  /** The state of the host's infra-agent. */
  readonly home: string;
  readonly sshd: Sshd;
  readonly wire: Cutter;
  readonly port: number;
  readonly identityFile: string;
  /** What Vessel must have in its environment to find the agent there. */
  readonly env: Readonly<Record<string, string>>;
  /** Makes it a host of a Vessel. */
  addTo(client: Client, name?: string): Promise<Host>;
  /** The `infra-agent serve` processes there. */
  agents(): Promise<readonly number[]>;
  /** Rounds of the host's own timer, for which everything that is not in use at this moment is idle, until it has put this environment to sleep with no desktop there. */
  sleeps(projectId: string): Promise<void>;
  stop(): Promise<void>;
};

export async function startLoopbackHost(options: LoopbackOptions): Promise<LoopbackHost> {
  const home = await makeHome();
  const folder = scratch();
  const key = makeKey(folder, 'person');
  // To bash it then is no login, and the start-up files of whoever runs the tests stay out of it: some hold a lock that a killed session would leave behind.
  const sshd = await startSshd({ authorized: [key.publicLine], config: [...options.sshd ?? [], 'SetEnv SHLVL=2'] });
  const wire = await startCutter(sshd.port);
  const other = await options.via?.(sshd.port);
  const port = other?.port ?? wire.port;
  const cache = process.env['VESSEL_CACHE'];
  const settings = {
    VESSEL_HOME: home, ...(cache === undefined ? {} : { VESSEL_CACHE: cache }),
    VESSEL_DRIVER: options.driver, ...(options.driver === 'process' ? { VESSEL_UNSAFE_PROCESS_DRIVER: '1' } : {}), ...options.env,
  };
  const command = ['/usr/bin/env', ...Object.entries(settings).map(([name, value]) => `${name}=${value}`), process.execPath, AGENT, '--home', home];
  return {
    home, sshd, wire, port, identityFile: key.path,
    env: { VESSEL_REMOTE_AGENT: JSON.stringify(command) },
    async addTo(client, name = 'Far') {
      const { id } = await client.call('hosts.add', { target: `${me}@127.0.0.1:${port}`, name, identityFile: key.path, acceptHostKeys: [sshd.hostKey.fingerprint] });
      return client.call('hosts.refresh', { hostId: id });
    },
    agents: async () => (await processesTouching([home])).filter(({ command: line }) => line.includes('infra-agent.mjs') && / serve( |$)/.test(line)).map(({ pid }) => pid),
    async sleeps(projectId) {
      const deadline = Date.now() + SLEEP_MS;
      for (;;) {
        const { stdout } = await promisify(execFile)(process.execPath, [AGENT, 'idle', '--idle-minutes', '0.001', '--home', home], { env: { ...process.env, ...settings, VESSEL_FAULT: '' } });
        const round = JSON.parse(stdout) as { readonly desktopAway: boolean; readonly hibernated: readonly string[] };
        if (!round.desktopAway) throw new Error(`a desktop whose agent has ended still counts as there: ${stdout}`);
        if (round.hibernated.includes(projectId)) return;
        // What a page or a command left to do in a busy guest may still be going on; a host asks again too.
        if (Date.now() > deadline) throw new Error(`${projectId} was not put to sleep: ${stdout}`);
      }
    },
    async stop() {
      await other?.close();
      await wire.close();
      await sshd.stop();
      await endHome(home);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
