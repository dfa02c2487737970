import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { bundleGuestAgent } from '../bundle.ts';

export const TEST_TOKEN = 'test-token-0123456789-0123456789-abcdef';
export type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly trailers: NodeJS.Dict<string>; readonly body: Buffer };
export type CallOptions = { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: Buffer | string; readonly token?: string | null };
export type TestAgent = {
  readonly port: number;
  readonly idePort: number;
  readonly folder: string;
  readonly workspace: string;
  readonly pid: number;
  call(path: string, options?: CallOptions): Promise<Answer>;
  json<T>(path: string, options?: CallOptions): Promise<T>;
  stop(): Promise<number | null>;
};

/** A folder for one test file, in memory where the machine has that: thousands of small files are slow on some disks. */
export const makeTestFolder = (): string => mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'vessel-agent-'));

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => { server.once('listening', resolve); });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

/** One HTTP call; the whole answer in memory. Rejects when the connection is cut. */
export function call(port: number, path: string, { method = 'GET', headers = {}, body, token = TEST_TOKEN }: CallOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method, agent: false, headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, trailers: answer.trailers, body: Buffer.concat(chunks) }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Bundles the agent, starts it as an ordinary process with a fake IDE and waits until it is ready. */
export async function startTestAgent(overrides: { readonly nodePty?: string; /** Where its folder lies; in memory by default. */ readonly parent?: string } = {}): Promise<TestAgent> {
  const folder = overrides.parent === undefined ? makeTestFolder() : mkdtempSync(join(overrides.parent, 'vessel-agent-'));
  const workspace = join(folder, 'workspace');
  const bundle = join(folder, 'guest-agent.mjs');
  const idePort = await freePort();
  mkdirSync(workspace);
  mkdirSync(join(folder, 'tmp'));
  writeFileSync(join(folder, 'token'), TEST_TOKEN);
  await bundleGuestAgent(bundle);
  const config = {
    listen: { host: '127.0.0.1', port: 0 }, workspace, user: null, tokenFile: join(folder, 'token'), nodePty: overrides.nodePty ?? null,
    ide: {
      name: 'code-server', version: '0.0.0', commit: null, env: {}, port: idePort, healthPath: '/healthz', warmPaths: ['/warm'],
      argv: [process.execPath, fileURLToPath(new URL('./fake-ide.mjs', import.meta.url)), String(idePort)],
    },
  };
  writeFileSync(join(folder, 'agent.json'), JSON.stringify(config));
  const child = spawn(process.execPath, [bundle, join(folder, 'agent.json')], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: join(folder, 'tmp') } });
  let errors = '';
  child.stderr.on('data', (data: Buffer) => { errors += data.toString(); });
  const exited = new Promise<number | null>((resolve) => { child.once('exit', resolve); });
  const port = await new Promise<number>((resolve, reject) => {
    let listening = 0;
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('listening ')) listening = Number(line.slice('listening '.length));
      if (line === 'ready') resolve(listening);
    });
    child.once('exit', (code) => reject(new Error(`the agent ended with ${code}: ${errors}`)));
  });
  return {
    port, idePort, folder, workspace, pid: child.pid ?? 0,
    call: (path, options) => call(port, path, options),
    async json<T>(path: string, options?: CallOptions) {
      return JSON.parse((await call(port, path, options)).body.toString()) as T;
    },
    async stop() {
      child.kill('SIGTERM');
      const code = await exited;
      rmSync(folder, { recursive: true, force: true });
      return code;
    },
  };
}
