import { request } from 'node:http';
import type { RunningVessel } from './vessel.ts';

/** The status that an environment's own address answers with (200: the IDE itself), asked with Vessel's secret. */
export function ideStatus({ file }: RunningVessel, projectId: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      // Node does not resolve *.localhost: dial the loopback and name the host.
      host: '127.0.0.1', port: file.port, path: '/', agent: false, timeout: 10_000,
      headers: { host: `${projectId}.localhost:${file.port}`, authorization: `Bearer ${file.secret}`, accept: 'text/html' },
    }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}
