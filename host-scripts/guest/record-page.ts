import { request } from 'node:http';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { writeFileAtomic } from '../system/atomic-file.ts';
import type { GuestAddress } from './guest-client.ts';

/** Stands where the page of some servers names its `Host`; `.invalid` is nobody's (RFC 6761). Not port 80, which a server would leave out. */
const PLACEHOLDER_HOST = 'environment.vessel.invalid:9';
const PAGE_MS = 60_000;
const MOST_BYTES = 512 * 1024;

/**
 * Keeps VS Code's page as a machine answers it that nobody has used yet: gateways give it to browsers while a clone still starts.
 * Throws GUEST_UNREACHABLE, or what the file system says.
 */
export async function recordPage(address: GuestAddress, token: string, url: string, ideStaticDir: string, signal: AbortSignal): Promise<void> {
  const { html, policy } = await fetchPage(address, token, url, signal);
  const content = JSON.stringify({ format: 1, url, host: PLACEHOLDER_HOST, html, policy });
  await writeFileAtomic(join(ideStaticDir, 'workbench-page.json'), content, { mode: 0o644, durable: false });
}

/** `fetch` would not let us name the host. */
function fetchPage(address: GuestAddress, token: string, path: string, signal: AbortSignal): Promise<{ readonly html: string; readonly policy: string }> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(VesselError.from(error));
    const outgoing = request({
      host: address.host, port: address.port, path, agent: false, setHost: false, signal: AbortSignal.any([signal, AbortSignal.timeout(PAGE_MS)]),
      headers: { host: PLACEHOLDER_HOST, 'x-forwarded-host': PLACEHOLDER_HOST, 'x-forwarded-proto': 'http', accept: 'text/html', 'accept-encoding': 'identity', authorization: `Bearer ${token}` },
    }, (answer) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MOST_BYTES) answer.destroy(new VesselError('GUEST_UNREACHABLE', "VS Code's page is too long"));
        else chunks.push(chunk);
      });
      answer.on('error', fail);
      answer.on('end', () => {
        if (answer.statusCode !== 200) { fail(new VesselError('GUEST_UNREACHABLE', `VS Code answered ${answer.statusCode ?? 0} to ${path}`)); return; }
        const policy: string | string[] = answer.headers['content-security-policy'] ?? '';
        resolve({ html: Buffer.concat(chunks).toString('utf8'), policy: Array.isArray(policy) ? policy.join(', ') : policy });
      });
    });
    outgoing.on('error', fail);
    outgoing.end();
  });
}
