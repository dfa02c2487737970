import type { Channel } from '#shared/wire.ts';

/** Opens the app's WebSocket on the page's own origin; the session cookie goes with it. Rejects when it closes before it opened. */
export function openWebSocketChannel(location: Location): Promise<Channel> {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(`${scheme}//${location.host}/api/socket`);
  return new Promise((resolve, reject) => {
    const onEarlyClose = (): void => reject(new Error('The socket closed before it opened'));
    socket.addEventListener('close', onEarlyClose, { once: true });
    socket.addEventListener('open', () => {
      socket.removeEventListener('close', onEarlyClose);
      resolve({
        send: (text) => socket.send(text),
        onMessage: (listener) => socket.addEventListener('message', (event) => { if (typeof event.data === 'string') listener(event.data); }),
        onClose: (listener) => {
          if (socket.readyState === WebSocket.CLOSED) listener();
          else socket.addEventListener('close', () => listener(), { once: true });
        },
        // The page sends short calls only: there is nothing to hold back.
        drained: () => Promise.resolve(),
        close: () => socket.close(),
      });
    }, { once: true });
  });
}
