import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../build/testing/describe-unless.ts';
import { makeKey, me, scratch, startCutter, startSshd, whyNoSshd, type Cutter, type KeyPair, type Sshd } from '../electron/core/adapters/ssh/testing/sshd.ts';
import { startAskingServer, type AskingServer } from '../electron/core/adapters/ssh/testing/asking-server.ts';
import { findAccessibilityProblems } from './testing/accessibility.ts';
import { type RealVessel, startRealVessel } from './testing/real-vessel.ts';

/** The renderer on the real server, which reaches a real sshd: what a person sees of a host from its first look to its removal. */
const root = fileURLToPath(new URL('..', import.meta.url));
const why = whyNoSshd();

describeUnless(why, 'hosts in the window', () => {
  let person: string;
  let vessel: RealVessel;
  let browser: Browser;
  let page: Page;
  let sshd: Sshd;
  let wire: Cutter;
  let asking: AskingServer;
  let key: KeyPair;
  let locked: KeyPair;
  const problems: string[] = [];
  const at = (id: string): ReturnType<Page['getByTestId']> => page.getByTestId(id);
  const go = async (hash: string): Promise<void> => { await page.evaluate((to) => { window.location.hash = to; }, hash); };
  const enter = async (target: string, options: { readonly name?: string; readonly identity?: string } = {}): Promise<void> => {
    await go('#/hosts');
    await at('add-host').click();
    await at('host-target').fill(target);
    if (options.name !== undefined) await at('host-name').fill(options.name);
    if (options.identity !== undefined) await at('host-identity').fill(options.identity);
    await at('add-host-connect').click();
  };
  const known = (): string => { const file = join(vessel.home, 'ssh', 'known_hosts'); return existsSync(file) ? readFileSync(file, 'utf8') : ''; };
  /** Forgets every host and every confirmed key, as on the first day. */
  const fresh = async (): Promise<void> => {
    await page.keyboard.press('Escape');
    await go('#/hosts');
    for (const id of await page.locator('[data-testid=hosts] > li').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-testid') ?? ''))) {
      if (id === 'host-local') continue;
      await at(id).getByTestId('host-menu').click();
      await at(id).getByTestId('menu-remove-host').click();
      await at('confirm-remove-host').click();
      await at(id).waitFor({ state: 'detached' });
    }
  };

  beforeAll(async () => {
    await promisify(execFile)(process.execPath, ['build/build.mjs', 'window'], { cwd: root });
    person = scratch();
    mkdirSync(join(person, '.ssh'), { mode: 0o700 });
    key = makeKey(person, 'plain');
    locked = makeKey(person, 'locked', { passphrase: 'open sesame' });
    sshd = await startSshd({ authorized: [key.publicLine, locked.publicLine] });
    wire = await startCutter(sshd.port);
    asking = await startAskingServer([
      { instruction: 'Step 1 of 2', prompts: [{ prompt: 'Password: ', echo: false }], want: ['pw'] },
      { instruction: 'Choose a way', prompts: [{ prompt: 'Option (1-2): ', echo: true }, { prompt: 'One-time code: ', echo: false }], want: ['1', '123456'] },
    ]);
    vessel = await startRealVessel({ HOME: person, SSH_AUTH_SOCK: '' });
    browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
    page = await (await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' })).newPage();
    page.setDefaultTimeout(20_000);
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => { if (/content security policy/i.test(message.text())) problems.push(message.text()); });
    await page.goto(vessel.url);
  });
  afterAll(async () => {
    await browser.close();
    await vessel.stop();
    await wire.close();
    await sshd.stop();
    asking.stop();
    rmSync(person, { recursive: true, force: true });
  });
  afterEach(() => { expect(problems.splice(0)).toEqual([]); });

  it('says that there is no host but this computer, and offers to add one', async () => {
    await at('nav-hosts').click();
    await at('first-host').click();
    await at('add-host-form').waitFor();
    expect(await page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe('host-target');
    await page.keyboard.press('Escape');
    await at('add-host-form').waitFor({ state: 'detached' });
    expect(page.url()).toMatch(/#\/hosts$/);
  });

  it('shows type and SHA-256 of an unknown key, takes no other fingerprint for it, and goes on only when it was confirmed', async () => {
    await enter(`${me}@127.0.0.1:${wire.port}`, { name: 'Build box', identity: key.path });
    await at('trust-key').waitFor();
    expect(await at('fingerprint').getAttribute('data-fingerprint')).toBe(sshd.hostKey.fingerprint);
    expect((await at('fingerprint').textContent())?.replaceAll(/\s/g, '')).toBe(sshd.hostKey.fingerprint);
    expect(await at('key-type').textContent()).toBe('ssh-ed25519');
    expect(await at('trust').isDisabled()).toBe(true);
    await page.keyboard.press('Enter');
    await at('trust-typed').fill(asking.fingerprint);
    await page.getByText('This is another fingerprint').waitFor();
    expect(await at('trust').isDisabled()).toBe(true);
    await page.keyboard.press('Enter');
    expect(known()).toBe('');
    expect(await findAccessibilityProblems(page)).toEqual([]);
    await at('trust-typed').fill(`256 ${sshd.hostKey.fingerprint} root@box (ED25519)`);
    await page.getByText('The very same fingerprint').waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Build box', exact: true }).waitFor();
    expect(page.url()).toMatch(/#\/hosts\/build-box$/);
    expect(known()).toContain(`[127.0.0.1]:${wire.port}`);
    expect(await at('host-line').textContent()).toBe('Connected');
    await at('probe').waitFor();
    await go('#/hosts');
    expect(await at('host-build-box').textContent()).toMatch(/Build box.*Not set up.*127\.0\.0\.1.*Connected/);
  });

  it('refuses the same address twice, with the name it has', async () => {
    await enter(`${me}@127.0.0.1:${wire.port}`, { identity: key.path });
    await at('error-panel').waitFor();
    expect(await at('error-code').textContent()).toBe('CONFLICT');
    expect(await at('error-panel').textContent()).toContain('build-box');
    await at('login-back').click();
    expect(await at('host-target').inputValue()).toContain(String(wire.port));
    await page.keyboard.press('Escape');
  });

  it('cannot remove a host that a project is on, and says which', async () => {
    await go('#/new');
    await at('project-name').fill('Far away');
    await at('choose-host').selectOption('build-box');
    await at('create-only').click();
    const card = page.locator('[data-project-card]', { hasText: 'Far away' });
    await card.waitFor();
    expect(await card.getByTestId('card-host').textContent()).toBe('on Build box');
    await go('#/hosts/build-box');
    await at('remove-host').click();
    expect(await at('remove-held').textContent()).toContain('Far away');
    expect(await at('confirm-remove-host').isDisabled()).toBe(true);
    await page.keyboard.press('Escape');
    await go('#/');
    await card.getByTestId('project-menu').click();
    await card.getByTestId('menu-delete').click();
    await at('confirm-delete').click();
    await card.waitFor({ state: 'detached' });
  });

  it('says reconnecting while the line is broken, and comes back by itself', async () => {
    await go('#/hosts/build-box');
    await page.getByText('Connected', { exact: true }).waitFor();
    wire.cut();
    await page.getByText('Reconnecting', { exact: true }).waitFor();
    expect(await at('host-waiting').textContent()).toMatch(/SSH_CONNECTION_LOST|SSH_REFUSED|SSH_HANDSHAKE/);
    expect(await at('provision').isDisabled()).toBe(true);
    wire.mend();
    await page.getByText('Connected', { exact: true }).waitFor();
    expect(await at('host-waiting').count()).toBe(0);
  });

  it('stops hard at a changed key: file, line, both keys, and nothing to click that goes on', async () => {
    const { port } = sshd;
    await sshd.stop();
    sshd = await startSshd({ authorized: [key.publicLine, locked.publicLine], port });
    wire.cut();
    wire.mend();
    await page.getByText('Stopped: its key is not the one on file').waitFor();
    await at('host-connect').click();
    await at('login-dialog').getByTestId('changed-key').waitFor();
    expect(await at('login-dialog').getByTestId('error-code').textContent()).toBe('HOST_KEY_CHANGED');
    const dialog = await at('login-dialog').textContent();
    expect(dialog).toContain(sshd.hostKey.fingerprint);
    expect(await at('login-dialog').getByTestId('known-place').textContent()).toContain(`${join(vessel.home, 'ssh', 'known_hosts')}:1`);
    expect(dialog).toContain(`ssh-keygen -R '[127.0.0.1]:${wire.port}' -f ${join(vessel.home, 'ssh', 'known_hosts')}`);
    expect(await at('login-dialog').getByRole('button').allTextContents()).toEqual(expect.not.arrayContaining([expect.stringMatching(/trust|accept|try again|continue/i)]));
    await at('login-back').click();
    // The way on that the dialog names really is one.
    await promisify(execFile)('ssh-keygen', ['-R', `[127.0.0.1]:${wire.port}`, '-f', join(vessel.home, 'ssh', 'known_hosts')]);
    await at('host-connect').click();
    await at('trust-key').waitFor();
    await at('trust-typed').fill('yes');
    await at('trust').click();
    await page.getByText('Connected', { exact: true }).waitFor();
  });

  it('removes a host after asking, with its key, and the list shows it', async () => {
    await at('remove-host').click();
    await at('confirm-remove-host').click();
    await at('first-host').waitFor();
    expect(known()).not.toContain(String(wire.port));
  });

  it('asks for a passphrase again after a wrong one, hides it, and keeps it only if told so', async () => {
    await enter(`${me}@127.0.0.1:${wire.port}`, { name: 'locked', identity: locked.path });
    await at('trust-typed').fill('yes');
    await at('trust').click();
    await page.locator('[data-testid=prompt][data-kind=passphrase][data-attempt="1"]').waitFor();
    expect(await at('prompt').textContent()).toContain(locked.path);
    expect(await at('prompt-field-0').getAttribute('type')).toBe('password');
    expect(await page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe('prompt-field-0');
    await page.keyboard.type('wrong');
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=prompt][data-attempt="2"]').waitFor();
    await at('prompt-wrong').waitFor();
    expect(await at('prompt-field-0').inputValue()).toBe('');
    await page.keyboard.type('open sesame');
    await at('prompt-remember').check();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'locked', exact: true }).waitFor();
    expect(readFileSync(join(vessel.home, 'ssh', 'secrets.json'), 'utf8')).toContain('open sesame');
    await fresh();
  });

  it('goes through two rounds of a second factor with the words of the host, from the beginning after a wrong code', async () => {
    await enter(`ada@127.0.0.1:${asking.port}`, { name: 'two factors' });
    await at('trust-typed').fill('yes');
    await at('trust').click();
    const round = async (instruction: string, attempt: number, answers: readonly string[]): Promise<void> => {
      await page.locator(`[data-testid=prompt][data-attempt="${attempt}"]`, { hasText: instruction }).waitFor();
      for (const [index, answer] of answers.entries()) await at(`prompt-field-${index}`).fill(answer);
      await at('prompt-send').click();
    };
    await round('Step 1 of 2', 1, ['pw']);
    await page.locator('[data-testid=prompt]', { hasText: 'Choose a way' }).waitFor();
    expect([await at('prompt-field-0').getAttribute('type'), await at('prompt-field-1').getAttribute('type')]).toEqual(['text', 'password']);
    expect(await at('prompt-remember').count()).toBe(0);
    await round('Choose a way', 1, ['1', '000000']);
    await round('Step 1 of 2', 2, ['pw']);
    await round('Choose a way', 2, ['1', '123456']);
    await page.getByRole('heading', { name: 'two factors', exact: true }).waitFor();
    expect(asking.loggedIn()).toBe(1);
    await fresh();
  });

  it('is cancelled at a question without a word, and nothing is left of it', async () => {
    await enter(`ada@127.0.0.1:${asking.port}`, { name: 'given up' });
    await at('trust-typed').fill('yes');
    await at('trust').click();
    await at('prompt').waitFor();
    await at('login-cancel').click();
    await at('add-host-form').waitFor();
    expect(await at('host-target').inputValue()).toBe(`ada@127.0.0.1:${asking.port}`);
    await at('add-host-connect').click();
    await at('prompt').waitFor();
    await page.keyboard.press('Escape');
    await at('login-dialog').waitFor({ state: 'detached' });
    expect(await page.locator('[data-testid=hosts] > li').count()).toBe(1);
  });

  it('shows text, evidence and fix of what stands in the way', async () => {
    const wrongKey = makeKey(person, 'stranger');
    await enter(`${me}@127.0.0.1:${wire.port}`, { identity: wrongKey.path });
    await at('trust-typed').fill('yes');
    await at('trust').click();
    await at('error-panel').waitFor();
    expect(await at('error-code').textContent()).toBe('SSH_AUTH_FAILED');
    expect(await at('error-evidence').textContent()).toContain(`publickey (${wrongKey.path})`);
    expect(await at('error-panel').textContent()).toContain('authorized_keys');
    await at('login-back').click();
    await at('host-target').fill('ada@127.0.0.1:1');
    await at('add-host-connect').click();
    await expect.poll(() => at('error-code').textContent()).toBe('SSH_REFUSED');
    await at('login-back').click();
    await at('host-target').fill('ada@no-such-host.invalid');
    await page.keyboard.press('Enter');
    await expect.poll(() => at('error-code').textContent()).toBe('SSH_NAME_NOT_RESOLVED');
    await page.keyboard.press('Escape');
  });

  it('is reached by the keyboard alone: the palette, the dialog, the confirmation, the page', async () => {
    writeFileSync(join(person, '.ssh', 'config'), `Host alias\n  HostName 127.0.0.1\n  Port ${wire.port}\n  User ${me}\n  IdentityFile ${key.path}\n  IdentitiesOnly yes\n`);
    await go('#/');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('add a host');
    await page.keyboard.press('Enter');
    await at('add-host-form').waitFor();
    await page.keyboard.type('alias');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'alias', exact: true }).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('h');
    await at('host-alias').waitFor();
    expect(await findAccessibilityProblems(page)).toEqual([]);
    await page.keyboard.press('Control+k');
    await page.keyboard.type('remove host alias');
    await page.keyboard.press('Enter');
    await at('remove-host-dialog').waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Keep it');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await at('host-alias').waitFor({ state: 'detached' });
  });
});
