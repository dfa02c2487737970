import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import { guestHealth } from '../guest/guest-client.ts';
import type { DriverWithAbilities, VmSpec, WorkContext } from './driver.ts';

export type ContractSubject = {
  /** A driver on the same folders as every other call gives: as a second agent on this host. */
  readonly makeDriver: () => DriverWithAbilities;
  readonly mode: VmSpec['mode'];
  readonly cleanUp: () => Promise<void>;
};

const context = (signal = new AbortController().signal, stage: WorkContext['stage'] = () => undefined): WorkContext => ({ signal, stage, log: () => undefined });
const codeOf = (work: Promise<unknown>): Promise<string> => work.then(() => 'it worked', (error: unknown) => VesselError.from(error).code);

const specOf = (subject: ContractSubject) => (id: string): VmSpec => ({ id, tier: 'medium', mode: subject.mode, timezone: 'Europe/Berlin', env: { GREETING: 'hello' }, deadlineMs: 240_000 });

/** What every VM driver promises, see {@link DriverWithAbilities}. The test driver and the real one pass the same suite. */
export function describeDriverContract(name: string, subject: ContractSubject): void {
  describe(`the driver contract, kept by ${name}`, () => {
    const driver = subject.makeDriver();
    const spec = specOf(subject);
    const signal = new AbortController().signal;
    afterAll(subject.cleanUp);

    it('names a VM that does not exist in inspect, and finds nothing to destroy', async () => {
      expect(await codeOf(driver.inspect('never-made'))).toBe('VM_NOT_FOUND');
      expect(await codeOf(driver.logs('never-made', 10))).toBe('VM_NOT_FOUND');
      expect(await driver.destroy('never-made')).toBe(false);
      await driver.stop('never-made');
    });

    it('starts a VM whose agent answers with the new token only, seen alike by another process', async () => {
      await driver.create(spec('contract-one'), context());
      const vm = await driver.start(spec('contract-one'), context());
      expect(vm).toMatchObject({ id: 'contract-one', state: 'running', driver: driver.name, problem: null });
      // A loopback port, or an address that only this host reaches.
      expect(vm.address?.host).toMatch(/^(?:127|10|172)\./);
      const address = vm.address ?? { host: '', port: 0 };
      const health = await guestHealth(address, vm.token ?? '', { signal, attemptMs: 10_000 });
      expect(health.ideReady).toBe(true);
      expect(await codeOf(guestHealth(address, 'x'.repeat(64), { signal, attemptMs: 10_000 }))).toBe('GUEST_UNAUTHORIZED');
      expect(await subject.makeDriver().inspect('contract-one')).toEqual(vm);
      expect((await driver.logs('contract-one', 50)).length).toBeGreaterThan(0);
    });

    it('refuses a second VM of the same name and leaves the first alone', async () => {
      expect(await codeOf(driver.create(spec('contract-one'), context()))).toBe('VM_EXISTS');
      expect((await driver.inspect('contract-one')).state).toBe('running');
    });

    it('shows a VM whose process was killed as broken, with the reason', async () => {
      const { pid } = await driver.inspect('contract-one');
      // Zero would be this test's own process group.
      if (pid === null) throw new Error('a running VM names no process');
      process.kill(pid, 'SIGKILL');
      await expect.poll(async () => (await driver.inspect('contract-one')).state, { timeout: 5_000 }).toBe('broken');
      expect((await driver.inspect('contract-one')).problem).toMatch(/ended by itself/);
    });

    it('leaves nothing of a destroyed VM, and destroying it again changes nothing', async () => {
      expect(await driver.destroy('contract-one')).toBe(true);
      expect(await driver.destroy('contract-one')).toBe(false);
      expect(await driver.list()).toEqual([]);
    });

    it('can be cancelled in the middle of a start, and what was made can be destroyed', async () => {
      const cancel = new AbortController();
      await driver.create(spec('contract-two'), context(cancel.signal));
      const starting = codeOf(driver.start(spec('contract-two'), context(cancel.signal, (stage) => {
        if (stage === 'hypervisor') void delay(20).then(() => cancel.abort(new VesselError('CANCELLED')));
      })));
      expect(await starting).toBe('CANCELLED');
      expect(await driver.destroy('contract-two')).toBe(true);
      expect(await driver.list()).toEqual([]);
    });

    it('reaches the agent without a network where it says so', async (test) => {
      if (driver.abilities.vsock === null) return test.skip(`the ${driver.name} driver has no vsock`);
      await driver.create(spec('contract-vsock'), context());
      const { token } = await driver.start(spec('contract-vsock'), context());
      const socket = await driver.abilities.vsock?.dial('contract-vsock');
      socket?.write(`GET /_vessel/v1/health HTTP/1.1\r\nHost: guest\r\nAuthorization: Bearer ${token ?? ''}\r\nConnection: close\r\n\r\n`);
      let answer = '';
      for await (const chunk of socket ?? []) answer += String(chunk);
      expect(answer).toMatch(/^HTTP\/1\.1 200 .*"ideReady":true/s);
      await driver.destroy('contract-vsock');
      expect(await codeOf(driver.abilities.vsock?.dial('contract-vsock') ?? Promise.resolve())).toBe('GUEST_UNREACHABLE');
    });

    it('stops without removing, and stopping twice is fine', async () => {
      await driver.create(spec('contract-three'), context());
      await driver.start(spec('contract-three'), context());
      await driver.stop('contract-three');
      await driver.stop('contract-three');
      expect((await driver.inspect('contract-three')).state).not.toBe('running');
      expect(await driver.destroy('contract-three')).toBe(true);
    });
  });
}

