#!/usr/bin/env node
// The `vessel` command of a clone: installs and builds when needed, then hands over to the command line on Node 24.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensure, fail } from './ensure.mjs';
import { build } from './build.mjs';
import { node24, root } from './lib/paths.mjs';
import { become } from './lib/run.mjs';

const program = join(root, 'out', 'cli', 'main.mjs');
try {
  await ensure();
  await build();
} catch (error) {
  fail(error);
}
if (!existsSync(program)) fail(new Error('The command line is not built.'));
process.exitCode = await become(node24, [program, ...process.argv.slice(2)]);
