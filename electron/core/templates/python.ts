import { tasksJson, type Template } from './template-file.ts';

export const python: Template = (name) => [
  { path: 'server.py', content: `"""A small HTTP server without dependencies."""
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from greet import greet


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = parse_qs(urlsplit(self.path).query).get("name", ["world"])[0]
        body = f"{greet(name)}\\n".encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8000"))
    print(f"Listening on port {port}", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
` },
  { path: 'greet.py', content: `def greet(name: str) -> str:
    return f"Hello, {name}!"
` },
  { path: 'test_greet.py', content: `import unittest

from greet import greet


class GreetTest(unittest.TestCase):
    def test_greets_by_name(self):
        self.assertEqual(greet("Ada"), "Hello, Ada!")


if __name__ == "__main__":
    unittest.main()
` },
  { path: 'requirements.txt', content: '' },
  { path: 'README.md', content: `# ${name}

| command | what |
|---|---|
| \`python3 server.py\` | serve on port 8000 |
| \`python3 -m unittest\` | run the tests |

Open port 8000 from the floating button, *Ports*. A \`.venv\` beside \`requirements.txt\` is not kept in the archive.
` },
  tasksJson([{ label: 'start', command: 'python3 server.py', group: 'build', background: true }, { label: 'test', command: 'python3 -m unittest', group: 'test' }]),
];
