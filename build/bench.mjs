#!/usr/bin/env node
// `npm run bench`: runs build/bench/*.bench.ts one after the other and prints one JSON document.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { build } from './build.mjs';
import { ensure, fail } from './ensure.mjs';
import { benchNeeds, skippedIn } from './lib/bench-needs.mjs';
import { node24, root } from './lib/paths.mjs';

const folder = join(root, 'build', 'bench');
const SUFFIX = '.bench.ts';
const names = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(SUFFIX)).map((file) => file.slice(0, -SUFFIX.length)).sort() : [];

/** A bench prints its progress on stderr and one JSON document on stdout. */
function runOne(name, args) {
  const child = spawn(node24, ['--import', join(folder, 'one-line-errors.mjs'), join(folder, `${name}${SUFFIX}`), ...args], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ error: error.message }));
    child.on('close', (code) => {
      const text = Buffer.concat(chunks).toString('utf8');
      try {
        const result = JSON.parse(text);
        resolve(code === 0 || result.error !== undefined ? result : { error: `ended with code ${code}`, output: text.slice(-2000) });
      } catch (error) {
        resolve({ error: code === 0 ? `printed no JSON: ${error.message}` : `ended with code ${code}`, output: text.slice(-2000) });
      }
    });
  });
}

const say = (line) => process.stderr.write(`${line}\n`);
const asked = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('-'));
const unknown = asked.filter((name) => !names.includes(name));
if (flags.includes('--help') || unknown.length > 0) {
  process.stdout.write(`npm run bench [-- name… --runs=N]\nBenches: ${names.join(', ') || 'none'}\n`);
  process.exit(unknown.length > 0 ? 2 : 0);
}
try {
  await ensure();
  await build();
  const results = {};
  for (const name of asked.length > 0 ? asked : names) {
    say(`▶ ${name}`);
    const missing = await benchNeeds(name, say);
    results[name] = missing === null ? await runOne(name, flags) : { error: missing };
    if (missing !== null) say(`  ✗ ${missing}`);
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  process.stdout.write(`${JSON.stringify({ vessel: version, at: new Date().toISOString(), machine: { processors: cpus().length, model: cpus()[0]?.model ?? 'unknown', memoryBytes: totalmem(), kernel: release() }, results }, null, 2)}\n`);
  for (const line of skippedIn(results, [])) say(`– ${line}`);
  process.exitCode = Object.values(results).some((result) => result !== null && typeof result === 'object' && 'error' in result) ? 1 : 0;
} catch (error) {
  fail(error);
}
