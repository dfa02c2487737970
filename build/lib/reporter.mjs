// A vitest reporter: one line a file with its time, failures with their reason, skipped tests with theirs; counts go to the
// file named by VESSEL_TEST_SUMMARY after every test file, so that they survive a run that is stopped at its deadline.
import { relative } from 'node:path';
import { writeFileSync } from 'node:fs';
import { root } from './paths.mjs';

const FAILURE_LINES = 40;
/** Frames of the runner itself. */
const NOISE = /^\s+at .*(node_modules\/|new Promise|node:internal)/;
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

export default class VesselReporter {
  summary = { passed: 0, failed: 0, skipped: 0, files: [], failures: [], flaky: [], finished: false };
  started = new Map();

  write() {
    if (process.env.VESSEL_TEST_SUMMARY !== undefined) writeFileSync(process.env.VESSEL_TEST_SUMMARY, JSON.stringify(this.summary));
  }

  say(line) {
    process.stdout.write(`${line}\n`);
  }

  onTestModuleStart(module) {
    this.started.set(module.moduleId, Date.now());
    if (process.env.VESSEL_TEST_PROGRESS === '1') this.say(`▶ ${relative(root, module.moduleId)}`);
  }

  onTestCaseResult(test) {
    if (process.env.VESSEL_TEST_PROGRESS !== '1') return;
    const { state } = test.result();
    const mark = state === 'passed' ? '✓' : state === 'failed' ? '✗' : '–';
    this.say(`  ${mark} ${test.fullName} (${seconds(test.diagnostic()?.duration ?? 0)})`);
  }

  onTestModuleEnd(module) {
    const file = relative(root, module.moduleId);
    const ms = Date.now() - (this.started.get(module.moduleId) ?? Date.now());
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const test of module.children.allTests()) {
      const result = test.result();
      if (result.state === 'passed') {
        counts.passed += 1;
        // The runner keeps the errors of the first try beside the verdict of the second.
        if (test.diagnostic()?.flaky) this.flaky(`${file} › ${test.fullName}`, result.errors);
      } else if (result.state === 'failed') {
        counts.failed += 1;
        this.failure(`${file} › ${test.fullName}`, result.errors);
      } else {
        counts.skipped += 1;
        const reason = result.note ?? 'no reason given';
        this.say(`– ${file} › ${test.fullName}: ${reason.startsWith('skipped:') ? reason : `skipped: ${reason}`}`);
      }
    }
    // A file that cannot be loaded, or a hook that fails, has no failing test of its own.
    const own = [...module.errors(), ...[...module.children.allSuites()].flatMap((suite) => [...suite.errors()])];
    if (own.length > 0) {
      counts.failed += 1;
      this.failure(file, own);
    }
    for (const key of ['passed', 'failed', 'skipped']) this.summary[key] += counts[key];
    this.summary.files.push({ file, ms, ...counts });
    const mark = counts.failed > 0 ? '✗' : counts.passed > 0 ? '✓' : '–';
    if (process.env.VESSEL_TEST_PROGRESS === '1' || counts.failed > 0) this.say(`${mark} ${file}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped, ${seconds(ms)}`);
    this.write();
  }

  lines(errors = []) {
    return errors.flatMap((error) => {
      const text = [error.stack ?? `${error.name ?? 'Error'}: ${error.message}`, error.diff].filter(Boolean).join('\n');
      return text.split('\n').filter((line) => !NOISE.test(line)).slice(0, FAILURE_LINES);
    });
  }

  flaky(where, errors) {
    const lines = this.lines(errors);
    this.summary.flaky.push({ where, lines });
    this.say([`~ ${where}: failed, then passed`, ...lines.map((line) => `    ${line}`)].join('\n'));
  }

  failure(where, errors = []) {
    const lines = this.lines(errors);
    this.summary.failures.push({ where, lines });
    this.say([`✗ ${where}`, ...lines.map((line) => `    ${line}`)].join('\n'));
  }

  onTestRunEnd(modules, errors) {
    for (const error of errors) {
      this.summary.failed += 1;
      this.failure('outside any test', [error]);
    }
    // Files that never ran (a worker that died) must not vanish from the count.
    const seen = new Set(this.summary.files.map((entry) => entry.file));
    for (const module of modules) {
      const file = relative(root, module.moduleId);
      if (seen.has(file) || module.state() === 'skipped') continue;
      this.summary.failed += 1;
      this.failure(`${file} did not run to its end`, module.errors());
    }
    this.summary.finished = true;
    this.write();
  }
}
