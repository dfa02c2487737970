import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ideOf, launchBrowser, openInEditor, type TestBrowser } from './browser.ts';
import { openPromise } from './zip.ts';
import { endHome } from './home.ts';
import { processesOf, startVessel, vesselCli, type RunningVessel } from './vessel.ts';

/** VS Code inside an emulated guest, on a machine that may be busy. */
const PATIENCE_MS = 120_000;
const TYPED = '// typed by a person in VS Code';

describe('the main job, as a newcomer does it', () => {
  let vessel: RunningVessel;
  let browser: TestBrowser;
  let scratch: string;
  beforeAll(async () => {
    vessel = await startVessel();
    browser = await launchBrowser();
    scratch = await mkdtemp(join(tmpdir(), 'vsl-journey-'));
  });
  afterAll(async () => {
    await browser.close();
    await vessel.stop();
    await endHome(vessel.home);
    await rm(scratch, { recursive: true, force: true });
  });

  it('creates a project, opens it, types in VS Code inside a microVM, saves and exits, and finds the edit in the verified zip', async () => {
    const { page } = browser;
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(vessel.url);
    await page.getByTestId('first-project').click();
    await page.getByTestId('project-name').fill('Demo');
    await page.getByTestId('choice-node').click();
    await page.getByTestId('create-open').click();

    const ide = ideOf(page);
    await ide.locator('.monaco-workbench').waitFor();
    const { projects } = await vessel.client.call('projects.list', {});
    const project = projects[0];
    expect(project?.environment).toMatchObject({ state: 'running', startKind: 'clone' });
    const projectId = project?.id ?? '';

    await openInEditor(page, ide, 'server.js', PATIENCE_MS);
    await page.keyboard.type(TYPED);
    // The guest's own view of its disk: VS Code saved by itself.
    await expect.poll(() => vesselCli(vessel.env, ['exec', projectId, '--', 'tail', '-1', 'server.js']).then((result) => result.stdout.trim()), { timeout: PATIENCE_MS, interval: 500 }).toBe(TYPED);
    const node = await vesselCli(vessel.env, ['exec', projectId, '--', 'sh', '-c', 'node --version; id -un; exit 7']);
    expect(node, node.stderr).toMatchObject({ code: 7, stdout: expect.stringMatching(/^v24\.\d+\.\d+\nworkspace\n$/) as string });

    // A server of one's own on the port that everybody takes, seen at its own address; VS Code stays when memory runs out.
    const served = await vesselCli(vessel.env, ['exec', projectId, '--', 'sh', '-c', `nohup node -e "require('http').createServer((q, r) => r.end('own server')).listen(3000)" > /dev/null 2>&1 & echo $!; pgrep -f -- '[-]-type=extensionHost' | head -1 | xargs -I{} cat /proc/{}/oom_score_adj`]);
    const [serverPid, score] = served.stdout.trim().split('\n');
    expect(score, served.stderr).toBe('-700');
    await expect.poll(() => vesselCli(vessel.env, ['ports', projectId]).then(({ stdout }) => stdout), { timeout: PATIENCE_MS, interval: 500 }).toContain('3000');
    const own = await page.context().newPage();
    await own.goto((await vessel.client.call('environments.url', { projectId, port: 3000 })).url);
    expect(new URL(own.url()).hostname).toBe(`3000--${projectId}.localhost`);
    expect(await own.textContent('body')).toBe('own server');
    await own.close();
    await vesselCli(vessel.env, ['exec', projectId, '--', 'kill', serverPid ?? '']);

    await page.getByTestId('save-exit').click();
    await page.getByTestId('save-proof').waitFor();
    const sha256 = await page.getByTestId('proof-sha256').getAttribute('title');
    await page.getByTestId('done-back').click();
    await page.getByTestId('project-grid').waitFor();

    const out = join(scratch, 'demo.zip');
    const exported = await vesselCli(vessel.env, ['project', 'export', projectId, '-o', out, '--json']);
    expect(exported.code).toBe(0);
    expect(JSON.parse(exported.stdout)).toMatchObject({ rev: 2, sha256, bytes: (await readFile(out)).length });
    const files = new Map<string, string>();
    await openPromise(out, async (entry) => { files.set(entry.name, (await buffer(await entry.read())).toString()); });
    expect(files.get('server.js')).toContain(TYPED);

    expect((await vessel.client.call('projects.get', { projectId })).environment?.state).toBe('destroyed');
    expect((await processesOf(vessel.home)).filter((line) => /qemu|passt/.test(line))).toEqual([]);
  });
});
