import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'electron-vite';
import { noticesPlugin } from './build/lib/notices.mjs';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const notices = (...also: readonly string[]) => noticesPlugin(path('.'), also.map((name) => path(`node_modules/${name}`)));
const alias = { '#shared': path('electron/shared') };

/** npm packages are bundled everywhere, so that `out/` runs without node_modules; only the runtime itself stays outside. */
export default defineConfig({
  main: {
    resolve: { alias },
    plugins: [notices()],
    build: {
      outDir: 'out/main',
      externalizeDeps: false,
      minify: false,
      lib: { entry: path('electron/main/index.ts'), formats: ['es'], fileName: () => 'index.js' },
      rollupOptions: { external: ['electron'] },
    },
  },
  preload: {
    resolve: { alias },
    plugins: [notices()],
    build: {
      outDir: 'out/preload',
      externalizeDeps: false,
      minify: false,
      // A sandboxed preload cannot be an ES module.
      lib: { entry: path('electron/preload/index.ts'), formats: ['cjs'], fileName: () => 'index.cjs' },
      rollupOptions: { external: ['electron'], output: { entryFileNames: 'index.cjs' } },
    },
  },
  ...(existsSync(path('renderer/index.html')) ? {
    renderer: {
      root: path('renderer'),
      // The server serves the app at the root of its own origin, in Electron and browsers alike.
      base: '/',
      resolve: { alias },
      // Tailwind writes its own rules into the styles; no module tells of it.
      plugins: [react(), tailwindcss(), notices('tailwindcss')],
      build: {
        outDir: path('out/renderer'),
        minify: 'oxc' as const,
        // Fonts and icons stay files: the strict CSP allows no data: URL for scripts and styles.
        assetsInlineLimit: 0,
        rollupOptions: { input: { index: path('renderer/index.html'), editor: path('renderer/editor.html') } },
      },
    },
  } : {}),
});
