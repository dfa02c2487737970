/**
 * The stand-in IDE of the test driver, run by the guest agent as `node ide-page.mjs <port>`. It answers `/healthz`, shows one
 * page with an input field, and echoes WebSocket upgrades' first bytes away: enough for gateways and interfaces to be tested.
 */
export const IDE_PAGE_SOURCE = `import { createServer } from 'node:http';
const page = '<!doctype html><html lang="en"><title>Stand-in IDE</title><body><main class="monaco-workbench"><h1>Stand-in IDE</h1><textarea aria-label="Editor"></textarea></main></body></html>';
createServer((request, response) => {
  if (request.url === '/healthz') {
    response.setHeader('content-type', 'application/json').end('{"status":"alive"}');
  } else {
    response.setHeader('content-type', 'text/html; charset=utf-8').end(page);
  }
}).listen(Number(process.argv[2]), '127.0.0.1');
`;
