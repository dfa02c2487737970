/** What `public/early.js` began before the app was loaded. */
export type EarlySocket = { readonly socket: WebSocket; /** The frame that it sends as soon as it is open. */ readonly asked: string; readonly heard: MessageEvent[] };

declare global {
  interface Window { vesselEarly?: EarlySocket }
}

/** The socket that was opened early, once, if it still lives. */
export function takeEarly(): EarlySocket | null {
  const early = window.vesselEarly;
  delete window.vesselEarly;
  return early === undefined || early.socket.readyState > WebSocket.OPEN ? null : early;
}
