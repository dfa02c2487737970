#!/usr/bin/env node
// The `vessel` command of a clone: installs and builds when needed, then runs the command line on Node 24.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensure, fail } from './ensure.mjs';
import { build } from './build.mjs';
import { NODE_MAJOR, node24, out } from './lib/paths.mjs';
import { become } from './lib/run.mjs';

const program = join(out, 'cli', 'main.mjs');
try {
  await ensure();
  await build();
} catch (error) {
  fail(error);
}
if (!existsSync(program)) fail(new Error('The command line is not built.'));
// `vessel install-cli` writes a launcher that starts this very file with that Node.
process.env.VESSEL_LAUNCHER = JSON.stringify([node24, fileURLToPath(import.meta.url)]);
if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) {
  // In this very process, compiled once: starting a second Node and compiling the bundle again cost more than most commands.
  module.enableCompileCache?.(join(out, '.cache', 'cli'));
  process.argv[1] = program;
  await import(pathToFileURL(program).href);
} else process.exitCode = await become(node24, [program, ...process.argv.slice(2)]);
