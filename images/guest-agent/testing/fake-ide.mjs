// A tiny IDE for tests: answers /healthz, echoes requests and WebSocket messages, dies on /die.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const server = createServer((request, response) => {
  if (request.url === '/healthz') {
    response.end('{}');
    return;
  }
  if (request.url === '/die') process.exit(3);
  response.setHeader('x-pid', String(process.pid));
  response.setHeader('x-seen', JSON.stringify({ url: request.url, ...request.headers }));
  request.pipe(response);
});
new WebSocketServer({ server }).on('connection', (client, request) => {
  client.send(JSON.stringify({ authorization: request.headers.authorization ?? null, host: request.headers.host, url: request.url }));
  client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
});
server.listen(Number(process.argv[2]), process.argv[3] ?? '127.0.0.1', () => console.log('fake IDE listens'));
