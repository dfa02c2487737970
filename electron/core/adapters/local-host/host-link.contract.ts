import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import type { HostLink } from '../../ports/host-link.ts';

export type HostLinkUnderTest = {
  /** A link whose agent is fake-agent.fixture.mjs. */
  readonly make: () => HostLink;
  /** Kills the agent behind the link's back. */
  readonly killAgent: (link: HostLink) => void;
};

/** What every host link must do, whatever lies between it and the agent. */
export function hostLinkContract(name: string, { make, killAgent }: HostLinkUnderTest): void {
  const links: HostLink[] = [];
  const fresh = (): HostLink => { const link = make(); links.push(link); return link; };
  afterEach(async () => { await Promise.all(links.splice(0).map((link) => link.dispose())); });

  describe(`${name} as a host link`, () => {
    it('fails pending requests with AGENT_LOST and its last words when the agent dies, and starts it anew for the next', async () => {
      const link = fresh();
      const first = await link.request('hello', { client: 'test' });
      await expect(link.request('inspect', { id: 'die' })).rejects.toThrow(expect.objectContaining({ code: 'AGENT_LOST', logTail: expect.arrayContaining(['about to die']) as unknown }));
      expect((await link.request('hello', { client: 'test' })).pid).not.toBe(first.pid);
    });
    it('notices that the agent was killed', async () => {
      const link = fresh();
      await link.request('hello', { client: 'test' });
      const pending = link.request('inspect', { id: 'silent' });
      killAgent(link);
      await expect(pending).rejects.toThrow(expect.objectContaining({ code: 'AGENT_LOST' }));
    });
    it('passes on the error that the agent names, whole', async () => {
      await expect(fresh().request('inspect', { id: 'missing' })).rejects.toThrow(expect.objectContaining({ code: 'VM_NOT_FOUND', hint: 'h', details: { id: 'missing' }, logTail: ['tail'] }));
    });
    it('refuses a result of unknown shape', async () => {
      await expect(fresh().request('inspect', { id: 'garbage' })).rejects.toThrow(expect.objectContaining({ code: 'HOST_VERSION' }));
    });
    it('cancels a request, before and after it was sent', async () => {
      const link = fresh();
      await expect(link.request('list', {}, { signal: AbortSignal.abort() })).rejects.toThrow(expect.objectContaining({ code: 'CANCELLED' }));
      const abort = new AbortController();
      const pending = link.request('inspect', { id: 'silent' }, { signal: abort.signal });
      setTimeout(() => abort.abort(), 20);
      await expect(pending).rejects.toThrow(expect.objectContaining({ code: 'CANCELLED' }));
    });
    it('tells stages, log lines and changes of VMs, in order', async () => {
      const link = fresh();
      const seen: string[] = [];
      const unsubscribe = link.onVm((vm) => seen.push(`${vm.id} ${vm.state}`));
      await link.request('inspect', { id: 'fine' }, { onMessage: (message) => seen.push(message.type) });
      unsubscribe();
      await link.request('inspect', { id: 'fine' });
      expect(seen).toEqual(['stage', 'log', 'other stopped']);
    });
    it('outlives a listener that fails, which keeps no other from hearing', async () => {
      const link = fresh();
      const seen: string[] = [];
      const unsubscribe = [link.onVm(() => { throw new Error('the disk is full'); }), link.onVm((vm) => seen.push(vm.id))];
      expect((await link.request('inspect', { id: 'fine' })).id).toBe('fine');
      for (const end of unsubscribe) end();
      expect(seen).toEqual(['other']);
    });
    it('answers many requests at once', async () => {
      const link = fresh();
      const vms = await Promise.all(Array.from({ length: 50 }, (_, index) => link.request('inspect', { id: `vm${index}` })));
      expect(vms.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, index) => `vm${index}`));
    });
    it('carries bytes to an address of the host, and says GUEST_UNREACHABLE when nothing listens', async () => {
      const link = fresh();
      const server = createServer((socket) => { socket.end('hello from there'); });
      await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('no port');
      const stream = await link.forward('127.0.0.1', address.port);
      expect(await text(stream)).toBe('hello from there');
      // Connections that lie ready for the next caller do not end with this one.
      server.close();
      await expect.poll(() => link.forward('127.0.0.1', address.port).then((late) => { late.destroy(); return 'open'; }, () => 'closed')).toBe('closed');
      await expect(link.forward('127.0.0.1', address.port)).rejects.toThrow(expect.objectContaining({ code: 'GUEST_UNREACHABLE' }));
    });
    it('ends what is pending when it is disposed, and takes no more', async () => {
      const link = fresh();
      const pending = link.request('inspect', { id: 'silent' });
      const outcome = expect(pending).rejects.toThrow(expect.objectContaining({ code: 'INTERRUPTED' }));
      await link.dispose();
      await outcome;
      await expect(link.request('list', {})).rejects.toThrow(expect.objectContaining({ code: 'INTERRUPTED' }));
    });
  });
}
