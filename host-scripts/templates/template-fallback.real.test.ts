import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../../build/testing/describe-unless.ts';
import type { StartResult } from '#shared/host-protocol.ts';
import { sweepInterruptedBuilds } from '../drivers/qemu/build-template.ts';
import { socketDirFor } from '../drivers/qemu/socket-dir.ts';
import { cannotRunMachines, quietContext, realHost } from '../real-host.test-helper.ts';
import type { RealHost } from '../real-host.test-helper.ts';
import { TemplateStore } from './template-store.ts';

const why = cannotRunMachines();

describeUnless(why, 'when there is no usable template', () => {
  let real: RealHost;
  const start = (id: string, mode: 'auto' | 'clone' = 'auto'): Promise<StartResult> =>
    real.host.start({ id, tier: 'small', mode, timezone: 'UTC', env: {}, deadlineMs: 280_000 }, quietContext());
  const state = async (): Promise<string | undefined> => (await real.host.facts({}, quietContext())).templates.find(({ tier }) => tier === 'small')?.state;
  const rebuilt = (): Promise<void> => expect.poll(state, { timeout: 280_000, interval: 500 }).toBe('ready');
  const templateFolder = async (): Promise<string> => {
    const store = new TemplateStore(real.paths.templates);
    return store.directory((await store.keys())[0] ?? 'none');
  };

  beforeAll(async () => {
    real = await realHost({ ownTemplates: true });
    await real.host.provision({ dryRun: false, tiers: [] }, quietContext());
  }, 20 * 60_000);
  afterAll(() => real.dispose());

  it('a clone that was insisted on is refused with TEMPLATE_MISSING and leaves nothing', async () => {
    await expect(start('insists', 'clone')).rejects.toMatchObject({ code: 'TEMPLATE_MISSING' });
    expect((await real.host.list({}, quietContext())).vms).toEqual([]);
  });

  it('a start boots cold, a template is made in the background, and the next start clones it', async () => {
    expect((await start('first')).vm.startKind).toBe('cold');
    await rebuilt();
    expect((await start('second')).vm.startKind).toBe('clone');
  });

  it('the machine of a build that was killed is ended by the next build, whatever its key', async () => {
    const folder = join(real.paths.templates, `${'0'.repeat(24)}.building-dead`);
    const socketDir = socketDirFor(real.paths.run, folder);
    await mkdir(folder);
    const orphan = spawn('sleep', ['600'], { argv0: `sleep ${socketDir}/control.sock`, stdio: 'ignore', detached: true });
    const ended = once(orphan, 'exit');
    await sweepInterruptedBuilds(new TemplateStore(real.paths.templates), real.paths.run, null);
    expect((await ended)[1]).toBe('SIGKILL');
    expect(await new TemplateStore(real.paths.templates).leftovers()).toEqual([]);
  });

  it('a damaged state is noticed before it is used', async () => {
    const path = join(await templateFolder(), 'state');
    const bytes = await readFile(path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0xff;
    await writeFile(path, bytes);
    expect(await state()).toBe('stale');
    expect((await start('third')).vm.startKind).toBe('cold');
    await rebuilt();
  });

  it('a template that the hypervisor refuses is given up for a cold boot within the same start', async () => {
    const folder = await templateFolder();
    const rubbish = Buffer.from('this is not the state of a machine');
    await writeFile(join(folder, 'state'), rubbish);
    const meta = JSON.parse(await readFile(join(folder, 'meta.json'), 'utf8')) as Record<string, unknown>;
    await writeFile(join(folder, 'meta.json'), JSON.stringify({ ...meta, stateSha256: createHash('sha256').update(rubbish).digest('hex') }));
    expect((await start('fourth')).vm.startKind).toBe('cold');
    await rebuilt();
  });

  it('clones of a template live on when it is taken away', async () => {
    await new TemplateStore(real.paths.templates).discard((await new TemplateStore(real.paths.templates).keys())[0] ?? 'none');
    expect((await real.host.inspect({ id: 'second' }, quietContext())).state).toBe('running');
    expect(await state()).toBe('missing');
  });
});
