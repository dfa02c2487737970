import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EMBEDDED_GUEST_AGENT, guestAgentSource } from '../../build-info.ts';
import { freePort } from '../../system/free-port.ts';
import { IDE_PAGE_SOURCE } from './ide-page.ts';

export type GuestFolder = { readonly argv: readonly [string, ...string[]]; readonly logPath: string };

/** Lays out the "guest" of a process VM in its own folder: agent, stand-in IDE, configuration, workspace, token. */
export async function makeGuestFolder(directory: string, agentPort: number, bootstrapToken: string, host = '127.0.0.1'): Promise<GuestFolder> {
  const at = (name: string): string => join(directory, name);
  await mkdir(at('workspace'), { recursive: true });
  await writeFile(at('ide-page.mjs'), IDE_PAGE_SOURCE);
  await writeFile(at('token'), `${bootstrapToken}\n`, { mode: 0o600 });
  await chmod(at('token'), 0o600);
  const idePort = await freePort();
  await writeFile(at('agent.json'), JSON.stringify({
    listen: { host, port: agentPort },
    workspace: at('workspace'),
    user: null,
    ide: {
      name: 'code-server', version: '0.0.0-stand-in', commit: null, argv: [process.execPath, at('ide-page.mjs'), String(idePort)], env: {},
      port: idePort, healthPath: '/healthz', warmPaths: ['/'],
    },
    tokenFile: at('token'),
    nodePty: null,
  }));
  let agent = guestAgentSource();
  if (EMBEDDED_GUEST_AGENT !== null) {
    agent = at('guest-agent.mjs');
    await writeFile(agent, EMBEDDED_GUEST_AGENT);
  }
  return { argv: [process.execPath, agent, at('agent.json')], logPath: at('agent.log') };
}
