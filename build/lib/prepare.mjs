import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { node24, root } from './paths.mjs';
import { run } from './run.mjs';

/** Some hundred megabytes over a slow line. */
const INSTALL_MS = 30 * 60_000;
/** Looking only reads; a busy disk takes seconds. */
const LOOK_MS = 60_000;

/** What setting this computer up would install, by its own dry run; empty when nothing or when it cannot be told. */
async function missingPackages() {
  const agent = join(root, 'out', 'host', 'infra-agent.mjs');
  if (!existsSync(agent)) return [];
  const { code, text } = await run(node24, [agent, 'provision', '--dry-run'], { output: 'capture', timeoutMs: LOOK_MS });
  const line = text.split('\n').find((candidate) => candidate.startsWith('{'));
  if (code !== 0 || line === undefined) return [];
  const step = JSON.parse(line).steps?.find(({ id }) => id === 'packages');
  return (step?.plan ?? []).map((plan) => plan.replace(/^install /, '')).filter((name) => /^[a-z0-9][a-z0-9+.-]*$/.test(name));
}

async function agreed(question) {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^(y(es)?)?$/i.test((await terminal.question(question)).trim());
  } finally {
    terminal.close();
  }
}

/**
 * Whether Vessel may set this computer up by itself. Root: yes. Another user needs root's rights for packages only, once: on a terminal they are asked
 * and sudo installs them; elsewhere nothing is asked, and the setup says what is missing.
 */
export async function mayPrepare(say) {
  if (process.platform !== 'linux' || process.getuid?.() === 0) return true;
  const missing = await missingPackages();
  if (missing.length === 0 || !process.stdin.isTTY || !process.stderr.isTTY || process.env.CI) return true;
  if (!await agreed(`Environments on this computer need Debian packages: ${missing.join(', ')}.\nInstall them with sudo now? [Y/n] `)) {
    say('Not installed. Later: npx vessel host provision local');
    return false;
  }
  for (const args of [['apt-get', 'update'], ['apt-get', 'install', '--yes', '--no-install-recommends', ...missing]]) {
    const { code } = await run('sudo', args, { output: 'stderr', input: 'inherit', timeoutMs: INSTALL_MS });
    if (code === 0) continue;
    say(`sudo ${args.slice(0, 2).join(' ')} ended with code ${code}; its reason stands above.`);
    return false;
  }
  return true;
}
