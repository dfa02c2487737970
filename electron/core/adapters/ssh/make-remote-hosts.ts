import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import type { RemoteHosts } from '../../ports/remote-host.ts';
import type { SecretStore } from '../../ports/secret-store.ts';
import type { SshEnvironment, SshHop } from './config.ts';
import { HostKeyFiles } from './host-key-files.ts';
import type { DesktopParts } from './host-setup/desktop-parts.ts';
import { SshHostKeeper } from './host-setup/keeper.ts';
import { RootAccess } from './host-setup/root-access.ts';
import { doctorWays } from './host-setup/ways.ts';
import { knownName } from './known-hosts.ts';
import { resolveRoute } from './route.ts';
import { SshHost } from './ssh-host.ts';
import { SshHostLink } from './ssh-host-link.ts';
import { parseTarget } from './target.ts';

export type RemoteHostsOptions = {
  readonly home: string;
  readonly log: (line: string) => void;
  readonly environment: SshEnvironment;
  readonly secrets: SecretStore;
  /** What this computer can send to a host. */
  readonly parts: DesktopParts;
  /** Instead of the agent that provisioning puts on hosts: tests and benches. */
  readonly agentCommand: readonly string[] | undefined;
};

/** Hosts over SSH as this process sees them: its user's configuration and agent, Vessel's own host keys and secrets. */
export function makeRemoteHosts({ home, log, environment, parts, agentCommand, secrets }: RemoteHostsOptions): RemoteHosts {
  const hostKeys = new HostKeyFiles(home);
  return {
    make: (hostId, { target, identityFile }) => {
      parseTarget(target);
      let last: SshHop | null = null;
      const hops = async (): Promise<readonly SshHop[]> => {
        const route = await resolveRoute(target, identityFile, environment);
        last = route.at(-1) ?? null;
        return route;
      };
      const host = new SshHost({ hostId, name: target, hops, hostKeys, secrets, log, now: () => Date.now() });
      const say = (line: string): void => log(`${hostId}: ${line}`);
      const root = new RootAccess({ host, secrets, secretName: async () => { const hop = last ?? await lastHop(hops); return hop === null ? null : sudoSecret(hop); } });
      const keeper: SshHostKeeper = new SshHostKeeper({ host, root, parts, link: () => link, ways: doctorWays(host, hops), log: say });
      const link = new SshHostLink({ host, agentCommand: () => (agentCommand === undefined ? keeper.agentCommand() : Promise.resolve({ argv: agentCommand, preamble: '' })), log: say });
      return { host, link, keeper };
    },
    nameOf: (target) => parseTarget(target).host,
    forget: async ({ target, identityFile }) => {
      const last = await lastHop(() => resolveRoute(target, identityFile, environment));
      if (last === null) return;
      await hostKeys.forget(knownName(last.hostKeyAlias ?? last.host, last.hostKeyAlias === null ? last.port : 22));
      await secrets.remove(`ssh-password:${last.user}@${last.host}:${last.port}`);
      await secrets.remove(sudoSecret(last));
    },
  };
}

/** What OpenSSH would read for the user of this process. */
export function processSshEnvironment(): SshEnvironment {
  const homeDirectory = homedir();
  return {
    homeDirectory, localUser: userInfo().username, env: process.env,
    configFiles: [join(homeDirectory, '.ssh', 'config'), '/etc/ssh/ssh_config'],
    globalKnownHostsFiles: ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2'],
  };
}

const sudoSecret = ({ user, host, port }: SshHop): string => `sudo-password:${user}@${host}:${port}`;

/** null when the configuration no longer says how the host is reached: then nothing is known under its name. */
async function lastHop(route: () => Promise<readonly SshHop[]>): Promise<SshHop | null> {
  try {
    return (await route()).at(-1) ?? null;
  } catch (error) {
    if (error instanceof VesselError) return null;
    throw error;
  }
}
