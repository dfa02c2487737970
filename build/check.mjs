#!/usr/bin/env node
// `npm run check`: types, lint with the layer rules, unit tests, fresh documentation. Under a minute where most of it was linted before; no VM, no network.
import { join } from 'node:path';
import { ensure, fail, isMain } from './ensure.mjs';
import { node24, root } from './lib/paths.mjs';
import { run } from './lib/run.mjs';
import { runUnit } from './lib/vitest.mjs';

const bin = (...path) => join(root, 'node_modules', ...path);
const capture = (args) => run(node24, args, { output: 'capture', env: { ...process.env, NO_COLOR: '1' } });

/**
 * What was linted and is unchanged is not linted again: fifty seconds become two. A rule that looks at types may miss what a change in another file means,
 * so a pipeline goes without.
 */
const LINT_CACHE = process.env.CI ? [] : ['--cache', '--cache-strategy', 'content', '--cache-location', join(root, 'node_modules', '.cache', 'eslint', '/')];

/** Each counts as one test. */
const CHECKS = {
  'types: electron, host-scripts, images, build': () => capture([bin('typescript7', 'bin', 'tsc'), '-p', '.']),
  'types: renderer': () => capture([bin('typescript7', 'bin', 'tsc'), '-p', 'renderer']),
  'types: tests of the renderer': () => capture([bin('typescript7', 'bin', 'tsc'), '-p', 'renderer/tsconfig.test.json']),
  'no import circles': () => capture([join(root, 'build', 'lint', 'import-circles.ts')]),
  'docs/errors.md is fresh': () => capture([join(root, 'build', 'generate-errors.mjs'), '--check']),
  'docs/adr/README.md is fresh': () => capture([join(root, 'build', 'generate-adr-index.mjs'), '--check']),
  'lint and layers': () => capture([bin('eslint', 'bin', 'eslint.js'), '.', '--max-warnings', '0', ...LINT_CACHE]),
};

/** Runs everything; returns the counts. Output of what failed is printed, what passed gets one line. */
export async function check({ say = (line) => process.stdout.write(`${line}\n`) } = {}) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  const one = async ([name, work]) => {
    const started = Date.now();
    const result = await work();
    const passed = result.code === 0;
    total[passed ? 'passed' : 'failed'] += 1;
    say(`${passed ? '✓' : '✗'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    if (!passed) say(result.text.trimEnd());
  };
  const unit = async () => {
    const started = Date.now();
    const { code, summary, text } = await runUnit();
    for (const key of ['passed', 'failed', 'skipped']) total[key] += summary[key];
    // vitest may fail without a failing test (a crash before any): that is one failure, never none.
    if (code !== 0 && summary.failed === 0) total.failed += 1;
    if (text.trim() !== '') say(text.trimEnd());
    say(`${code === 0 ? '✓' : '✗'} unit tests: ${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  };
  const [quick, lint] = [Object.entries(CHECKS).slice(0, -1), Object.entries(CHECKS).slice(-1)];
  // Two processors: the lint is one process, and the unit tests, which often wait for a timer, leave time for the types.
  await Promise.all([
    one(lint[0]),
    (async () => {
      for (const entry of quick) await one(entry);
    })(),
    unit(),
  ]);
  return total;
}

export const countsLine = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;

if (isMain(import.meta.url)) {
  try {
    await ensure();
    const total = await check();
    process.stdout.write(`${countsLine(total)}\n`);
    process.exitCode = total.failed === 0 ? 0 : 1;
  } catch (error) {
    fail(error);
  }
}
