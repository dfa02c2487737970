// Runs on Node 24 with node_modules in place: builds the parts named on the command line.
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { writeStamp, staleness } from './inputs.mjs';
import { NOTICES, noticesText, packageFolders } from './notices.mjs';
import { root } from './paths.mjs';
import { parts } from './parts.mjs';
import { run } from './run.mjs';

/** Enough for the first reason; the rest repeats it. */
const FAILURE_LINES = 25;
const say = (line) => process.stderr.write(`${line}\n`);

async function bundle(part) {
  const { build } = await import('esbuild');
  const { warnings, metafile } = await build({
    absWorkingDir: root, metafile: true,
    entryPoints: part.entries.map((entry, at) => ({ in: join(root, entry), out: part.outputs[at].replace(/^out\/|\.mjs$/g, '') })),
    outdir: join(root, 'out'), outExtension: { '.js': '.mjs' },
    bundle: true, platform: 'node', target: 'node24', format: 'esm', sourcemap: 'linked', legalComments: 'none', logLevel: 'silent',
    // CommonJS packages (ws, ssh2) call require() and name their folder; an ES module has neither of its own.
    banner: { js: "import { createRequire as vesselCreateRequire } from 'node:module'; const require = vesselCreateRequire(import.meta.url), __dirname = import.meta.dirname, __filename = import.meta.filename;" },
    // Optional native helpers of ws and ssh2: absent beside the bundle, so both always run the same JavaScript.
    external: ['bufferutil', 'utf-8-validate', 'cpu-features', '*/sshcrypto.node'],
  });
  writeFileSync(join(root, dirname(part.outputs[0]), NOTICES), noticesText(packageFolders(Object.keys(metafile.inputs), root)));
  for (const { text, location } of warnings) say(`! ${location === null ? '' : `${location.file}:${location.line}: `}${text}`);
}

async function electronVite() {
  // electron-vite writes its progress for people; only a failure is of interest.
  const result = await run(process.execPath, [join(root, 'node_modules', 'electron-vite', 'bin', 'electron-vite.js'), 'build', '--logLevel', 'warn'], { output: 'capture', env: { ...process.env, NODE_ENV: 'production', NO_COLOR: '1' } });
  if (result.code !== 0) throw new Error(`electron-vite failed\n${stripVTControlCharacters(result.text).trim().split('\n').slice(0, FAILURE_LINES).join('\n')}`);
}

async function script(part) {
  const result = await run(process.execPath, [join(root, part.entries[0])], { output: 'capture' });
  if (result.code !== 0) throw new Error(`${part.entries[0]} failed\n${result.text.trim()}`);
}

const builders = { bundle, 'electron-vite': electronVite, script };

async function buildPart(part) {
  const missing = part.entries.filter((entry) => !existsSync(join(root, entry)));
  if (missing.length > 0) throw new Error(`${part.title} cannot be built: ${missing.join(', ')} is missing`);
  // The stamp is taken before the build: an edit during it leaves the part stale.
  const { stale, stamp } = staleness(part.name, part.inputs, part.outputs);
  if (!stale) return;
  const started = Date.now();
  await builders[part.kind](part);
  const lost = part.outputs.filter((output) => !existsSync(join(root, output)));
  if (lost.length > 0) throw new Error(`${part.title} did not write ${lost.join(', ')}`);
  writeStamp(part.name, stamp);
  say(`built ${part.title} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

const names = process.argv.slice(2);
const results = await Promise.allSettled(parts.filter((part) => names.includes(part.name)).map(buildPart));
const failures = results.filter((result) => result.status === 'rejected');
for (const { reason } of failures) say(reason instanceof Error ? reason.message : String(reason));
process.exitCode = failures.length === 0 ? 0 : 1;
