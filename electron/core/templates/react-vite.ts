import { escapeHtml, packageName, tasksJson, type Template } from './template-file.ts';

/** Exact versions: the same template gives the same tree next year. */
const DEPENDENCIES = { react: '19.3.1', 'react-dom': '19.3.1' } as const;
const DEV_DEPENDENCIES = { '@vitejs/plugin-react': '6.3.0', vite: '8.3.8' } as const;

export const reactVite: Template = (name) => [
  { path: 'package.json', content: `${JSON.stringify({
    name: packageName(name), version: '0.1.0', private: true, type: 'module',
    scripts: { dev: 'vite', build: 'vite build', preview: 'vite preview' }, dependencies: DEPENDENCIES, devDependencies: DEV_DEPENDENCIES,
  }, null, 2)}\n` },
  { path: 'vite.config.js', content: `import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  server: {
    host: '0.0.0.0',
    port: 5173,
    strictPort: true,
    // Vessel shows this port as 5173--<id>.localhost and 5173--<id>.vessel.localhost.
    allowedHosts: ['.localhost'],
  },
});
` },
  { path: 'index.html', content: `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escapeHtml(name)}</title>
  </head>
  <body>
    <div id="root"></div>
    <script type="module" src="/src/main.jsx"></script>
  </body>
</html>
` },
  { path: 'src/main.jsx', content: `import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.jsx';
import './style.css';

createRoot(document.getElementById('root')).render(<StrictMode><App /></StrictMode>);
` },
  { path: 'src/app.jsx', content: `import { useState } from 'react';

export function App() {
  const [count, setCount] = useState(0);
  return (
    <main>
      <h1>It works</h1>
      <p>Edit <code>src/app.jsx</code> and watch this page change.</p>
      <button type="button" onClick={() => setCount(count + 1)}>Clicked {count} times</button>
    </main>
  );
}
` },
  { path: 'src/style.css', content: `:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
body { display: grid; min-height: 100vh; margin: 0; place-items: center; }
main { max-width: 40rem; padding: 2rem; }
button { padding: 0.5rem 1rem; font: inherit; }
` },
  { path: 'README.md', content: `# ${name}

React ${DEPENDENCIES.react} with Vite ${DEV_DEPENDENCIES.vite}.

\`\`\`sh
npm install     # once after each open: node_modules is not kept in the archive, package.json re-makes it
npm run dev     # serves on port 5173 with hot reload
\`\`\`

Open port 5173 from the floating button, *Ports*.
` },
  tasksJson([{ label: 'dev', command: 'npm install && npm run dev', group: 'build', background: true }]),
];
