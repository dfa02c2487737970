/**
 * What `out/` is made of. A part is built again when one of its `inputs` changed.
 * `entry` decides whether the part exists; `bundle` makes one file of each entry, for plain Node 24.
 */
const COMMON = ['package-lock.json', 'tsconfig.json', 'build/lib/parts.mjs', 'build/lib/compile.mjs', 'build/lib/notices.mjs'];

export const parts = [
  {
    name: 'window', kind: 'electron-vite', title: 'window (main, preload, renderer)', entries: ['electron/main/index.ts', 'electron/preload/index.ts', 'renderer/index.html'],
    inputs: [...COMMON, 'electron.vite.config.ts', 'electron/main', 'electron/preload', 'electron/shared', 'renderer'],
    outputs: ['out/main/index.js', 'out/preload/index.cjs', 'out/renderer/index.html', 'out/main/THIRD-PARTY-NOTICES.txt', 'out/preload/THIRD-PARTY-NOTICES.txt', 'out/renderer/THIRD-PARTY-NOTICES.txt'],
  },
  { name: 'server', kind: 'bundle', title: 'server', entries: ['electron/server/launch.ts', 'electron/server/main.ts'], inputs: [...COMMON, 'electron/server', 'electron/core', 'electron/shared'], outputs: ['out/server/main.mjs', 'out/server/program.mjs', 'out/server/THIRD-PARTY-NOTICES.txt'] },
  { name: 'cli', kind: 'bundle', title: 'command line', entries: ['electron/cli/main.ts'], inputs: [...COMMON, 'electron/cli', 'electron/core', 'electron/shared'], outputs: ['out/cli/main.mjs', 'out/cli/THIRD-PARTY-NOTICES.txt'] },
  { name: 'host', kind: 'script', title: 'infra-agent', entries: ['build/bundle-host.mjs'], inputs: [...COMMON, 'build/bundle-host.mjs', 'host-scripts', 'images', 'traefik', 'electron/shared'], outputs: ['out/host/infra-agent.mjs', 'out/host/THIRD-PARTY-NOTICES.txt'] },
];
