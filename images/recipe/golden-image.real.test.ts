import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GUEST_AGENT_PORT, GUEST_API_PREFIX, GUEST_IDE_PORT, GUEST_PORT_PREFIX } from '#shared/guest-protocol.ts';
import { bootGuest, CACHE, goldenImageOfThisTree } from './boot-guest.test-helper.ts';
import type { BootedGuest } from './boot-guest.test-helper.ts';
import { readGoldenImage } from './golden-image.ts';
import type { GoldenImage } from './golden-image.ts';
import type { IdeStaticManifest } from './ide-static.ts';
import { CODE_SERVER_VERSION, NODE_VERSION, NPM_VERSION, PRIMED_PACKAGES } from './pins.ts';

/** A first build from nothing on two shared cores. */
const BUILD_MS = 15 * 60_000;
/** A cold boot to VS Code takes 8–20 s on an idle machine; a busy one needs several times that. */
const BOOT_MS = 4 * 60_000;

describe('the golden image', () => {
  let image: GoldenImage;
  let guest: BootedGuest;
  beforeAll(async () => {
    image = await goldenImageOfThisTree();
    guest = await bootGuest(image, BOOT_MS);
  }, BUILD_MS + BOOT_MS);
  afterAll(async () => { await guest?.stop(); });

  const sh = async (script: string): Promise<string> => {
    const result = await guest.exec('sh', '-c', script);
    return result.stdout.trim();
  };

  it('is found again by its key, complete and with the commit of its IDE', async () => {
    expect(await readGoldenImage(CACHE, image.key)).toEqual(image);
    expect(image.ide).toMatchObject({ name: 'code-server', version: CODE_SERVER_VERSION, commit: expect.stringMatching(/^[0-9a-f]{40}$/) });
    for (const file of [image.kernel, image.initrd, image.root]) expect((await stat(file)).size).toBeGreaterThan(1_000_000);
  });

  it('runs commands as the user `workspace` in the work folder, with HOME elsewhere and root by sudo', async () => {
    expect(await sh('id -un; id -u; pwd; echo $HOME; sudo -n id -u')).toBe('workspace\n1000\n/home/workspace\n/home/vessel\n0');
    expect(await sh('stat -c %U:%G /home/workspace /home/vessel; find /home/workspace -mindepth 1 | wc -l')).toBe('workspace:workspace\nworkspace:workspace\n0');
  });

  it('carries the promised tools in the promised versions', { timeout: 180_000 }, async () => {
    expect(await sh('node --version')).toBe(`v${NODE_VERSION}`);
    expect(await sh('npm --version')).toBe(NPM_VERSION);
    const missing = await sh('for tool in git nano curl python3 pip3 rg zip unzip bsdtar less ps ip ssh sudo npx xz; do command -v $tool >/dev/null || echo $tool; done');
    expect(missing).toBe('');
    expect(await sh('python3 -m venv --without-pip /tmp/venv && /tmp/venv/bin/python -c "print(1)"')).toBe('1');
    expect(await sh('locale 2>/dev/null | grep LANG=')).toBe('LANG=C.UTF-8');
  });

  it('keeps the golden root read-only beneath an overlay and shows nobody the bare disks', async () => {
    expect(await sh('findmnt -no FSTYPE / 2>/dev/null || awk \'$2=="/"{print $3}\' /proc/mounts')).toContain('overlay');
    expect(await sh('grep -c -E " (/golden|/data) " /proc/mounts')).toBe('0');
    expect(await sh('cat /sys/block/vda/ro /sys/block/vdb/ro | sort | tr -d "\\n"')).toBe('01');
    expect(await sh('sudo -n touch /usr/bin/written && test -e /usr/bin/written && echo yes')).toBe('yes');
  });

  it('carries VS Code\'s server with all the changes that make it quick', async () => {
    const calls = 'cd /usr/lib/vessel/ide/node_modules/code-server/lib/vscode/out && test -s vessel-shortcuts.mjs && grep -o "vessel[.][a-zA-Z]*\\|stackTraceLimit=10;" server-main.js | sort -u';
    expect(await sh(calls)).toBe('stackTraceLimit=10;\nvessel.Written\nvessel.kept\nvessel.lstat\nvessel.there');
  });

  it('runs the IDE as the unprivileged user on loopback only, in one process tree', async () => {
    expect(await sh('ps -eo user:12,args | grep [s]tart-ide | awk \'{print $1}\' | sort -u')).toBe('workspace');
    expect(await sh(`ss -ltnH | awk '{print $4}' | grep ${GUEST_IDE_PORT}`)).toBe(`127.0.0.1:${GUEST_IDE_PORT}`);
    const page = await fetch(`${guest.url}/?folder=/home/workspace`, { headers: { authorization: `Bearer ${guest.token}` } });
    expect(page.status).toBe(200);
    expect(await page.text()).toContain(`stable-${image.ide.commit}/static`);
  });

  it('hands the token over by a file that only root reads, and not on the command line', async () => {
    expect(await sh('cat /proc/cmdline')).not.toContain(guest.token);
    expect(await sh('stat -c "%a %U" /run/vessel/token; cat /run/vessel/token 2>/dev/null | wc -c; ls /sys/firmware/qemu_fw_cfg/by_name/opt/vessel 2>/dev/null | wc -l')).toMatch(/^600 root\n0\n/);
    expect((await fetch(`${guest.url}/`)).status).toBe(401);
  });

  it('installs the React template without any network', { timeout: 180_000 }, async () => {
    const manifest = JSON.stringify({ private: true, dependencies: PRIMED_PACKAGES });
    const result = await guest.exec('sh', '-c', `mkdir -p /home/workspace/app && cd /home/workspace/app && printf %s '${manifest}' > package.json && npm install --offline 2>&1 && node -e 'import("vite").then((vite) => console.log("vite", vite.version))'`);
    expect(result.stdout).toContain(`vite ${PRIMED_PACKAGES['vite']}`);
  });

  it('comes with the static files that its first page names, each with its hash', async () => {
    const manifest = JSON.parse(await readFile(join(image.ideStaticDir, 'manifest.json'), 'utf8')) as IdeStaticManifest;
    expect(manifest.commit).toBe(image.ide.commit);
    expect(manifest.files['0/out/vs/code/browser/workbench/workbench.js']?.bytes).toBeGreaterThan(1_000_000);
    const page = await (await fetch(`${guest.url}/?folder=/home/workspace`, { headers: { authorization: `Bearer ${guest.token}` } })).text();
    const named = [...page.matchAll(/(?:src|href)="\.?(\/?(?:stable-|_static)[^"]+\.(?:js|css|svg|png|ico))"/g)].map((match) => `/${match[1]?.replace(/^\//, '') ?? ''}`);
    expect(named.length).toBeGreaterThan(3);
    for (const path of named) {
      const prefix = manifest.prefixes.find(({ urlPrefix }) => path.startsWith(urlPrefix));
      expect(manifest.files[`${prefix?.dir}${path.slice(prefix?.urlPrefix.length)}`], path).toBeDefined();
    }
  });

  it('carries the workbench with all the changes that make it quick, the same in the guest and among the static files', async () => {
    const file = 'out/vs/code/browser/workbench/workbench.js';
    const text = await readFile(join(image.ideStaticDir, '0', file), 'utf8');
    const changes = [/this\.vesselMissing\?\?=new Set/g, /this\.vesselLists\?\?=new Map/g, /needsCaching\(\)\{return!1\}read\(/g,
      /_socket\.binaryType="arraybuffer"/g, /case 2:\{let [\w$]+=3;return/g, /finally\{vesselWait\.end\(\)\}/g, /vesselLater\(resource\)\{/g, /\(ended=!0\)&&this\.channel\.call\("unwatch"/g];
    expect(changes.map((change) => [...text.matchAll(change)].length)).toEqual(changes.map(() => 1));
    const ofGuest = await sh(`sha256sum < /usr/lib/vessel/ide/node_modules/code-server/lib/vscode/${file}`);
    expect(ofGuest.split(' ')[0]).toBe(createHash('sha256').update(text).digest('hex'));
  });

  const ask = (path: string): Promise<Response> => fetch(`${guest.url}${path}`, { headers: { authorization: `Bearer ${guest.token}` } });

  it('leaves ports 3000 and 3001 to people\'s servers, lists them, and none of its own', { timeout: 60_000 }, async () => {
    const serve = (port: number): string => `require('http').createServer((q, r) => r.end('own ' + q.url)).listen(${port}, () => console.log('up'))`;
    await sh(`for port in 3000 3001; do (node -e "${serve(0).replace('listen(0', 'listen($port')}" > /tmp/up-$port 2>&1 &); done; until grep -q . /tmp/up-3000 && grep -q . /tmp/up-3001; do sleep 0.2; done`);
    expect(await sh('cat /tmp/up-3000 /tmp/up-3001')).toBe('up\nup');
    for (const port of [3000, 3001]) expect(await (await ask(`${GUEST_PORT_PREFIX}/${port}/x`)).text()).toBe('own /x');
    const { ports } = await (await ask(`${GUEST_API_PREFIX}/ports`)).json() as { readonly ports: readonly { readonly port: number }[] };
    expect(ports.map(({ port }) => port)).toEqual([3000, 3001]);
    const taken = await sh(`node -e "require('http').createServer().listen(${GUEST_AGENT_PORT}).on('error', (error) => console.log(error.code))"`);
    expect(taken).toBe('EADDRINUSE');
    expect(await sh('cat /proc/sys/net/ipv4/ip_local_reserved_ports')).toBe(`${GUEST_AGENT_PORT}-${GUEST_IDE_PORT}`);
    await sh('pkill -f "own "');
  });

  it('keeps its agent and VS Code when people\'s programs use up the memory, and says what happened', { timeout: 300_000 }, async () => {
    const own = async (): Promise<string> => sh("pgrep -a -f '^/usr/local/bin/node .*(guest-agent[.]mjs|start-ide[.]mjs|--type=)' | cut -c1-90");
    const before = await own();
    expect(before.split('\n').length).toBeGreaterThanOrEqual(3); // the agent, its worker, VS Code's server
    expect(await sh('cat /proc/$$/oom_score_adj; pgrep -of guest-agent.mjs | xargs -I{} cat /proc/{}/oom_score_adj; pgrep -of start-ide | xargs -I{} cat /proc/{}/oom_score_adj')).toBe('300\n-900\n-700');
    // Compressed swap only puts it off, by minutes in emulation.
    await sh('sudo -n swapoff -a');
    // Bytes that nothing makes smaller.
    const hungry = `import os,sys,time
kids=[]
block=os.urandom(1<<20)
for i in range(64):
  pid=os.fork()
  if pid==0:
    held=block*64
    time.sleep(120)
    os._exit(0)
  kids.append(pid)
while True:
  pid,status=os.wait()
  if os.WIFSIGNALED(status): break
for kid in kids:
  try: os.kill(kid,9)
  except ProcessLookupError: pass
os._exit(137)`;
    const result = await guest.exec('python3', '-c', hungry);
    expect(result.stderr).toMatch(/^vessel: the machine ran out of memory, and the kernel ended python3 /m);
    expect(await own()).toBe(before);
    const metrics = await (await ask(`${GUEST_API_PREFIX}/metrics`)).json() as { readonly memoryKills: { readonly count: number; readonly process: string } };
    expect(metrics.memoryKills).toEqual({ count: expect.any(Number), process: 'python3' });
    expect(metrics.memoryKills.count).toBeGreaterThan(0);
    expect((await ask('/?folder=/home/workspace')).status).toBe(200);
    expect(await guest.console()).toContain('the machine ran out of memory');
  });

  it('ends the machine when PID 1 is told to', { timeout: 60_000 }, async () => {
    // The machine may end before the command's own end is told.
    await Promise.race([guest.exec('sudo', '-n', 'kill', '-TERM', '1').catch(() => undefined), guest.ended]);
    await guest.ended;
  });
});
