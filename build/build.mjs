#!/usr/bin/env node
// Builds `out/` from the sources; does nothing when nothing changed.
import { join } from 'node:path';
import { ensure, fail, isMain } from './ensure.mjs';
import { staleness } from './lib/inputs.mjs';
import { withLock } from './lib/lock.mjs';
import { node24, root, stamps } from './lib/paths.mjs';
import { parts } from './lib/parts.mjs';
import { run } from './lib/run.mjs';

const staleParts = (wanted) => parts
  .filter((part) => wanted === null || wanted.includes(part.name))
  .filter((part) => staleness(part.name, part.inputs, part.outputs).stale)
  .map((part) => part.name);

/** Builds what is stale; `only` names parts, null means all. Progress goes to stderr, so that stdout stays the caller's. */
export async function build({ only = null, say = (line) => process.stderr.write(`${line}\n`) } = {}) {
  if (staleParts(only).length === 0) return;
  await withLock(join(stamps, 'build.lock'), async () => {
    const stale = staleParts(only);
    if (stale.length === 0) return; // another process built it while we waited
    const result = await run(node24, [join(root, 'build', 'lib', 'compile.mjs'), ...stale], { output: 'stderr' });
    if (result.code !== 0) throw new Error('The build failed; the reason stands above.');
  }, (pid) => say(`Waiting for another build (process ${pid})…`));
}

if (isMain(import.meta.url)) {
  const asked = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
  const names = parts.map((part) => part.name);
  const unknown = asked.filter((name) => !names.includes(name));
  if (process.argv.includes('--help') || unknown.length > 0) {
    process.stdout.write(`npm run build [-- ${names.join(' | ')}]\nBuilds the stale parts of out/ (all of them without a name).\n`);
    process.exit(unknown.length > 0 ? 2 : 0);
  }
  await ensure().then(() => build({ only: asked.length === 0 ? null : asked })).catch(fail);
}
