import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { node24, out, root } from './paths.mjs';
import { run } from './run.mjs';

export const EMPTY_SUMMARY = { passed: 0, failed: 0, skipped: 0, files: [], failures: [], flaky: [], finished: false };

/** Where the counts of one run are kept: a project, or a lane of the real tests. */
export const summaryFile = (name) => join(out, 'test-results', `${name}.json`);

export function vitestCommand(project, filters) {
  return [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--project', project, '--reporter', join(root, 'build', 'lib', 'reporter.mjs'), '--passWithNoTests', ...filters];
}

/** Removes old counts, so that a run that dies early cannot show them. */
export function prepareSummary(project) {
  mkdirSync(join(out, 'test-results'), { recursive: true });
  rmSync(summaryFile(project), { force: true });
}

export function readSummary(project) {
  return existsSync(summaryFile(project)) ? JSON.parse(readFileSync(summaryFile(project), 'utf8')) : EMPTY_SUMMARY;
}

/** The unit tests; their output is captured because other checks run beside them. */
export async function runUnit(filters = []) {
  prepareSummary('unit');
  const result = await run(node24, vitestCommand('unit', filters), { output: 'capture', env: { ...process.env, VESSEL_TEST_SUMMARY: summaryFile('unit'), NO_COLOR: '1' } });
  return { ...result, summary: readSummary('unit') };
}
