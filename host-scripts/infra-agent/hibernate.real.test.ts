import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, readdir, readlink, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeUnless } from '../../build/testing/describe-unless.ts';
import type { Vm } from '#shared/host-protocol.ts';
import { execInGuest } from '../guest/exec.test-helper.ts';
import { verbThatDies } from './agent-process.test-helper.ts';
import { cannotRunMachines, quietContext, realHost } from '../real-host.test-helper.ts';
import type { RealHost } from '../real-host.test-helper.ts';

const why = cannotRunMachines();

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

/**
 * What a person leaves behind in a guest: a shell in a terminal with a variable of its own, and a text that no file holds yet. Whoever connects
 * types `echo` into that terminal and gets what it printed, the text, and how often it was asked.
 */
const WORK = `
import os, pty, select, socket, time
secret = os.urandom(8).hex()
pid, shell = pty.fork()
if pid == 0: os.execvp("bash", ["bash", "--norc", "-i"])
os.write(shell, b"kept=shell-" + str(os.getpid()).encode() + b"\\n")
server = socket.create_server(("127.0.0.1", 4567))
count = 0
while True:
    client, _ = server.accept()
    count += 1
    while select.select([shell], [], [], 0.3)[0]: os.read(shell, 65536)
    os.write(shell, b"echo [$kept]\\n")
    said = b""
    while b"\\n[" not in said: said += os.read(shell, 4096)
    client.sendall(("%s %s %d %d" % (said.split(b"[")[-1].split(b"]")[0].decode(), secret, os.getpid(), count)).encode())
    client.close()
`;
const ASK = 'import socket; c = socket.create_connection(("127.0.0.1", 4567)); print(c.recv(200).decode())';

