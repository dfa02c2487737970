/**
 * Where things lie on a host. Programs are not kept under /var, which may be mounted without the right to execute; all that
 * changes while Vessel works lies in one folder that can be given a disk of its own.
 */
export const PROGRAM_DIR = '/usr/local/lib/vessel';
/** Starts the agent with the host's own Node and folders; replaced by renaming. */
export const LAUNCHER = `${PROGRAM_DIR}/infra-agent`;
/** Says what is installed; written last. */
export const INSTALLED = `${PROGRAM_DIR}/installed.json`;
export const STATE_DIR = '/var/vessel';
/** Below the home of whoever logs in: what is sent arrives here without rights, and root takes it from here. */
export const STAGING_NAME = '.vessel-incoming';

/** The agent's environment on a host; sudo passes none on, so it stands in the launcher. */
export const AGENT_ENVIRONMENT = { VESSEL_HOME: STATE_DIR, VESSEL_CACHE: `${STATE_DIR}/cache`, VESSEL_ROLE: 'server' } as const;

/** Node that the agent runs on: what it is bundled for, see build/bundle-host.mjs. */
export const NODE_MAJOR = 24;
/** Places of a Node that belongs to the system; one in somebody's home is not root's to run. */
export const SYSTEM_NODES = ['/usr/bin/node', '/usr/local/bin/node'] as const;

/** The launcher's text. All words are plain paths of ours. */
export function launcherText(node: string, agent: string): string {
  const environment = Object.entries(AGENT_ENVIRONMENT).map(([name, value]) => `${name}=${value} `).join('');
  return `#!/bin/sh\n# Written by Vessel.\n${environment}exec ${node} ${agent} "$@"\n`;
}
