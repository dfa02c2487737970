import type { Channel } from '#shared/wire.ts';
import { type EarlySocket, takeEarly } from './early-socket.ts';

/** Opens the app's WebSocket on the page's own origin, or goes on with the one that was opened early; the session cookie goes with it. Rejects when it closes before it opened. */
export function openWebSocketChannel(location: Location, early: EarlySocket | null = takeEarly()): Promise<Channel> {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = early?.socket ?? new WebSocket(`${scheme}//${location.host}/api/socket`);
  return new Promise((resolve, reject) => {
    const onEarlyClose = (): void => reject(new Error('The socket closed before it opened'));
    const onOpen = (): void => {
      socket.removeEventListener('close', onEarlyClose);
      resolve(channelOf(socket, early));
    };
    socket.addEventListener('close', onEarlyClose, { once: true });
    if (socket.readyState === WebSocket.OPEN) onOpen();
    else socket.addEventListener('open', onOpen, { once: true });
  });
}

function channelOf(socket: WebSocket, early: EarlySocket | null): Channel {
  /** Until the first question shows whether it is the one that was asked early. */
  let open = early;
  const listeners: ((text: string) => void)[] = [];
  const hear = ({ data }: MessageEvent): void => { if (typeof data === 'string') for (const listener of listeners) listener(data); };
  if (early === null) socket.addEventListener('message', hear);
  return {
    send: (text) => {
      const begun = open;
      open = null;
      if (begun === null) { socket.send(text); return; }
      socket.onmessage = null;
      socket.addEventListener('message', hear);
      if (begun.asked === text) { for (const event of begun.heard.splice(0)) hear(event); return; }
      socket.send(JSON.stringify({ t: 'cancel', id: 1 }));
      socket.send(text);
    },
    onMessage: (listener) => { listeners.push(listener); },
    onClose: (listener) => {
      if (socket.readyState === WebSocket.CLOSED) listener();
      else socket.addEventListener('close', () => listener(), { once: true });
    },
    // The page sends short calls only: there is nothing to hold back.
    drained: () => Promise.resolve(),
    close: () => socket.close(),
  };
}
