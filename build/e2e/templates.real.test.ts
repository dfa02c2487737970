import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TemplateId } from '#shared/project.ts';
import { TEMPLATES } from '../../electron/core/templates/index.ts';
import { PRIMED_PACKAGES } from '../../images/recipe/pins.ts';
import { launchBrowser, openInEditor, type TestBrowser } from './browser.ts';
import { enterPort, type Visitor } from './port-visitor.ts';
import { endHome } from './home.ts';
import { finish, startVessel, vesselCli, type CliResult, type RunningVessel } from './vessel.ts';

/** npm and a dev server inside an emulated guest, on a machine that may be busy. */
const PATIENCE_MS = 180_000;

/** What must be left of the memory of a default machine with a template's server and an open editor: room for the tests, or a second server. */
const SPARE_BYTES = 500_000_000;

let vessel: RunningVessel;
let browser: TestBrowser;
beforeAll(async () => {
  vessel = await startVessel();
  browser = await launchBrowser();
  browser.page.setDefaultTimeout(PATIENCE_MS);
});
afterAll(async () => {
  await browser.close();
  await vessel.stop();
  await endHome(vessel.home);
});

type Guest = {
  readonly projectId: string;
  /** Runs a shell line in the workspace. */
  run(line: string): Promise<CliResult>;
  /** Starts a server that outlives the command which started it; its output is kept in `/tmp/server.log`. */
  serve(line: string): Promise<void>;
  /** What a browser without a session sees at a port after it took the address with the ticket. */
  visit(port: number): Promise<Visitor>;
  /** Opens VS Code in the browser with this file, while the server runs, and tells how much memory is left, in bytes. */
  edit(file: string): Promise<number>;
};

/** One project of the template in a microVM of its own, ended without saving afterwards. */
async function inGuest(template: TemplateId, use: (guest: Guest) => Promise<void>): Promise<void> {
  const { client } = vessel;
  const { id: projectId } = await client.call('projects.create', { name: `The ${template} template`, template });
  await finish(client, (await client.call('environments.open', { projectId })).operationId);
  const run = (line: string): Promise<CliResult> => vesselCli(vessel.env, ['exec', projectId, '--', 'bash', '-lc', line]);
  try {
    await use({
      projectId, run,
      serve: async (line) => {
        const started = await run(`setsid nohup sh -c '${line}' >/tmp/server.log 2>&1 </dev/null & exit 0`);
        expect(started).toMatchObject({ code: 0, stderr: '' });
      },
      visit: async (port) => {
        const visitor = await enterPort((await client.call('environments.url', { projectId, port })).url);
        const deadline = Date.now() + PATIENCE_MS;
        while ((await visitor.get('/')).status >= 500) {
          if (Date.now() > deadline) throw new Error(`nothing answers on port ${port}:\n${(await run('tail -20 /tmp/server.log')).stdout}`);
          await sleep(300);
        }
        return visitor;
      },
      edit: async (file) => {
        const page = await browser.context.newPage();
        page.setDefaultTimeout(PATIENCE_MS);
        await page.goto((await client.call('environments.url', { projectId })).url);
        await openInEditor(page, page, file, PATIENCE_MS);
        // An extension host has come by then, and the language's server with it.
        await page.locator('.statusbar-item', { hasText: 'Ln ' }).waitFor();
        const { memoryTotalBytes, memoryUsedBytes, swapTotalBytes, swapUsedBytes } = await client.call('environments.metrics', { projectId });
        await page.close();
        expect(memoryTotalBytes).toBeGreaterThan(1_900_000_000);
        expect(swapTotalBytes).toBeGreaterThan(900_000_000);
        process.stderr.write(`${template}: ${Math.round(memoryUsedBytes / 1e6)} MB of memory, ${Math.round(swapUsedBytes / 1e6)} MB of swap in use\n`);
        return memoryTotalBytes - memoryUsedBytes;
      },
    });
  } finally {
    await finish(client, (await client.call('environments.discard', { projectId, confirm: projectId })).operationId);
  }
}

