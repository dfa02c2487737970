import { escapeHtml, tasksJson, type Template } from './template-file.ts';

export const staticSite: Template = (name) => [
  { path: 'index.html', content: `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escapeHtml(name)}</title>
    <link rel="stylesheet" href="style.css">
  </head>
  <body>
    <main>
      <h1>${escapeHtml(name)}</h1>
      <p>A page, a style sheet, a script. Nothing to build.</p>
      <p>It is <time></time>.</p>
    </main>
    <script src="script.js"></script>
  </body>
</html>
` },
  { path: 'style.css', content: `:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
main { max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }
` },
  { path: 'script.js', content: `const time = document.querySelector('time');
const tick = () => { time.textContent = new Date().toLocaleTimeString(); };
tick();
setInterval(tick, 1000);
` },
  { path: 'README.md', content: `# ${name}

\`python3 -m http.server 8080\` serves this folder; open port 8080 from the floating button, *Ports*.
` },
  tasksJson([{ label: 'serve', command: 'python3 -m http.server 8080', group: 'build', background: true }]),
];
