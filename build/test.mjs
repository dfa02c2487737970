#!/usr/bin/env node
// `npm test`: installs what is missing, then everything: build, check, provisioning of this computer, real tests.
// Its last line is always `N passed, N failed, N skipped`. `npm run test:all` (`--all`) also runs the sweeps whole, of which a run otherwise draws a share.
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './build.mjs';
import { check, countsLine } from './check.mjs';
import { ensure } from './ensure.mjs';
import { installPackages } from './lib/debian.mjs';
import { node24, root } from './lib/paths.mjs';
import { runReal } from './lib/real-tests.mjs';
import { run } from './lib/run.mjs';
import { AREAS, areaOf } from './lib/test-areas.mjs';

/** Everything together, on two slow processors without hardware virtualisation and with an empty image cache. */
const TOTAL_MS = 80 * 60_000;
/** With every sweep whole. */
const TOTAL_ALL_MS = 4 * 60 * 60_000;
/** The golden image from nothing takes about 6 minutes there; a slow mirror some more. */
const PROVISION_MS = 30 * 60_000;

/** So many of the slowest files are listed. */
const SLOWEST = 10;
/** A failure is told whole where it happened; at the end, where a record that keeps only the last lines still has it, this much of it. */
const RETOLD_LINES = 12;
const RETOLD = 20;

const started = Date.now();
const all = process.argv.includes('--all');
if (all) process.env.VESSEL_SWEEP = 'full';
const deadline = started + (all ? TOTAL_ALL_MS : TOTAL_MS);
const total = { passed: 0, failed: 0, skipped: 0 };
const say = (line) => process.stdout.write(`${line}\n`);
const clock = () => `${((Date.now() - started) / 1000).toFixed(0)} s`;
const filters = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interrupted.abort());

function add(counts) {
  for (const key of ['passed', 'failed', 'skipped']) total[key] += counts[key];
}

/** A step of the run, counted as one test. Returns whether it passed; a failure never ends the run by itself. */
async function step(title, work) {
  if (interrupted.signal.aborted) return false;
  say(`\n── ${title} (${clock()})`);
  let reason;
  try {
    reason = await work();
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  total[reason === null ? 'passed' : 'failed'] += 1;
  if (reason !== null) say(`✗ ${title}: ${reason}`);
  return reason === null;
}

/** Makes golden image and templates ready, so that no test pays for them. Uses a state of its own and the shared cache. */
async function provision() {
  const agent = join(root, 'out', 'host', 'infra-agent.mjs');
  if (!existsSync(agent)) return 'out/host/infra-agent.mjs is not built';
  const home = mkdtempSync(join(tmpdir(), 'vessel-test-home-'));
  // Hypervisors run as a user of their own and must be able to pass through.
  chmodSync(home, 0o711);
  try {
    const result = await run(node24, [agent, 'provision'], { output: 'inherit', env: { ...process.env, VESSEL_HOME: home }, timeoutMs: PROVISION_MS, signal: interrupted.signal });
    return result.code === 0 ? null : result.timedOut ? `took longer than ${PROVISION_MS / 60_000} minutes` : `infra-agent provision ended with code ${result.code}`;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function everything() {
  if (!await step('packages from npm', async () => { await ensure({ say }); return null; })) return;
  await step('packages from Debian', () => installPackages(say));
  const built = await step('build', async () => { await build({ say }); return null; });
  if (filters.length === 0 && !interrupted.signal.aborted) {
    say(`\n── check (${clock()})`);
    add(await check({ say }));
  }
  if (!built) {
    say('The real tests need the build: not run.');
    return;
  }
  await step('provisioning of this computer', provision);
  if (interrupted.signal.aborted) return;
  say(`\n── real tests, two lanes side by side (${clock()})`);
  const began = Date.now();
  const real = await runReal({ filters, deadline, signal: interrupted.signal, say });
  add(real);
  tellTimes(real.files, Date.now() - began);
  if (real.flaky.length > 0) say('\n── failed, then passed in the same run');
  retell('~', real.flaky);
  if (real.failures.length > 0) say('\n── what failed');
  retell('✗', real.failures);
}

/** The slowest files with their share of the wall time, and each area held against its budget. */
function tellTimes(files, wallMs) {
  const seconds = (ms) => `${(ms / 1000).toFixed(0).padStart(6)} s`;
  say(`\n── slowest files (of ${files.length}; share of ${(wallMs / 1000).toFixed(0)} s, two lanes)`);
  for (const { file, ms, passed, failed, skipped } of files.toSorted((one, other) => other.ms - one.ms).slice(0, SLOWEST)) {
    say(`${seconds(ms)}  ${(ms / wallMs * 100).toFixed(1).padStart(5)} %  ${file}  (${countsLine({ passed, failed, skipped })})`);
  }
  say('\n── areas and their budgets');
  for (const area of AREAS) {
    const ms = files.filter(({ file }) => areaOf(file) === area).reduce((sum, file) => sum + file.ms, 0);
    if (ms > 0) say(`${seconds(ms)} of ${area.budgetS} s${ms > area.budgetS * 1000 ? ', over' : ''}  ${area.name} (${area.lane})`);
  }
}

function retell(mark, told) {
  for (const { where, lines } of told.slice(0, RETOLD)) say([`${mark} ${where}`, ...lines.slice(0, RETOLD_LINES).map((line) => `    ${line}`)].join('\n'));
  if (told.length > RETOLD) say(`and ${told.length - RETOLD} more, above`);
}

try {
  await everything();
} catch (error) {
  total.failed += 1;
  say(`✗ ${error instanceof Error ? error.stack : String(error)}`);
}
if (interrupted.signal.aborted) {
  total.failed += 1;
  say('✗ interrupted before everything had run');
}
say(`\nall of it took ${clock()}`);
say(countsLine(total));
process.exit(total.failed === 0 ? 0 : 1);
