import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeUnless } from '../testing/describe-unless.ts';
import type { Prompt } from '#shared/contract.ts';
import type { DoctorResult, ProvisionResult, UnprovisionResult } from '#shared/host-protocol.ts';
import { endHome } from './home.ts';
import { differences, inventory, type Inventory } from './machine-inventory.ts';
import { startRemoteMachine, whyNoMachine, type MachineOptions, type RemoteMachine } from './remote-machine.ts';
import { finish, startVessel, vesselCli, type RunningVessel } from './vessel.ts';

const why = whyNoMachine();

type Answer<T> = { readonly code: number | null; readonly json: T & { readonly error?: { readonly code: string; readonly message: string; readonly details: Readonly<Record<string, unknown>> } } };

/**
 * No systemd runs inside a namespace: a double keeps note of units that are started, so that the steps which need it leave and take
 * back their files. `vessel-traefik.service` is never really run here.
 */
const SYSTEMCTL = `#!/bin/sh
units=/run/double-units
mkdir -p $units
for last; do :; done
case "$*" in
  is-active*) [ -e "$units/$last" ];;
  "enable --now"*|restart*|start*) touch "$units/$last";;
  "disable --now"*|stop*) rm -f "$units/$last";;
esac
`;

describeUnless(why, 'a fresh machine over SSH', () => {
  let vessel: RunningVessel;
  let scratch = '';
  const machines: RemoteMachine[] = [];
  const machine = async (options: MachineOptions): Promise<RemoteMachine> => {
    const made = await startRemoteMachine(options);
    machines.push(made);
    return made;
  };
  /** The command line as a script runs it: no terminal, nobody to ask. */
  const cli = async <T = unknown>(...argv: string[]): Promise<Answer<T>> => {
    const { code, stdout, stderr } = await vesselCli({ ...vessel.env, HOME: vessel.home, SSH_AUTH_SOCK: '' }, [...argv, '--json']);
    if (stdout.trim() === '') throw new Error(`vessel ${argv.join(' ')} said nothing: ${stderr}`);
    return { code, json: JSON.parse(stdout) as Answer<T>['json'] };
  };
  const add = async (name: string, { target, key, hostKey }: RemoteMachine): Promise<void> => {
    expect((await cli('host', 'add', target, '--name', name, '--identity', key.path, '--accept-host-key', hostKey.fingerprint)).code).toBe(0);
  };
  /** A call during which a person answers every question with the same words. */
  const answering = async <T>(answer: string, call: (promptScope: string) => Promise<T>): Promise<{ readonly result: PromiseSettledResult<T>; readonly asked: readonly Prompt[] }> => {
    const scope = `test-${Math.random()}`;
    const over = new AbortController();
    const asked: Prompt[] = [];
    const watching = (async () => {
      for await (const event of vessel.client.stream('prompts.watch', { scope }, { signal: over.signal })) {
        if (event.kind !== 'prompt') continue;
        asked.push(event.prompt);
        await vessel.client.call('prompts.answer', { promptId: event.prompt.promptId, answers: [answer], remember: false });
      }
    })().catch((error: unknown) => { if (!over.signal.aborted) throw error; });
    const [result] = await Promise.allSettled([call(scope)]);
    over.abort();
    await watching;
    return { result: result as PromiseSettledResult<T>, asked };
  };

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'vsl-traefik-'));
    await writeFile(join(scratch, 'traefik'), '#!/bin/sh\nexec sleep infinity\n');
    vessel = await startVessel({ env: { VESSEL_TRAEFIK_BINARY: join(scratch, 'traefik') } });
    // This computer's image is what is sent.
    await finish(vessel.client, (await vessel.client.call('hosts.provision', { hostId: 'local' })).operationId);
  });
  afterAll(async () => {
    await vessel.stop();
    for (const one of machines) await one.stop();
    await endHome(vessel.home);
    await rm(scratch, { recursive: true, force: true });
  });

  it('is refused before anything changes: no right to sudo, another distribution, a newer agent, no room', async () => {
    const box = await machine({ login: 'none', hostname: 'poor' });
    const before = await inventory(box);
    await add('poor', box);
    expect((await cli('host', 'provision', 'poor')).json.error?.code).toBe('SUDO_PASSWORD_NEEDED');
    const { result, asked } = await answering(box.password, (promptScope) => vessel.client.call('hosts.provision', { hostId: 'poor', promptScope }));
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'SUDO_UNAVAILABLE' } });
    expect(asked.map(({ kind, subject }) => [kind, subject])).toEqual([['password', 'sudo ada@poor']]);

    const allow = await box.exec(['sh', '-c', 'echo "ada ALL=(ALL) NOPASSWD: ALL" > /etc/sudoers.d/ada']);
    expect(allow.code).toBe(0);
    const release = (await box.exec(['cat', '/etc/os-release'])).stdout;
    await box.exec(['sh', '-c', 'sed -i "s/^VERSION_ID=.*/VERSION_ID=\\"11\\"/; s/bookworm/bullseye/g" /etc/os-release']);
    expect((await cli('host', 'provision', 'poor', '--dry-run')).json.error).toMatchObject({ code: 'HOST_UNSUPPORTED', message: expect.stringContaining('of debian 12 is supported') as unknown });
    // /etc/os-release is a link to /usr/lib: sed has replaced it by a file.
    await box.exec(['sh', '-c', 'ln -sf ../usr/lib/os-release /etc/os-release']);
    expect((await box.exec(['cat', '/etc/os-release'])).stdout).toBe(release);

    await box.exec(['sh', '-c', `mkdir -p /usr/local/lib/vessel && cd /usr/local/lib/vessel && ln -s /bin/true infra-agent && echo '{"agentVersion":"99.0.0","agentSha256":"x","agent":"/a","node":"/n"}' > installed.json`]);
    expect((await cli('host', 'provision', 'poor')).json.error).toMatchObject({ code: 'HOST_VERSION', details: { theirs: '99.0.0' } });
    await box.exec(['rm', '-rf', '/usr/local/lib/vessel']);

    // Root's own file system is the person's home here: with 20 MB in it Node does not arrive.
    await box.exec(['mount', '-t', 'tmpfs', '-o', 'size=20m,uid=1000,mode=755', 'none', '/mnt']);
    await box.exec(['sh', '-c', 'cp -a /home/ada/. /mnt/ && mount --move /mnt /home/ada']);
    expect((await cli('host', 'provision', 'poor')).json.error?.code).toBe('DISK_FULL');
    await box.exec(['umount', '--lazy', '/home/ada']);

    await box.exec(['rm', '/etc/sudoers.d/ada']);
    expect(differences(before, await inventory(box))).toEqual([]);
    await vessel.client.call('hosts.remove', { hostId: 'poor' });
  });

  describe('with a password for sudo', () => {
    let box: RemoteMachine;
    let before: Inventory;
    beforeAll(async () => {
      box = await machine({ login: 'password' });
      await box.exec(['sh', '-c', 'cat > /usr/bin/systemctl; chmod 755 /usr/bin/systemctl; mkdir -p /run/systemd/system'], SYSTEMCTL);
      before = await inventory(box);
    });

    it('is added only with the fingerprint that was seen', async () => {
      const { code, json } = await cli('host', 'add', box.target, '--identity', box.key.path);
      expect([code, json.error?.code, json.error?.details['fingerprint']]).toEqual([5, 'HOST_KEY_UNKNOWN', box.hostKey.fingerprint]);
      await add('box', box);
    });

    it('shows every change first, and keeps no trace of the look', async () => {
      expect((await cli('host', 'provision', 'box', '--dry-run'))).toMatchObject({ code: 5, json: { error: { code: 'SUDO_PASSWORD_NEEDED' } } });
      const { result, asked } = await answering(box.password, (promptScope) => vessel.client.call('hosts.plan', { hostId: 'box', promptScope }));
      expect(asked).toHaveLength(1);
      if (result.status === 'rejected') throw result.reason;
      const plan = result.value.steps.flatMap((step) => step.plan);
      for (const change of [/^copy infra-agent .* to \/usr\/local\/lib\/vessel$/, /^copy Node 24/, /^send image /, /^install qemu-system-x86$/, /^create the system user vessel$/, /^create \/var\/vessel\/host$/, /^create the nft table inet vessel$/, /^write \/etc\/traefik\/traefik\.yml$/, /^enable and start vessel-idle\.timer$/]) {
        expect(plan).toEqual(expect.arrayContaining([expect.stringMatching(change)]));
      }
      expect(differences(before, await inventory(box))).toEqual([]);
      // Asked once: the command line needs no terminal any more.
      expect((await cli<ProvisionResult>('host', 'provision', 'box', '--dry-run')).json.status).toBe('planned');
    });

    it('becomes a host although the line breaks in the middle of the image, and stays one when asked again', async () => {
      const { operationId } = await vessel.client.call('hosts.provision', { hostId: 'box' });
      let broken = false;
      const sent: string[] = [];
      const { operation } = await finish(vessel.client, operationId, { onEvent: (event) => {
        if (event.kind !== 'operation') return;
        const image = event.operation.steps.find(({ id }) => id === 'send-image');
        if (image?.state === 'running') sent.push(image.detail ?? '');
        if (broken || image === undefined || image.progress < 0.2 || image.state !== 'running') return;
        broken = true;
        // Every session of sshd at once, as when a router forgets its connections; the listener stays.
        void box.exec(['sh', '-c', 'for pid in /proc/[0-9]*; do case "$(tr "\\0" " " < $pid/cmdline)" in "sshd: ada"*) kill -9 "${pid#/proc/}";; esac; done']);
      } });
      expect(broken, sent.join('\n')).toBe(true);
      expect(operation.state).toBe('succeeded');
      const again = await cli<ProvisionResult>('host', 'provision', 'box');
      expect(again.json).toMatchObject({ status: 'success', changed: 0 });
      expect((await box.exec(['find', '/home/ada', '-name', '*vessel*'])).stdout).toBe('');
      expect((await box.exec(['sh', '-c', 'cat /proc/net/tcp /proc/net/tcp6 | grep -c " 0A "'])).stdout.trim()).toBe('2'); // sshd, twice: nothing of Vessel listens
    });

    it('repairs what went missing, and nothing else', async () => {
      await box.exec(['sh', '-c', 'nft delete table inet vessel; rm /usr/local/lib/vessel/infra-agent']);
      const drift = await cli<ProvisionResult>('host', 'provision', 'box', '--dry-run');
      expect(drift.json.steps.filter(({ plan }) => plan.length > 0).map(({ id }) => id)).toEqual(['agent', 'isolation']);
      expect((await cli<ProvisionResult>('host', 'provision', 'box')).json.steps.filter(({ state }) => state === 'done').map(({ id }) => id)).toEqual(['agent', 'isolation']);
    });

    it('gets this Vessel\'s agent at the next word, where an older one was left', async () => {
      await box.exec(['sh', '-c', 'cd /usr/local/lib/vessel && sed -i \'s/"agentVersion":"[^"]*"/"agentVersion":"0.0.1"/; s/"agentSha256":"[^"]*"/"agentSha256":"old"/\' installed.json']);
      await box.exec(['sh', '-c', 'for pid in /proc/[0-9]*; do case "$(tr "\\0" " " < $pid/cmdline)" in *agent-*.mjs\\ serve*) kill -9 "${pid#/proc/}";; esac; done']);
      await expect.poll(async () => (await cli<{ readonly status: string }>('host', 'facts', 'box')).json.status, { timeout: 30_000 }).toBe('ready');
      expect(JSON.parse((await box.exec(['cat', '/usr/local/lib/vessel/installed.json'])).stdout)).not.toMatchObject({ agentVersion: '0.0.1' });
    });

    it('runs an environment like this computer does, and is examined from its name to its IDE', async () => {
      const created = await cli<{ readonly id: string }>('project', 'create', 'far away', '--host', 'box');
      expect(created.code).toBe(0);
      expect((await cli('open', created.json.id)).code).toBe(0);
      const ran = await vesselCli(vessel.env, ['exec', created.json.id, '--', 'sh', '-c', 'echo kept > note.txt && hostname && cat note.txt']);
      expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('kept') as unknown });
      const doctor = await cli<DoctorResult>('host', 'doctor', 'box');
      expect(doctor.json.checks.filter(({ state }) => state === 'fail')).toEqual([]);
      expect(doctor.json.checks.filter(({ stage }) => ['Forwarding', 'Route', 'IDE'].includes(stage)).map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
      // From what everything else needs to what is seen last, each with its evidence and its time.
      const inOrder = ['Name', 'TCP', 'Host key', 'Login', 'Rights of root', 'Processor', 'Memory and disk', 'infra-agent', 'Golden image with VS Code', 'Template medium', 'Driver', 'Traefik', 'Forwarding', 'Route', 'IDE'];
      expect(doctor.json.checks.map(({ stage }) => stage.replace(/ \(.*$/, '')).filter((stage) => inOrder.includes(stage))).toEqual(inOrder);
      expect(doctor.json.checks.filter(({ evidence, ms }) => evidence === '' || !(ms >= 0))).toEqual([]);
      expect((await cli('host', 'unprovision', 'box', '--yes')).json.error?.code).toBe('BUSY');
      expect((await cli('close', created.json.id)).code).toBe(0);
      const { head } = await vessel.client.call('projects.get', { projectId: created.json.id });
      expect(head?.rev).toBe(2);
      expect((await cli('project', 'delete', created.json.id)).code).toBe(0);
    });

    it('is given back as it was', async () => {
      const { code, json } = await cli<UnprovisionResult>('host', 'unprovision', 'box', '--yes');
      expect([code, json.kept]).toEqual([0, []]);
      expect(json.removed.length).toBeGreaterThan(50);
      expect(json.proof?.filter(({ added, gone }) => added.length + gone.length > 0)).toEqual([]);
      expect(json.proof?.find(({ what }) => what === 'packages')?.before).toBeGreaterThan(50);
      expect(differences(before, await inventory(box))).toEqual([]);
      expect((await cli('host', 'facts', 'box')).json).toMatchObject({ status: 'not-provisioned' });
      // A second time there is nothing left to do.
      expect((await cli<UnprovisionResult>('host', 'unprovision', 'box', '--yes')).code).toBe(0);
      expect(differences(before, await inventory(box))).toEqual([]);
      expect((await cli('host', 'remove', 'box')).code).toBe(0);
      expect(vessel.output()).not.toContain(box.password);
    });
  });
});
