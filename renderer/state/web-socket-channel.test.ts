import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { EarlySocket } from './early-socket.ts';
import { openWebSocketChannel } from './web-socket-channel.ts';

/** A socket that is open already and notes what is sent. */
class OpenSocket extends EventTarget {
  readonly readyState = WebSocket.OPEN;
  readonly sent: string[] = [];
  onmessage: ((event: MessageEvent) => void) | null = null;
  send(text: string): void { this.sent.push(text); }
  say(data: string): void { const event = new MessageEvent('message', { data }); this.onmessage?.(event); this.dispatchEvent(event); }
}
const ASKED = JSON.stringify({ t: 'stream', id: 1, name: 'state.watch', input: {} });
const nowhere = {} as Location;
function begin(): { readonly socket: OpenSocket; readonly early: EarlySocket } {
  const socket = new OpenSocket();
  const early = { socket: socket as unknown as WebSocket, asked: ASKED, heard: [] as MessageEvent[] };
  socket.onmessage = (event) => early.heard.push(event);
  return { socket, early };
}

it('goes on with what was asked early: nothing is asked twice, and nothing that was heard is lost', async () => {
  const { socket, early } = begin();
  socket.say('one');
  const channel = await openWebSocketChannel(nowhere, early);
  const heard: string[] = [];
  channel.onMessage((text) => heard.push(text));
  socket.say('two');
  expect(heard).toEqual([]); // nobody has asked yet
  channel.send(ASKED);
  socket.say('three');
  channel.send('other');
  expect(heard).toEqual(['one', 'two', 'three']);
  expect(socket.sent).toEqual(['other']);
});

it('gives up what was asked early when the app begins with another question', async () => {
  const { socket, early } = begin();
  socket.say('one');
  const channel = await openWebSocketChannel(nowhere, early);
  const heard: string[] = [];
  channel.onMessage((text) => heard.push(text));
  channel.send('another question');
  socket.say('its answer');
  expect(socket.sent).toEqual([JSON.stringify({ t: 'cancel', id: 1 }), 'another question']);
  expect(heard).toEqual(['its answer']);
});

it('asks early exactly what the app asks first', () => {
  expect(readFileSync(new URL('../public/early.js', import.meta.url), 'utf8')).toContain(`const asked = '${ASKED}';`);
});
