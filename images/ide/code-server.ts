import { COMMON_SETTINGS } from './adapter.ts';
import type { IdeAdapter } from './adapter.ts';
import { WORKSPACE_DIR } from '../recipe/guest-layout.ts';
import { CODE_SERVER_VERSION } from '../recipe/pins.ts';
import { MEMORY_GUARD } from './memory-guard.ts';
import { SPARE_PROCESSES } from './spare-processes.ts';

const PACKAGE = 'node_modules/code-server';
const VSCODE = `${PACKAGE}/lib/vscode`;

/** Modules of VS Code that its browser part imports at run time by their path. */
const BROWSER_MODULES = ['vscode-oniguruma', 'vscode-textmate', '@xterm', '@vscode/iconv-lite-umd', '@vscode/tree-sitter-wasm', '@vscode/vscode-languagedetection', 'katex', 'jschardet', 'tas-client'];

/** Parts that no browser and no server in a guest reads: maps, other platforms' binaries, build leftovers. */
const TRIM = [
  'find . -name "*.map" -delete',
  'find . -type d -path "*/build/Release/obj.target" -prune -exec rm -rf {} +',
  'find . -type d -path "*/prebuilds/*" -prune ! -name "linux-x64*" -exec rm -rf {} +',
  // Vendors' assistants need accounts and a network; they are switched off in the settings, and weigh 170 MB.
  `rm -rf ${VSCODE}/extensions/copilot ${VSCODE}/node_modules/@github/copilot*`,
  'find . -type d -name deps -path "*/node_modules/@vscode/*" -prune -exec rm -rf {} +',
];

/** Where code-server says that it is alive. */
const HEALTH_PATH = '/healthz';

/**
 * Program text, run once the server listens: whoever asks for its health is answered before a dozen handlers of requests, 40 ms in emulation, in the very
 * moment in which a workbench connects. The first answer is the server's own: only it knows that all of it is there.
 */
export const QUICK_HEALTH = `
const emit = http.Server.prototype.emit;
let healthy = false;
http.Server.prototype.emit = function answerHealth(name, request, response) {
  if (name !== 'request' || request.url !== '${HEALTH_PATH}') return emit.apply(this, arguments);
  if (!healthy) {
    response.once('finish', () => { healthy ||= response.statusCode === 200; });
    return emit.apply(this, arguments);
  }
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' }).end('{"status":"alive"}');
  return true;
};
`;

/**
 * Starts code-server in one process. Its own entry starts a second one and gives up on it after ten seconds without a sign, which a
 * busy emulated guest exceeds; and a watching parent costs 75 MB in every guest. The guest agent watches already.
 */
const LAUNCHER = `${MEMORY_GUARD}${SPARE_PROCESSES.replace("import childProcess from 'node:child_process';\nimport { syncBuiltinESMExports } from 'node:module';\n", '')}
import http from 'node:http';
import { createRequire } from 'node:module';
const [packageDir, ...argv] = process.argv.slice(2);
// Loaded as the child it would otherwise start.
process.env.CODE_SERVER_PARENT_PID = String(process.pid);
const require = createRequire(packageDir + '/out/node/entry.js');
const { parse, setDefaults } = require('./cli');
const { runCodeServer } = require('./main');
await runCodeServer(await setDefaults(parse(argv), { config: 'none' }));
${QUICK_HEALTH}`;

/**
 * code-server from the npm registry.
 *
 * Its own post-install refuses root and starts nested installs with flags of old npm versions; what works is to install without
 * scripts and then install VS Code's and its built-in extensions' dependencies one by one, with Node's headers from the Node package.
 */
