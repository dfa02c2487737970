import { COMMON_SETTINGS } from './adapter.ts';
import type { IdeAdapter } from './adapter.ts';
import { WORKSPACE_DIR } from '../recipe/guest-layout.ts';

const VERSION = '1.109.5';
const NAME = `openvscode-server-v${VERSION}-linux-x64`;
const ARCHIVE = `${NAME}.tar.gz`;

/**
 * Not pinned yet: the release could not be fetched where this adapter was written, and a sum nobody has computed protects nothing.
 * Until 64 hex digits stand here, a build with this adapter stops with a clear error.
 */
const SHA256 = '';

/** OpenVSCode Server: published as a release tarball alone, with its own Node inside. */
export const openvscodeServer: IdeAdapter = {
  name: 'openvscode-server',
  version: VERSION,
  inputs: {},
  downloads: [{ name: ARCHIVE, url: `https://github.com/gitpod-io/openvscode-server/releases/download/openvscode-server-v${VERSION}/${ARCHIVE}`, sha256: SHA256 }],
  buildScript: ({ inputs, target }) => [
    'set -eu',
    `mkdir -p ${target}`,
    'echo "VESSEL 60 unpacking OpenVSCode Server"',
    `tar -xzf ${inputs}/${ARCHIVE} -C ${target} --strip-components=1 --no-same-owner`,
    `cd ${target}`,
    'find . -name "*.map" -delete',
    'test -f out/server-main.js',
  ].join('\n') + '\n',
  productPath: 'product.json',
  launcher: null,
  // Its own Node, not the guest's: the native modules in the tarball are built for that one.
  argv: ({ root, port, home }) => [
    `${root}/node`, `${root}/out/server-main.js`, '--host', '127.0.0.1', '--port', String(port), '--without-connection-token', '--accept-server-license-terms',
    '--telemetry-level', 'off', '--disable-workspace-trust', '--server-data-dir', `${home}/.openvscode-server`, '--default-folder', WORKSPACE_DIR,
  ],
  env: { BROWSER: 'none' },
  healthPath: '/version',
  warmPaths: [`/?folder=${WORKSPACE_DIR}`],
  // Built for another Node than the guest agent's, but through Node's stable interface (N-API).
  nodePtyPath: 'node_modules/node-pty',
  staticPrefixes: (commit) => [{ urlPrefix: `/stable-${commit}/static/`, dir: '', include: ['out/', 'extensions/', 'node_modules/', 'resources/', 'product.json', 'package.json'], except: ['out/server-', 'out/vs/server/'] }],
  staticAbsent: [],
  remoteResourcePath: (commit) => `/stable-${commit}/vscode-remote-resource`,
  settings: COMMON_SETTINGS,
  // Without a user settings file on the server's disk, the machine settings do.
  settingsPath: '.openvscode-server/data/Machine/settings.json',
};
