import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the clone. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const modules = join(root, 'node_modules');
export const out = join(root, 'out');
/** Stamps and locks of the build; inside `out/` because `npm ci` empties node_modules. */
export const stamps = join(out, '.build');

/** The Node 24 that npm installs beside the other packages; the machine's own Node may be older. */
export const node24 = process.platform === 'win32' ? join(modules, 'node', 'bin', 'node.exe') : join(modules, 'node', 'bin', 'node');

/** Below this `node:sqlite` is missing or experimental and `.ts` files do not run. */
export const NODE_MAJOR = 24;
