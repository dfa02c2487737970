import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { node24, root } from './paths.mjs';
import { RUN_MARK, endMarked } from './processes.mjs';
import { prepareSummary, readSummary, summaryFile, vitestCommand } from './vitest.mjs';

/** A test's own clean-up after the deadline: stopping several guests under emulation takes seconds each. */
const GRACE_MS = 20_000;
/** All files are done, but the runner does not end: something holds it. */
const LINGER_MS = 60_000;

/**
 * The real tests, one file at a time, stopped at `deadline` (ms since the epoch) or when `signal` fires.
 * Resolves to the counts; processes left behind by the tests count as one failure.
 */
export async function runReal({ filters, deadline, signal, say }) {
  const id = `${process.pid}-${Date.now()}`;
  prepareSummary('real');
  // Every temporary folder of the tests lies in here, so what they leave can be found. Short, because socket paths end at
  // 107 characters; passable, because hypervisors run as a user of their own.
  const scratch = mkdtempSync(join(tmpdir(), 'v-'));
  chmodSync(scratch, 0o711);
  // A group of its own: it can be ended as a whole without touching anybody else's processes.
  const child = spawn(node24, vitestCommand('real', filters), {
    cwd: root, detached: true, stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, TMPDIR: scratch, [RUN_MARK]: id, VESSEL_TEST_SUMMARY: summaryFile('real'), VESSEL_TEST_PROGRESS: '1', NO_COLOR: '1' },
  });
  const ended = new Promise((resolve) => {
    child.on('error', (error) => { say(`vitest: ${error.message}`); resolve(127); });
    child.on('close', (code) => resolve(code ?? 1));
  });
  let stopped = null;
  const endGroup = (how) => {
    try {
      process.kill(-child.pid, how);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error; // the group is gone
    }
  };
  const stop = (why) => {
    if (stopped !== null) return;
    stopped = why;
    say(`✗ stopping the real tests: ${why}`);
    endGroup('SIGINT');
    setTimeout(() => endGroup('SIGKILL'), GRACE_MS).unref();
  };
  const deadlineTimer = setTimeout(() => stop('the time for all tests is used up'), Math.max(0, deadline - Date.now()));
  const onAbort = () => stop('interrupted');
  signal.addEventListener('abort', onAbort, { once: true });
  let finishedAt = null;
  const watch = setInterval(() => {
    if (!readSummary('real').finished) return;
    finishedAt ??= Date.now();
    if (Date.now() - finishedAt > LINGER_MS) endGroup('SIGKILL');
  }, 2_000);

  const code = await ended;
  clearTimeout(deadlineTimer);
  clearInterval(watch);
  signal.removeEventListener('abort', onAbort);
  const counts = { ...readSummary('real') };
  if (stopped !== null || (code !== 0 && counts.failed === 0)) {
    counts.failed += 1;
    say(`✗ the real tests did not run to their end${stopped === null ? ` (code ${code})` : `: ${stopped}`}`);
  }
  const left = await endMarked(id, stopped === null ? 10_000 : 2_000, scratch);
  rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
  if (left.length === 0) counts.passed += 1;
  else {
    counts.failed += 1;
    say(`✗ ${left.length} processes were left behind and ended now:`);
    for (const { pid, command } of left) say(`    ${pid} ${command}`);
  }
  return counts;
}
