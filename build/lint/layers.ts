/**
 * What each folder may import, as in ARCHITECTURE: the first layer whose `files` matches a path owns it.
 * `may` names layers; `npm` and `node` say whether packages and Node's own modules are allowed.
 */
export type Layer = {
  readonly name: string;
  /** Path prefixes relative to the root; a prefix that ends with a letter is one exact file. */
  readonly files: readonly string[];
  readonly may: readonly string[];
  readonly node: boolean;
  /** Allowed npm packages (with their sub-paths); `*` allows all but `electron`, which must be named. */
  readonly npm: readonly string[];
};

export const LAYERS: readonly Layer[] = [
  { name: 'shared', files: ['electron/shared/'], may: ['shared'], node: false, npm: ['zod'] },
  { name: 'domain', files: ['electron/core/domain/'], may: ['shared', 'domain'], node: true, npm: ['zod'] },
  { name: 'ports', files: ['electron/core/ports/'], may: ['shared', 'domain', 'ports'], node: true, npm: [] },
  { name: 'services', files: ['electron/core/services/'], may: ['shared', 'domain', 'ports', 'services'], node: true, npm: ['zod'] },
  { name: 'adapters', files: ['electron/core/adapters/'], may: ['shared', 'domain', 'ports', 'adapters'], node: true, npm: ['*'] },
  { name: 'create-core', files: ['electron/core/'], may: ['shared', 'domain', 'ports', 'services', 'adapters', 'create-core'], node: true, npm: [] },
  { name: 'server', files: ['electron/server/'], may: ['shared', 'create-core', 'ports', 'server'], node: true, npm: ['*'] },
  { name: 'cli', files: ['electron/cli/'], may: ['shared', 'create-core', 'cli'], node: true, npm: ['*'] },
  { name: 'main', files: ['electron/main/'], may: ['shared', 'create-core', 'main'], node: true, npm: ['*', 'electron'] },
  { name: 'preload', files: ['electron/preload/'], may: ['shared', 'preload'], node: false, npm: ['electron'] },
  { name: 'renderer', files: ['renderer/'], may: ['shared', 'renderer'], node: false, npm: ['react', 'react-dom', 'zustand', 'lucide-react', '@xterm/xterm', '@xterm/addon-fit', 'zod', 'vite', 'monaco-editor', '@tanstack/react-virtual'] },
  { name: 'host-scripts', files: ['host-scripts/'], may: ['shared', 'images', 'host-scripts'], node: true, npm: ['zod', 'js-yaml'] },
  // esbuild makes the guest agent one file when Vessel is built; ws travels inside it. ws is bundled into it for its WebSockets.
  { name: 'images', files: ['images/'], may: ['shared', 'images'], node: true, npm: ['zod', 'esbuild', 'ws'] },
];

/** Whole journeys under here drive everything together. */
const ANYTHING_GOES = ['build/'];

/** Packages that only tests use, wherever they stand. */
export const TEST_PACKAGES: readonly string[] = ['vitest', 'playwright-core', 'ajv', 'ws', 'yauzl', 'js-yaml', 'adm-zip', 'eslint', '@electron/asar'];

/** The layer of a path relative to the root (`/` separated); null when no rule applies to it. */
export function layerOf(path: string): Layer | null {
  if (ANYTHING_GOES.some((prefix) => path.startsWith(prefix))) return null;
  return LAYERS.find((layer) => layer.files.some((prefix) => path.startsWith(prefix))) ?? null;
}

/** Tests and their helpers (`*.test-helper.ts`, `testing/`): they may use Node and the test packages, but stay in their layer. */
export const isTest = (path: string): boolean => /\.(test|test-helper)\.tsx?$/.test(path) || /\/testing\//.test(path);
export const isRealTest = (path: string): boolean => /\.real\.test\.ts$/.test(path);
