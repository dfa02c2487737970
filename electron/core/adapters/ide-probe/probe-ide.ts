import { request } from 'node:http';
import { VesselError } from '#shared/errors.ts';
import type { Gateway } from '../../ports/gateway.ts';

/** The IDE itself was ready before the route opened, so anything longer is a fault on the way. */
const DEADLINE_MS = 20_000;
const PAUSE_MS = 50;

/**
 * What each IDE answers without building a page, as its adapter in `images/ide` has it. The page costs an emulated guest a quarter of a second, in the very moment in which the
 * workbench connects; the workbench itself is shown from the page that was recorded with the image.
 */
export const HEALTH_PATHS: Readonly<Record<string, string>> = { 'code-server': '/healthz', 'openvscode-server': '/version' };

/** Asks the IDE (its page when `ide` is not known) through the gateway as a browser would, until it answers. Throws IDE_NOT_READY. */
export async function probeIde(gateway: Gateway, projectId: string, ide: string | null, signal: AbortSignal): Promise<void> {
  const until = performance.now() + DEADLINE_MS;
  const host = new URL(gateway.urlFor({ projectId, frame: false }).origin).host;
  for (let last = ''; ; await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))) {
    if (signal.aborted) throw signal.reason instanceof VesselError ? signal.reason : new VesselError('CANCELLED');
    try {
      const status = await ask(gateway, host, HEALTH_PATHS[ide ?? ''] ?? '/', signal);
      // A redirect (VS Code adds its folder to the address) is an answer of the IDE as well.
      if (status < 400) return;
      last = `status ${status}`;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() > until) throw new VesselError('IDE_NOT_READY', `VS Code does not answer through the gateway: ${last}`, { details: { projectId } });
  }
}

function ask(gateway: Gateway, host: string, path: string, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      // Node does not resolve *.localhost: dial the loopback and name the host.
      host: '127.0.0.1', port: gateway.port, path, agent: false, signal,
      headers: { host, authorization: `Bearer ${gateway.bearer}`, accept: 'text/html' },
    }, (response) => { response.resume(); resolve(response.statusCode ?? 500); });
    outgoing.setTimeout(DEADLINE_MS, () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}
