import { spawn } from 'node:child_process';
import { VesselError } from '#shared/errors.ts';
import type { Runtime } from './runtime.ts';

/**
 * Shows an address in the user's browser. The address carries a ticket that works once and for a short time, which is why it
 * may stand in the argument list of the opener. Throws EXEC_FAILED when this computer has no opener.
 */
export async function openInBrowser(runtime: Runtime, url: string): Promise<void> {
  const [command, ...args] = opener(runtime.platform);
  await new Promise<void>((resolve, reject) => {
    const child = spawn(command, [...args, url], { detached: true, stdio: 'ignore' });
    child.once('error', (cause) => reject(new VesselError('EXEC_FAILED', `Cannot open a browser with ${command}`, { cause, hint: 'Open the printed address yourself.' })));
    child.once('spawn', () => {
      child.unref();
      resolve();
    });
  });
}

function opener(platform: string): readonly [string, ...string[]] {
  switch (platform) {
    case 'darwin': return ['open'];
    case 'win32': return ['rundll32', 'url.dll,FileProtocolHandler'];
    default: return ['xdg-open'];
  }
}