describeUnless(why, 'hibernation', () => {
  let real: RealHost;
  beforeAll(async () => {
    real = await realHost();
    await real.host.provision({ dryRun: false, tiers: ['medium'] }, quietContext());
  }, 20 * 60_000);
  afterAll(() => real.dispose());

  const vmOf = (id: string): Promise<Vm> => real.host.inspect({ id }, quietContext());
  const hibernate = (id: string): Promise<Vm> => real.host.hibernate({ id }, quietContext()).then(({ vm }) => vm);
  const resume = (id: string): Promise<Vm> => real.host.resume({ id, deadlineMs: 120_000 }, quietContext()).then(({ vm }) => vm);
  const sh = async (id: string, script: string): Promise<string> => {
    const { stdout, stderr, code } = await execInGuest(await vmOf(id), ['sh', '-c', script]);
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  /** Shell variable, text and process of the work inside: all but the count of questions. */
  const work = async (id: string): Promise<string> => (await sh(id, `python3 -c '${ASK}'`)).split(' ').slice(0, 3).join(' ');

  async function begin(id: string, mode: 'clone' | 'cold' = 'clone'): Promise<string> {
    const { vm } = await real.host.start({ id, tier: 'medium', mode, timezone: 'Asia/Tokyo', env: { COLOUR: 'red' }, deadlineMs: 120_000 }, quietContext());
    const { address, token } = vm;
    await fetch(`http://${address?.host}:${address?.port}/_vessel/v1/files?path=work.py`, { method: 'PUT', headers: { authorization: `Bearer ${token}` }, body: WORK });
    await sh(id, 'cd /home/workspace; setsid -f python3 work.py >/dev/null 2>&1 </dev/null; sleep 2');
    return work(id);
  }

  it('keeps a shell in a terminal, unsaved text, disk, names and token; frees the memory; sets the clock; twice', async () => {
    const before = await begin('sleeper');
    const first = await vmOf('sleeper');
    const identity = 'hostname; cat /etc/machine-id; echo $COLOUR; date +%Z';
    const told = await sh('sleeper', identity);
    for (let round = 1; round <= 2; round += 1) {
      await sh('sleeper', `echo round-${round} >> /home/workspace/notes.txt`);
      const { pid } = await vmOf('sleeper');
      const asleep = await hibernate('sleeper');
      expect(asleep).toMatchObject({ state: 'hibernated', address: null, pid: null, token: first.token, problem: null });
      expect(asleep.sleep?.bytes).toBeLessThan(700 * 1024 * 1024);
      expect(existsSync(`/proc/${pid}/exe`)).toBe(false);
      expect(await readdir(real.paths.traefik)).toEqual([]);
      expect(await hibernate('sleeper')).toEqual(asleep);
      // By another agent, as after the one that did it has ended.
      await delay(3_000);
      const { vm } = await real.another().resume({ id: 'sleeper', deadlineMs: 120_000 }, quietContext());
      expect(vm).toMatchObject({ state: 'running', token: first.token, createdAt: first.createdAt });
      expect(await resume('sleeper')).toEqual(vm);
      expect(await work('sleeper')).toBe(before);
      expect(await sh('sleeper', identity)).toBe(told);
      expect(Math.abs(Number(await sh('sleeper', 'date +%s%3N')) - Date.now())).toBeLessThan(2_500);
      expect(await sh('sleeper', 'wc -l < /home/workspace/notes.txt')).toBe(String(round));
      expect(await readdir(real.paths.traefik)).toEqual(['sleeper.yml']);
    }
    // The clone's images and templates may be removed while it sleeps: it goes on from files of its own.
    const { pid } = await vmOf('sleeper');
    const open = await Promise.all((await readdir(`/proc/${pid}/fd`)).map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')));
    expect(open.filter((path) => path.startsWith(real.cache))).toEqual([]);
    expect(await sh('sleeper', 'curl -s -m 5 -o /dev/null -w "%{http_code}" http://169.254.169.254/ || true')).toBe('000');
  });

  it('survives a restart of the host asleep, while a VM that ran is reported dead', async () => {
    const before = await work('sleeper');
    await real.host.start({ id: 'awake', tier: 'medium', mode: 'clone', timezone: 'UTC', env: {}, deadlineMs: 120_000 }, quietContext());
    await hibernate('sleeper');
    for (const id of ['sleeper', 'awake']) {
      const path = `${real.paths.vms}/${id}/vm.json`;
      await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')) as object, bootId: 'another boot' }));
    }
    const { vms } = await real.host.list({}, quietContext());
    expect(vms.map(({ id, state, problem }) => [id, state, problem])).toEqual([['awake', 'stopped', 'the host was restarted'], ['sleeper', 'hibernated', null]]);
    await expect(resume('awake')).rejects.toMatchObject({ code: 'RESUME_FAILED' });
    expect((await resume('sleeper')).state).toBe('running');
    expect(await work('sleeper')).toBe(before);
    await real.host.stop({ id: 'awake' }, quietContext());
  });

  it('leaves it asleep, and says why, when its memory cannot be taken up; and wakes it once that is repaired', async () => {
    const before = await work('sleeper');
    await hibernate('sleeper');
    const memory = `${real.paths.vms}/sleeper/frozen/memory`;
    const bytes = await readFile(memory);
    await writeFile(memory, 'not the memory of a machine');
    await expect(resume('sleeper')).rejects.toMatchObject({ code: 'RESUME_FAILED' });
    expect(await vmOf('sleeper')).toMatchObject({ state: 'hibernated', problem: expect.stringContaining('transfer') as string });
    await writeFile(memory, bytes);
    await resume('sleeper');
    expect(await work('sleeper')).toBe(before);
  });

  it('keeps a machine that booted without a template as well', async () => {
    const before = await begin('booted', 'cold');
    await hibernate('booted');
    expect((await resume('booted')).startKind).toBe('cold');
    expect(await work('booted')).toBe(before);
    await real.host.stop({ id: 'booted' }, quietContext());
  });

  it('can be called off on the way to sleep, and the guest runs on', async () => {
    const before = await work('sleeper');
    const stop = new AbortController();
    const going = real.host.hibernate({ id: 'sleeper' }, { ...quietContext(stop.signal), stage: (stage) => { if (stage === 'hibernate.memory') setTimeout(() => stop.abort(), 50); } });
    await expect(going).rejects.toMatchObject({ code: 'CANCELLED' });
    expect((await vmOf('sleeper')).state).toBe('running');
    expect(await work('sleeper')).toBe(before);
  });

  describe('when infra-agent is killed', () => {
    const dies = (verb: 'hibernate' | 'resume', stage: string): Promise<void> => verbThatDies(real, [verb, 'sleeper'], stage);
    for (const stage of ['keep', 'stop', 'memory', 'seal', 'commit', 'end']) {
      it(`while it hibernates, at "${stage}", nothing is lost`, async () => {
        const before = await work('sleeper');
        await dies('hibernate', `hibernate.${stage}`);
        expect((await vmOf('sleeper')).state).toBe(stage === 'keep' || stage === 'stop' ? 'running' : 'hibernated');
        await resume('sleeper');
        expect(await work('sleeper')).toBe(before);
      });
    }
    for (const stage of ['launch', 'restore', 'commit', 'go', 'wake', 'done']) {
      it(`while it resumes, at "${stage}", nothing is lost`, async () => {
        const before = await work('sleeper');
        await hibernate('sleeper');
        await dies('resume', `resume.${stage}`);
        expect((await vmOf('sleeper')).state).toBe('hibernated');
        await resume('sleeper');
        expect(await work('sleeper')).toBe(before);
      });
    }
    it('on the way to sleep, the next round of the timer finishes it', async () => {
      const before = await work('sleeper');
      const { pid } = await vmOf('sleeper');
      await dies('hibernate', 'hibernate.memory');
      await real.host.idle({ idleMinutes: 30, awayMinutes: 5 }, quietContext());
      expect(existsSync(`/proc/${pid}/exe`)).toBe(false);
      await resume('sleeper');
      expect(await work('sleeper')).toBe(before);
    });
  });

  it('is done by the timer when nobody used it and no desktop is connected, and only then', async () => {
    const serving = spawn(process.execPath, [MAIN, 'serve', '--home', real.home, '--cache', real.cache], { stdio: ['pipe', 'ignore', 'ignore'] });
    await expect.poll(() => readdir(`${real.paths.state}/serving`).catch(() => [])).toHaveLength(1);
    const round = (idleMinutes: number): ReturnType<typeof real.host.idle> => real.host.idle({ idleMinutes, awayMinutes: 5 }, quietContext());
    expect(await round(0.0001)).toMatchObject({ desktopAway: false, hibernated: [], kept: [{ id: 'sleeper', why: 'a desktop is connected' }] });
    serving.kill('SIGKILL');
    await once(serving, 'exit');
    expect(await round(30)).toMatchObject({ desktopAway: true, hibernated: [], kept: [{ id: 'sleeper', why: expect.stringMatching(/min ago/) as string }] });
    await delay(1_000);
    expect(await round(0.01)).toMatchObject({ desktopAway: true, hibernated: ['sleeper'], kept: [] });
    expect((await vmOf('sleeper')).state).toBe('hibernated');
    expect(await real.host.stop({ id: 'sleeper' }, quietContext())).toEqual({ status: 'success', existed: true });
    expect(await readdir(real.paths.vms)).toEqual([]);
  });
});
