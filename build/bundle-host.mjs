import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundleGuestAgent } from '../images/guest-agent/bundle.ts';
import { NOTICES, noticesText, packageFolders } from './lib/notices.mjs';

const root = new URL('../', import.meta.url);
const path = (name) => fileURLToPath(new URL(name, root));

/** CommonJS dependencies inside an ES module bundle call require() for Node's own modules. */
const REQUIRE_BANNER = "import { createRequire as createRequireForBundle } from 'node:module'; const require = createRequireForBundle(import.meta.url);";

const OPTIONS = {
  absWorkingDir: fileURLToPath(root),
  bundle: true, platform: 'node', target: 'node24', format: 'esm', legalComments: 'none', logLevel: 'warning',
  // `ws` looks for native helpers and does without them.
  external: ['bufferutil', 'utf-8-validate'],
  banner: { js: REQUIRE_BANNER },
};

/** The guest agent as the text of one ES module, and the files it is made of: it goes into golden images, and the test driver runs it. */
async function guestAgent() {
  const folder = await mkdtemp(join(tmpdir(), 'vessel-bundle-'));
  try {
    const outfile = join(folder, 'guest-agent.mjs');
    const files = await bundleGuestAgent(outfile);
    return { text: await readFile(outfile, 'utf8'), files };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The static configuration and the units that provisioning writes, by file name. */
async function units() {
  const names = (await readdir(path('traefik'))).filter((name) => /\.(service|timer|json)$/.test(name) || name === 'traefik.yml');
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(path(`traefik/${name}`), 'utf8')])));
}

/** Only a run from the sources bundles the guest agent itself: the bundler stays out of the bundle. */
const withoutBundler = {
  name: 'without-bundler',
  setup(plugins) {
    plugins.onResolve({ filter: /guest-agent\/bundle\.ts$/ }, ({ path: wanted }) => ({ path: wanted, external: true }));
  },
};

/**
 * Bundles infra-agent into one ES module for Node 24 that needs nothing beside it: the guest agent's bundle travels inside.
 * The licenses of both lie beside it.
 * Takes about 0.2 s.
 */
export async function bundleHost(outfile = path('out/host/infra-agent.mjs')) {
  const { version } = JSON.parse(await readFile(path('package.json'), 'utf8'));
  const guest = await guestAgent();
  const { metafile } = await build({
    ...OPTIONS,
    metafile: true,
    entryPoints: [path('host-scripts/infra-agent/main.ts')],
    outfile,
    define: { __VESSEL_AGENT_VERSION__: JSON.stringify(version), __VESSEL_GUEST_AGENT__: JSON.stringify(guest.text), __VESSEL_UNITS__: JSON.stringify(await units()) },
    plugins: [withoutBundler],
  });
  await writeFile(join(dirname(outfile), NOTICES), noticesText(packageFolders([...Object.keys(metafile.inputs), ...guest.files], fileURLToPath(root))));
  return outfile;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await bundleHost(process.argv[2]));
