import type { IdeAdapter } from '../ide/adapter.ts';
import { GUEST_ENVIRONMENT, GUEST_USER, IDE_ROOT, LAUNCHER_PATH, NODE_PATH, TOKEN_FILE, WORKSPACE_DIR } from './guest-layout.ts';
import { GUEST_AGENT_PORT, GUEST_IDE_PORT } from '#shared/guest-protocol.ts';

/** The guest agent's configuration file, see images/guest-agent/config.ts. */
export function agentConfig(ide: IdeAdapter, commit: string | null): string {
  return `${JSON.stringify({
    listen: { host: '0.0.0.0', port: GUEST_AGENT_PORT },
    workspace: WORKSPACE_DIR,
    user: GUEST_USER,
    ide: {
      name: ide.name, version: ide.version, commit,
      argv: ide.argv({ node: NODE_PATH, launcher: LAUNCHER_PATH, root: IDE_ROOT, port: GUEST_IDE_PORT, home: GUEST_USER.home, workspace: WORKSPACE_DIR }),
      env: { ...GUEST_ENVIRONMENT, ...ide.env },
      port: GUEST_IDE_PORT, healthPath: ide.healthPath, warmPaths: ide.warmPaths,
    },
    tokenFile: TOKEN_FILE,
    nodePty: `${IDE_ROOT}/${ide.nodePtyPath}`,
  }, null, 2)}\n`;
}
