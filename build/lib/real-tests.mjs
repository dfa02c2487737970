import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { node24, root } from './paths.mjs';
import { RUN_MARK, endMarked } from './processes.mjs';
import { LANES, areaOf } from './test-areas.mjs';
import { prepareSummary, readSummary, summaryFile, vitestCommand } from './vitest.mjs';

/** A test's own clean-up after the deadline: stopping several guests under emulation takes seconds each. */
const GRACE_MS = 20_000;
/** All files are done, but the runner does not end: something holds it. */
const LINGER_MS = 60_000;
const ROOTS = ['electron', 'renderer', 'host-scripts', 'images', 'build'];

/** The files of a lane whose path contains one of the filters; all of them without filters. */
const filesOf = (lane, filters) => ROOTS.flatMap((folder) => readdirSync(join(root, folder), { recursive: true }).map((path) => `${folder}/${path}`))
  .filter((file) => file.endsWith('.real.test.ts') && areaOf(file).lane === lane && (filters.length === 0 || filters.some((filter) => file.includes(filter))))
  .toSorted();

/** One lane: a runner with a group of its own, so that it can be ended as a whole without touching other processes. */
function runLane({ lane, files, scratch, mark, say }) {
  const name = `real-${lane}`;
  prepareSummary(name);
  const child = spawn(node24, vitestCommand('real', files), {
    cwd: root, detached: true, stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, TMPDIR: scratch, [RUN_MARK]: mark, VESSEL_TEST_SUMMARY: summaryFile(name), VESSEL_TEST_PROGRESS: '1', NO_COLOR: '1' },
  });
  const endGroup = (how) => {
    try {
      process.kill(-child.pid, how);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error; // the group is gone
    }
  };
  let finishedAt = null;
  const watch = setInterval(() => {
    if (!readSummary(name).finished) return;
    finishedAt ??= Date.now();
    if (Date.now() - finishedAt > LINGER_MS) endGroup('SIGKILL');
  }, 2_000);
  const ended = new Promise((resolve) => {
    child.on('error', (error) => { say(`vitest: ${error.message}`); resolve(127); });
    child.on('close', (code) => resolve(code ?? 1));
  }).finally(() => clearInterval(watch));
  return { ended, endGroup, summary: () => readSummary(name) };
}

/**
 * The real tests, in two lanes side by side, stopped at `deadline` (ms since the epoch) or when `signal` fires.
 * Resolves to the counts; processes left behind by the tests count as one failure.
 */
export async function runReal({ filters, deadline, signal, say }) {
  const mark = `${process.pid}-${Date.now()}`;
  // Every temporary folder of the tests lies in here, so what they leave can be found. Short, because socket paths end at
  // 107 characters; passable, because hypervisors run as a user of their own.
  const scratch = mkdtempSync(join(tmpdir(), 'v-'));
  chmodSync(scratch, 0o711);
  const lanes = LANES.map((lane) => ({ lane, files: filesOf(lane, filters) })).filter(({ files }) => files.length > 0).map((lane) => runLane({ ...lane, scratch, mark, say }));
  let stopped = null;
  const stop = (why) => {
    if (stopped !== null) return;
    stopped = why;
    say(`✗ stopping the real tests: ${why}`);
    for (const { endGroup } of lanes) endGroup('SIGINT');
    setTimeout(() => { for (const { endGroup } of lanes) endGroup('SIGKILL'); }, GRACE_MS).unref();
  };
  const deadlineTimer = setTimeout(() => stop('the time for all tests is used up'), Math.max(0, deadline - Date.now()));
  const onAbort = () => stop('interrupted');
  signal.addEventListener('abort', onAbort, { once: true });

  const codes = await Promise.all(lanes.map(({ ended }) => ended));
  clearTimeout(deadlineTimer);
  signal.removeEventListener('abort', onAbort);
  const counts = { passed: 0, failed: 0, skipped: 0, files: [], failures: [], flaky: [] };
  for (const [index, { summary }] of lanes.entries()) {
    const of = summary();
    for (const key of Object.keys(counts)) counts[key] = Array.isArray(counts[key]) ? [...counts[key], ...of[key]] : counts[key] + of[key];
    if (codes[index] === 0 || of.failed > 0) continue;
    counts.failed += 1;
    say(`✗ a lane of the real tests did not run to its end (code ${codes[index]})`);
  }
  if (stopped !== null) {
    counts.failed += 1;
    say(`✗ the real tests did not run to their end: ${stopped}`);
  }
  const left = await endMarked(mark, stopped === null ? 10_000 : 2_000, scratch);
  rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
  if (left.length === 0) counts.passed += 1;
  else {
    counts.failed += 1;
    say(`✗ ${left.length} processes were left behind and ended now:`);
    for (const { pid, command } of left) say(`    ${pid} ${command}`);
  }
  return counts;
}