describe('each template opens and runs', () => {
  it('blank: the languages that its readme promises are there, and any server can be seen', () => inGuest('blank', async (guest) => {
    const tools = await guest.run('cat README.md; for tool in node npm python3 git rg curl nano zip; do command -v $tool || echo "no $tool"; done');
    expect(tools.stdout).toContain('# The blank template');
    expect(tools.stdout).not.toContain('no ');
    await guest.serve('python3 -m http.server 4321');
    expect((await (await guest.visit(4321)).get('/README.md')).body).toContain('made for this session alone');
    expect(await guest.edit('README.md')).toBeGreaterThan(SPARE_BYTES);
  }));

  it('node: npm start serves, npm test passes', () => inGuest('node', async (guest) => {
    const tests = await guest.run('npm test 2>&1');
    expect(tests).toMatchObject({ code: 0, stdout: expect.stringMatching(/pass 1\n/) as string });
    await guest.serve('npm start');
    expect((await (await guest.visit(8080)).get('/?name=Ada')).body).toBe('Hello, Ada!\n');
    expect(await guest.edit('server.js')).toBeGreaterThan(SPARE_BYTES);
  }));

  it('python: the server serves, its tests pass', () => inGuest('python', async (guest) => {
    const tests = await guest.run('python3 -m unittest 2>&1');
    expect(tests).toMatchObject({ code: 0, stdout: expect.stringContaining('Ran 1 test') as string });
    await guest.serve('python3 server.py');
    expect((await (await guest.visit(8000)).get('/?name=Ada')).body).toBe('Hello, Ada!\n');
    expect(await guest.edit('server.py')).toBeGreaterThan(SPARE_BYTES);
  }));

  it('static: the page, its style and its script come over the gateway', () => inGuest('static', async (guest) => {
    await guest.serve('python3 -m http.server 8080');
    const visitor = await guest.visit(8080);
    expect((await visitor.get('/')).body).toContain('<h1>The static template</h1>');
    expect(await visitor.get('/style.css')).toMatchObject({ status: 200, type: 'text/css' });
    expect(await visitor.get('/script.js')).toMatchObject({ status: 200, type: 'text/javascript' });
    expect(await guest.edit('index.html')).toBeGreaterThan(SPARE_BYTES);
  }));

  it('react-vite: installs without a network, and a change shows in the browser without a reload', () => inGuest('react-vite', async (guest) => {
    // No registry answers: everything has to come out of the image.
    const installed = await guest.run('npm install --offline 2>&1 && node_modules/.bin/vite --version');
    expect(installed).toMatchObject({ code: 0, stdout: expect.stringContaining(`vite/${PRIMED_PACKAGES['vite']}`) as string });
    await guest.serve('npm install && npm run dev');
    await guest.visit(5173);

    const { page } = browser;
    await page.goto((await vessel.client.call('environments.url', { projectId: guest.projectId, port: 5173 })).url);
    await page.getByRole('heading', { name: 'It works' }).waitFor();
    await page.getByRole('button').click();
    let loads = 0;
    page.on('load', () => { loads += 1; });
    expect(await guest.run(`sed -i 's/It works/It changed/' src/app.jsx`)).toMatchObject({ code: 0 });
    await page.getByRole('heading', { name: 'It changed' }).waitFor();
    expect(loads).toBe(0);
    // Hot reload keeps what a reload would have lost.
    expect(await page.getByRole('button').textContent()).toBe('Clicked 1 times');
    expect(await guest.edit('vite.config.js')).toBeGreaterThan(SPARE_BYTES);
  }));
});

it('the react-vite template names exactly the versions that the image carries', () => {
  const manifest = TEMPLATES['react-vite']('any').find((file) => file.path === 'package.json');
  const { dependencies, devDependencies } = JSON.parse(manifest?.content ?? '{}') as { readonly dependencies: object; readonly devDependencies: object };
  expect({ ...dependencies, ...devDependencies }).toEqual(PRIMED_PACKAGES);
});
