// Runs before the app is loaded: asks for the list while the browser still reads and compiles the app. `web-socket-channel.ts` goes on with it.
(() => {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const asked = '{"t":"stream","id":1,"name":"state.watch","input":{}}';
  const early = { socket: new WebSocket(`${scheme}//${location.host}/api/socket`), asked, heard: [] };
  early.socket.onopen = () => early.socket.send(asked);
  early.socket.onmessage = (event) => early.heard.push(event);
  window.vesselEarly = early;
})();