export const codeServer: IdeAdapter = {
  name: 'code-server',
  version: CODE_SERVER_VERSION,
  inputs: { trim: TRIM },
  downloads: [],
  buildScript: ({ inputs, target }) => [
    'set -eu',
    `export HOME=/tmp/home npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false npm_config_nodedir=/usr/local npm_config_jobs=2`,
    `export npm_config_registry="$(cat ${inputs}/registry)" PATH=/usr/local/bin:$PATH`,
    `if [ -s ${inputs}/ca.pem ]; then export NODE_EXTRA_CA_CERTS=${inputs}/ca.pem npm_config_cafile=${inputs}/ca.pem; fi`,
    `mkdir -p /tmp/home /usr/local/bin /usr/local/include ${target}`,
    `cp ${inputs}/node/bin/node /usr/local/bin/node`,
    `cp -r ${inputs}/node/include/node /usr/local/include/`,
    `ln -s ${inputs}/npm/bin/npm-cli.js /usr/local/bin/npm`,
    `chmod 755 ${inputs}/npm/bin/npm-cli.js`,
    `cd ${target}`,
    `echo '{"private":true}' > package.json`,
    `echo "VESSEL 10 installing code-server ${CODE_SERVER_VERSION}"`,
    `npm install --ignore-scripts --no-save code-server@${CODE_SERVER_VERSION}`,
    `echo "VESSEL 25 building the native modules of VS Code"`,
    `cd ${target}/${VSCODE} && npm install --omit=dev`,
    `echo "VESSEL 85 installing the dependencies of the built-in extensions"`,
    `cd ${target}/${VSCODE}/extensions && npm install --omit=dev`,
    `cd ${target}`,
    ...TRIM,
    `test -f ${VSCODE}/out/server-main.js`,
    `node -e 'require("./${VSCODE}/node_modules/node-pty")'`,
  ].join('\n') + '\n',
  productPath: `${VSCODE}/product.json`,
  launcher: LAUNCHER,
  argv: ({ node, launcher, root, port, home, workspace }) => [
    // What the template compiled is what a clone runs first: V8 must not forget it.
    node, '--no-flush-bytecode', launcher, `${root}/${PACKAGE}`,
    '--bind-addr', `127.0.0.1:${port}`, '--auth', 'none',
    // The wire to the desktop is short, and compressing a megabyte takes an emulated guest half a second.
    '--vscode-option', 'disable-websocket-compression',
    '--disable-telemetry', '--disable-update-check', '--disable-workspace-trust', '--disable-getting-started-override',
    '--user-data-dir', `${home}/.local/share/code-server`, '--extensions-dir', `${home}/.local/share/code-server/extensions`,
    workspace,
  ],
  env: {
    // VS Code's server would otherwise look for a browser to open links with.
    BROWSER: 'none',
    // Links of the Ports view stay on the IDE's own host; the gateway turns them into an address of that port.
    VSCODE_PROXY_URI: './__vessel/go/{{port}}/',
  },
  healthPath: HEALTH_PATH,
  // `/` only redirects here: the page itself loads VS Code's server.
  warmPaths: [`/?folder=${WORKSPACE_DIR}`],
  nodePtyPath: `${VSCODE}/node_modules/node-pty`,
  staticPrefixes: (commit) => [
    {
      urlPrefix: `/stable-${commit}/static/`, dir: VSCODE,
      include: ['out/', 'extensions/', ...BROWSER_MODULES.map((name) => `node_modules/${name}/`), 'resources/', 'product.json', 'package.json'],
      except: ['extensions/node_modules/', 'extensions/copilot/', 'out/server-', 'out/vs/server/', 'out/vs/platform/agentHost/', 'out/vs/platform/files/', 'out/vs/platform/terminal/'],
    },
    { urlPrefix: '/_static/', dir: PACKAGE, include: ['out/browser/', 'src/browser/'], except: [] },
  ],
  staticAbsent: ['node_modules/vsda/rust/web/vsda.js', 'node_modules/vsda/rust/web/vsda_bg.wasm'],
  remoteResourcePath: (commit) => `/stable-${commit}/vscode-remote-resource`,
  settings: COMMON_SETTINGS,
  settingsPath: '.local/share/code-server/User/settings.json',
};
