#!/usr/bin/env node
// `npm start`: installs what is missing, builds, and shows Vessel: in Electron, else in the browser.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { ensure, fail } from './ensure.mjs';
import { findElectron, whyNoWindow } from './lib/electron-binary.mjs';
import { mayPrepare } from './lib/prepare.mjs';
import { runElectron } from './lib/electron-run.mjs';
import { modules, node24, root } from './lib/paths.mjs';
import { signalCode } from './lib/run.mjs';

const HELP = `npm start [-- options]

Installs what is missing, builds, and starts Vessel: as a desktop window when Electron can run here, else in the browser.
The first time it also sets this computer up in the background: Debian packages, the image with VS Code, a template of it.

  --browser    do not try Electron
  --no-open    browser mode: print the address, open nothing
  --port N     listen on this loopback port (1 to 65535)
  --no-provision   do not set this computer up; \`vessel host provision local\` does it later
  --help       this text

VESSEL_HOME moves all state, VESSEL_CACHE all that can be rebuilt.
`;

const say = (line) => process.stderr.write(`${line}\n`);

function options() {
  let values;
  try {
    ({ values } = parseArgs({ options: { browser: { type: 'boolean' }, 'no-open': { type: 'boolean' }, port: { type: 'string' }, 'no-provision': { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } }));
  } catch (error) {
    process.stderr.write(`vessel: ${error.message}\n\n${HELP}`);
    process.exit(2);
  }
  if (values.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  if (values.port !== undefined && !(/^\d{1,5}$/.test(values.port) && Number(values.port) >= 1 && Number(values.port) <= 65535)) {
    process.stderr.write(`vessel: --port must be 1 to 65535, not ${values.port}\n`);
    process.exit(2);
  }
  return values;
}

/** The server in the foreground; the line with its address also says why this is browser mode. */
function runServer(args, note) {
  const program = join(root, 'out', 'server', 'main.mjs');
  if (!existsSync(program)) throw new Error('The server is not built.');
  const child = spawn(node24, [program, ...args], { stdio: ['inherit', 'pipe', 'inherit'] });
  let pending = '';
  let noted = false;
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    if (noted) {
      process.stdout.write(chunk);
      return;
    }
    const lines = (pending + chunk).split('\n');
    pending = lines.pop();
    for (const line of lines) {
      const hit = !noted && line.includes('http://');
      process.stdout.write(`${hit ? `${line}  (${note})` : line}\n`);
      noted ||= hit;
    }
    if (noted) {
      process.stdout.write(pending);
      pending = '';
    }
  });
  // A terminal sends SIGINT to the child as well; it ends by itself and we follow.
  process.on('SIGINT', () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.stdout.write(pending);
      resolve(code ?? signalCode(signal));
    });
  });
}

/** Once, where there is no `vessel` on the PATH yet. */
function offerLauncher() {
  const offered = join(modules, '.cache', 'vessel', 'launcher-offered');
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
  if (existsSync(offered) || folders.some((folder) => existsSync(join(folder, 'vessel')))) return;
  mkdirSync(dirname(offered), { recursive: true });
  writeFileSync(offered, '');
  say('To have the command `vessel` everywhere: npx vessel install-cli');
}

/** Shows the window. Resolves to its exit code, or to the reason why there was none. */
async function tryWindow(portArgs) {
  const impossible = whyNoWindow();
  if (impossible !== null) return { failed: impossible };
  const found = await findElectron(say);
  return found.path === undefined ? { failed: found.reason } : runElectron(found.path, portArgs);
}

try {
  const wanted = options();
  const portArgs = wanted.port === undefined ? [] : ['--port', wanted.port];
  await ensure({ say });
  await build({ say });
  process.env.VESSEL_PREPARE = !wanted['no-provision'] && await mayPrepare(say) ? '1' : '0';
  offerLauncher();
  let note = 'browser mode, as asked';
  let code = null;
  if (!wanted.browser) {
    const window = await tryWindow(portArgs);
    if (window.failed === undefined) code = window.code;
    else note = `browser mode, no Electron: ${window.failed}`;
  }
  process.exitCode = code ?? await runServer([...portArgs, ...(wanted['no-open'] ? ['--no-open'] : [])], note);
} catch (error) {
  fail(error);
}
