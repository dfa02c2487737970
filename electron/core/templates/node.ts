import { packageName, tasksJson, type Template } from './template-file.ts';

export const node: Template = (name) => [
  { path: 'package.json', content: `${JSON.stringify({ name: packageName(name), version: '0.1.0', private: true, type: 'module', scripts: { start: 'node server.js', dev: 'node --watch server.js', test: 'node --test' } }, null, 2)}\n` },
  { path: 'server.js', content: `import { createServer } from 'node:http';
import { greet } from './greet.js';

const port = Number(process.env.PORT ?? 8080);

createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(\`\${greet(url.searchParams.get('name') ?? 'world')}\\n\`);
}).listen(port, () => console.log(\`Listening on port \${port}\`));
` },
  { path: 'greet.js', content: `export function greet(name) {
  return \`Hello, \${name}!\`;
}
` },
  { path: 'greet.test.js', content: `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { greet } from './greet.js';

test('greets by name', () => {
  assert.equal(greet('Ada'), 'Hello, Ada!');
});
` },
  { path: 'README.md', content: `# ${name}

A small HTTP server without dependencies.

| command | what |
|---|---|
| \`npm start\` | serve on port 8080 |
| \`npm run dev\` | the same, restarted at each change |
| \`npm test\` | run the tests |

Open port 8080 from the floating button, *Ports*.
` },
  tasksJson([{ label: 'start', command: 'npm start', group: 'build', background: true }, { label: 'test', command: 'npm test', group: 'test' }]),
];
