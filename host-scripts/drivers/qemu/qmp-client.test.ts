import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QmpClient } from './qmp-client.ts';

describe('the control channel of the hypervisor', () => {
  let folder = '';
  let server = createServer();
  let peer: Socket;
  let client: QmpClient;
  const lines: { readonly execute: string; readonly id: number }[] = [];
  const say = (message: object): void => { peer.write(`${JSON.stringify(message)}\r\n`); };
  const never = new AbortController().signal;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vessel-qmp-'));
    lines.length = 0;
    server = createServer();
    server.listen(join(folder, 's'));
    const connected = once(server, 'connection');
    const socket = createConnection(join(folder, 's'));
    [peer] = await connected as [Socket];
    peer.setEncoding('utf8').on('data', (chunk: string) => lines.push(...chunk.trim().split('\n').map((line) => JSON.parse(line) as (typeof lines)[number])));
    client = new QmpClient(socket);
    say({ QMP: { version: {}, capabilities: [] } });
  });
  afterEach(async () => {
    client.close();
    peer.destroy();
    server.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('rejects a command that the hypervisor refuses, in its words', async () => {
    const refused = client.execute('cont');
    await expect.poll(() => lines.length).toBe(1);
    say({ error: { class: 'GenericError', desc: 'not now' }, id: 1 });
    await expect(refused).rejects.toMatchObject({ code: 'VM_START_FAILED', message: 'the hypervisor refuses cont: not now' });
  });

  it('rejects everything that is pending when the channel ends', async () => {
    const pending = client.execute('cont');
    const waiting = client.waitForEvent(() => true, never);
    peer.destroy();
    await expect(pending).rejects.toMatchObject({ code: 'VM_DIED' });
    await expect(waiting).rejects.toMatchObject({ code: 'VM_DIED' });
    await expect(client.execute('cont')).rejects.toMatchObject({ code: 'VM_DIED' });
  });

  it('rejects when the hypervisor says something that is not QMP', async () => {
    const pending = client.execute('cont');
    peer.write('Segmentation fault\n');
    await expect(pending).rejects.toMatchObject({ code: 'VM_DIED' });
  });

  it('sends commands at once and matches answers by number, whatever their order and however they are cut', async () => {
    const answers = Promise.all([client.execute('one'), client.execute('two')]);
    await expect.poll(() => lines.map(({ execute }) => execute)).toEqual(['one', 'two']);
    const text = `${JSON.stringify({ return: 'second', id: 2 })}\r\n${JSON.stringify({ return: 'first', id: 1 })}\r\n`;
    peer.write(text.slice(0, 20));
    await new Promise((resolve) => setImmediate(resolve));
    peer.write(text.slice(20));
    expect(await answers).toEqual(['first', 'second']);
  });

  it('gives the first event that matches, and stops waiting when cancelled', async () => {
    const wanted = client.waitForEvent(({ event, data }) => event === 'MIGRATION' && data['status'] === 'completed', never);
    const cancel = new AbortController();
    const cancelled = client.waitForEvent(() => false, cancel.signal);
    say({ event: 'MIGRATION', data: { status: 'active' }, timestamp: {} });
    say({ event: 'MIGRATION', data: { status: 'completed' }, timestamp: {} });
    expect((await wanted).data).toEqual({ status: 'completed' });
    cancel.abort();
    await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