/** What a driver with the ability to hibernate promises besides, see {@link HibernateAbility}. */
export function describeSleepContract(name: string, subject: ContractSubject): void {
  describe(`the contract of sleep, kept by ${name}`, () => {
    const driver = subject.makeDriver();
    const sleep = driver.abilities.hibernate;
    const spec = specOf(subject);
    afterAll(subject.cleanUp);

    it('names what is not there, and what does not sleep', async () => {
      expect(await codeOf(sleep?.hibernate('never-made', context()) ?? Promise.resolve())).toBe('VM_NOT_FOUND');
      expect(await codeOf(sleep?.resume('never-made', 60_000, context()) ?? Promise.resolve())).toBe('VM_NOT_FOUND');
    });

    it('keeps a VM asleep with its token, files and name, and wakes it by another process', async () => {
      await driver.create(spec('contract-sleep'), context());
      const vm = await driver.start(spec('contract-sleep'), context());
      const file = `http://${vm.address?.host}:${vm.address?.port}/_vessel/v1/files?path=kept.txt`;
      const headers = { authorization: `Bearer ${vm.token ?? ''}` };
      expect((await fetch(file, { method: 'PUT', headers, body: 'kept' })).ok).toBe(true);
      const asleep = await sleep?.hibernate('contract-sleep', context());
      expect(asleep).toMatchObject({ state: 'hibernated', address: null, token: vm.token, problem: null });
      expect(await sleep?.hibernate('contract-sleep', context())).toEqual(asleep);
      expect(await subject.makeDriver().inspect('contract-sleep')).toEqual(asleep);
      const awake = await subject.makeDriver().abilities.hibernate?.resume('contract-sleep', 120_000, context());
      expect(awake).toMatchObject({ state: 'running', token: vm.token, createdAt: vm.createdAt, problem: null });
      expect(await sleep?.resume('contract-sleep', 120_000, context())).toEqual(awake);
      const again = `http://${awake?.address?.host}:${awake?.address?.port}/_vessel/v1/files?path=kept.txt`;
      expect(await (await fetch(again, { headers })).text()).toBe('kept');
    });

    it.each(['resume.launch', 'resume.wake'])('can be called off on the way, at "%s", and woken again', async (at) => {
      await sleep?.hibernate('contract-sleep', context());
      const cancel = new AbortController();
      const going = sleep?.resume('contract-sleep', 120_000, context(cancel.signal, (stage) => { if (stage === at) cancel.abort(new VesselError('CANCELLED')); })) ?? Promise.resolve();
      expect(await codeOf(going)).toBe('CANCELLED');
      expect((await driver.inspect('contract-sleep')).state).toBe('hibernated');
      expect((await sleep?.resume('contract-sleep', 120_000, context()))?.state).toBe('running');
    });

    it('removes one that sleeps', async () => {
      await sleep?.hibernate('contract-sleep', context());
      await driver.stop('contract-sleep');
      expect((await driver.inspect('contract-sleep')).state).toBe('hibernated');
      expect(await driver.destroy('contract-sleep')).toBe(true);
      expect(await driver.list()).toEqual([]);
    });
  });
}
