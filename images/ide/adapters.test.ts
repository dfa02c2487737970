import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchVerified } from '../recipe/fetch-verified.ts';
import { codeServer, QUICK_HEALTH } from './code-server.ts';
import { openvscodeServer } from './openvscode-server.ts';

const start = { node: '/usr/local/bin/node', launcher: '/usr/lib/vessel/start-ide.mjs', root: '/usr/lib/vessel/ide', port: 3001, home: '/home/vessel', workspace: '/home/workspace' };

describe.each([codeServer, openvscodeServer])('the adapter of $name', (ide) => {
  it('listens on loopback alone, without a password, and keeps its data out of the workspace', () => {
    const argv = ide.argv(start);
    const text = argv.join(' ');
    expect(argv[0]).toMatch(/^\//);
    expect(text).toContain('127.0.0.1');
    expect(text).toContain('3001');
    expect(text).toMatch(/--auth none|--without-connection-token/);
    expect(text).toContain('--disable-workspace-trust');
    for (const [index, argument] of argv.entries()) if (/(data-dir|extensions-dir)$/.test(argument)) expect(argv[index + 1]).toMatch(/^\/home\/vessel\//);
  });

  it('has a build script that a shell accepts and that names its version once in its plan', () => {
    const script = ide.buildScript({ inputs: '/tmp/in', target: '/opt/ide' });
    execFileSync('sh', ['-n'], { input: script });
    expect(script).toContain(ide.downloads[0]?.name ?? `code-server@${ide.version}`);
  });

  it('serves static files under a path that carries the commit', () => {
    expect(ide.staticPrefixes('abc')[0]?.urlPrefix).toBe('/stable-abc/static/');
  });
});

it('answers for code-server\'s health before its handlers do, once the server has said that it is well', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vessel-health-'));
  try {
    await writeFile(join(folder, 'server.mjs'), `import http from 'node:http';
      ${QUICK_HEALTH}
      const asked = [];
      const server = http.createServer((request, response) => { asked.push(request.url); response.writeHead(asked.length === 1 ? 503 : 200).end('its own'); });
      await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
      const ask = async (path) => { const answer = await fetch('http://127.0.0.1:' + server.address().port + path); return [answer.status, await answer.text()]; };
      const answers = [];
      for (const path of ['/healthz', '/healthz', '/healthz', '/', '/healthz?deep']) answers.push(await ask(path));
      console.log(JSON.stringify({ asked, answers }));
      process.exit(0);`);
    expect(JSON.parse(execFileSync(process.execPath, [join(folder, 'server.mjs')], { encoding: 'utf8', timeout: 20_000 }))).toEqual({
      asked: ['/healthz', '/healthz', '/', '/healthz?deep'],
      answers: [[503, 'its own'], [200, 'its own'], [200, '{"status":"alive"}'], [200, 'its own'], [200, 'its own']],
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

describe('a release that is only published for download', () => {
  let dir = '';
  beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'vessel-fetch-')); });
  afterEach(async () => { await rm(dir, { recursive: true, force: true }); });

  it('is refused without a pin, with another sum, and when its address does not answer; and taken when it matches', async () => {
    const server = createServer((_request, response) => { response.end('content'); });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/file`;
    try {
      await expect(fetchVerified({ url, sha256: '' }, join(dir, 'a'), undefined)).rejects.toMatchObject({ code: 'PROVISION_FAILED', message: expect.stringContaining('not pinned') });
      await expect(fetchVerified({ url, sha256: '0'.repeat(64) }, join(dir, 'a'), undefined)).rejects.toMatchObject({ code: 'PROVISION_FAILED' });
      await fetchVerified({ url, sha256: createHash('sha256').update('content').digest('hex') }, join(dir, 'b'), undefined);
      expect(await readFile(join(dir, 'b'), 'utf8')).toBe('content');
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    await expect(fetchVerified({ url, sha256: '0'.repeat(64) }, join(dir, 'c'), undefined)).rejects.toThrow(/cannot be reached/);
  });
});
