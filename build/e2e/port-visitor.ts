import { request } from 'node:http';

export type Answer = { readonly status: number; readonly type: string; readonly body: string };
export type Visitor = { get(path: string): Promise<Answer> };

/**
 * A browser reduced to HTTP: takes an address with a ticket, keeps the session cookie it is given, then asks like a person who
 * types addresses. Node does not resolve `*.localhost`, so it dials loopback and names the host.
 */
export async function enterPort(url: string): Promise<Visitor> {
  const { host } = new URL(url);
  const first = await ask(url, host, null);
  if (first.cookie === null) throw new Error(`no session for ${host}: ${first.status} ${first.body.slice(0, 200)}`);
  const { cookie } = first;
  return { get: async (path) => ask(new URL(path, url).href, host, cookie) };
}

function ask(url: string, host: string, cookie: string | null): Promise<Answer & { readonly cookie: string | null }> {
  const { port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path: `${pathname}${search}`, headers: { host, accept: '*/*', 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', ...(cookie === null ? {} : { cookie }) } }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => { body += text; });
      response.once('error', reject);
      response.once('end', () => resolve({
        status: response.statusCode ?? 0, type: (response.headers['content-type'] ?? '').split(';')[0] ?? '', body,
        cookie: response.headers['set-cookie']?.[0]?.split(';')[0] ?? null,
      }));
    });
    asked.once('error', reject);
    asked.end();
  });
}
