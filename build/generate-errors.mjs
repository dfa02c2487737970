#!/usr/bin/env node
// Writes docs/errors.md from ERROR_CODES; with --check only compares. Runs on Node 24 (it imports TypeScript).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isMain } from './ensure.mjs';
import { root } from './lib/paths.mjs';

const target = join(root, 'docs', 'errors.md');
const cell = (text) => text.replaceAll('|', '\\|');

async function render() {
  const { ERROR_CODES } = await import('../electron/shared/errors.ts');
  const rows = Object.entries(ERROR_CODES).map(([code, row]) => `| \`${code}\` | ${cell(row.title)} | ${cell(row.hint)} | ${row.retryable ? 'yes' : 'no'} | ${row.http} | ${row.exit} |`);
  return `# Error codes

Generated from [electron/shared/error-codes.ts](../electron/shared/error-codes.ts) by \`node build/generate-errors.mjs\`: edit the table there.
The same code stands in the window, in \`vessel … --json\` and in the answers of the API. *Retry* says whether doing the same again
can help by itself, *HTTP* is the status of an answer, *exit* what \`vessel\` says to the shell.

| code | what happened | what to try first | retry | HTTP | exit |
|---|---|---|---|---|---|
${rows.join('\n')}
`;
}

if (isMain(import.meta.url)) {
  const text = await render();
  if (!process.argv.includes('--check')) {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  } else if (!existsSync(target) || readFileSync(target, 'utf8') !== text) {
    process.stdout.write('docs/errors.md is stale: run  node_modules/.bin/node build/generate-errors.mjs\n');
    process.exitCode = 1;
  }
}
