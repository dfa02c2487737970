import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { startAskingServer } from '../../electron/core/adapters/ssh/testing/asking-server.ts';
import { makeKey, me, scratch, startCutter, startSshd } from '../../electron/core/adapters/ssh/testing/sshd.ts';
import { endHome } from '../e2e/home.ts';
import { makeHome, type RunningVessel } from '../e2e/vessel.ts';
import type { Camera } from './camera.ts';

const AGENT = fileURLToPath(new URL('../../out/host/infra-agent.mjs', import.meta.url));

/** Machines that somebody could have: real SSH servers of this computer under names that people give. */
export type Neighbourhood = {
  /** What Vessel must have in its environment to live there. */
  readonly env: Readonly<Record<string, string>>;
  /** Breaks the line to a machine as a pulled cable does. */
  cut(name: 'build-box' | 'attic'): void;
  mend(name: 'build-box' | 'attic'): void;
  /** The machine was set up anew: it shows another key. */
  replaceAttic(): Promise<void>;
  stop(): Promise<void>;
};

export async function startNeighbourhood(): Promise<Neighbourhood> {
  const person = scratch();
  const farHome = await makeHome();
  mkdirSync(join(person, '.ssh'), { mode: 0o700 });
  const key = makeKey(join(person, '.ssh'), 'id_ed25519');
  const buildBox = await startSshd({ authorized: [key.publicLine] });
  let attic = await startSshd({ authorized: [key.publicLine] });
  const wires = { 'build-box': await startCutter(buildBox.port), attic: await startCutter(attic.port) };
  const lab = await startAskingServer([
    { instruction: 'Two-factor login for the lab', prompts: [{ prompt: 'Password: ', echo: false }], want: ['pw'] },
    { instruction: ' 1. Push to your phone\n 2. Code from your app', prompts: [{ prompt: 'Option (1-2): ', echo: true }, { prompt: 'Code: ', echo: false }], want: ['2', '123456'] },
  ]);
  const host = (alias: string, name: string, port: number, user = me): string => `Host ${alias}\n  HostName localhost\n  Port ${port}\n  User ${user}\n  HostKeyAlias ${name}\n`;
  writeFileSync(join(person, '.ssh', 'config'), [host('build-box', 'build.example.org', wires['build-box'].port), host('attic', 'attic.example.org', wires.attic.port), host('lab', 'lab.example.edu', lab.port, 'ada')].join('\n'));
  const settings = { VESSEL_HOME: farHome, ...(process.env['VESSEL_CACHE'] === undefined ? {} : { VESSEL_CACHE: process.env['VESSEL_CACHE'] }) };
  return {
    env: { HOME: person, SSH_AUTH_SOCK: '', VESSEL_REMOTE_AGENT: JSON.stringify(['/usr/bin/env', ...Object.entries(settings).map(([name, value]) => `${name}=${value}`), process.execPath, AGENT, '--home', farHome]) },
    cut: (name) => wires[name].cut(),
    mend: (name) => wires[name].mend(),
    replaceAttic: async () => {
      const { port } = attic;
      await attic.stop();
      attic = await startSshd({ authorized: [key.publicLine], port });
      wires.attic.cut();
      wires.attic.mend();
    },
    stop: async () => {
      for (const wire of Object.values(wires)) await wire.close();
      await buildBox.stop();
      await attic.stop();
      lab.stop();
      await endHome(farHome);
      rmSync(person, { recursive: true, force: true });
    },
  };
}

/** Adds hosts as a person does, and photographs what that person sees. */
export async function photographHosts(page: Page, camera: Camera, vessel: RunningVessel, neighbourhood: Neighbourhood): Promise<void> {
  const at = (id: string): ReturnType<Page['getByTestId']> => page.getByTestId(id).first();
  const go = async (hash: string): Promise<void> => {
    await page.evaluate(`window.location.hash = ${JSON.stringify(hash)}`);
    await page.locator('#main').waitFor();
  };
  const add = async (target: string): Promise<void> => {
    await go('#/add-host');
    await at('host-target').fill(target);
    await at('add-host-connect').click();
    await at('trust-typed').waitFor();
  };
  const trust = async (): Promise<void> => {
    await at('trust-typed').fill('yes');
    await at('trust').click();
  };
  const added = async (name: string): Promise<void> => {
    await page.getByRole('heading', { name, exact: true }).waitFor();
    // Under the next dialog nobody could put it away.
    await page.getByTestId('toasts').getByRole('button').first().click();
  };

  await add('build-box');
  await camera.take('host-key');
  await trust();
  await added('build-box');
  await add('attic');
  await trust();
  await added('attic');
  await add('lab');
  await trust();
  await at('prompt-field-0').fill('pw');
  await at('prompt-send').click();
  await at('prompt-field-1').waitFor();
  await camera.take('host-question');
  await at('prompt-field-0').fill('2');
  await at('prompt-field-1').fill('123456');
  await at('prompt-send').click();
  await added('lab');

  const { id: projectId } = await vessel.client.call('projects.create', { name: 'Render farm', template: 'node', hostId: 'build-box' });
  await go('#/');
  await page.getByTestId(`project-${projectId}`).getByTestId('open').click();
  await page.frameLocator('[data-testid=ide-frame]').locator('.monaco-workbench').waitFor();
  await go('#/hosts/build-box');
  await page.getByText('Ready', { exact: true }).first().waitFor();
  await page.getByTestId('accelerator').waitFor();
  await camera.take('host-remote');

  neighbourhood.cut('attic');
  await go('#/hosts');
  await page.getByTestId('host-attic').getByText('Reconnecting').waitFor();
  await camera.take('hosts', { large: true });
  neighbourhood.mend('attic');
  await neighbourhood.replaceAttic();
  await page.getByTestId('host-attic').getByText('Stopped: its key is not the one on file').waitFor();
  await page.getByTestId('host-attic').getByTestId('host-connect').click();
  await page.getByTestId('changed-key').waitFor();
  await camera.take('host-stopped');
  await page.keyboard.press('Escape');

  await go(`#/projects/${projectId}`);
  await page.frameLocator('[data-testid=ide-frame]').locator('.monaco-workbench').waitFor();
  await page.waitForTimeout(IDE_SETTLE_MS);
  neighbourhood.cut('build-box');
  await page.locator('[data-testid=host-away][data-state=away]').waitFor();
  await camera.take('ide-away', { settleMs: IDE_SETTLE_MS });
  neighbourhood.mend('build-box');
  await page.locator('[data-testid=host-away][data-state=back]').waitFor();
  await go('#/');
  const { operationId } = await vessel.client.call('environments.discard', { projectId, confirm: projectId });
  for await (const event of vessel.client.stream('operations.watch', { operationId })) if (event.kind === 'operation' && event.operation.state !== 'running') break;
}

/** VS Code draws its parts one after the other; nothing tells when the last is there. */
const IDE_SETTLE_MS = 2500;
