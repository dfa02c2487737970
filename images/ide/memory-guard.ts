import { MEMORY_SCORES } from '../guest-agent/guest/memory-scores.ts';

/** Program text: runs in each process that VS Code's server forks, before anything else of it. */
const IN_CHILD = `
import childProcess from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const SCORE = '/proc/self/oom_score_adj';
const own = readFileSync(SCORE, 'utf8').trim();
// A process gets its parent's score when it is forked: this one has the person's for that moment.
const asPerson = (start) => {
  try { writeFileSync(SCORE, '${MEMORY_SCORES.user}'); } catch { return start(); }
  try { return start(); } finally { try { writeFileSync(SCORE, own); } catch {} }
};
const { spawn } = childProcess.ChildProcess.prototype;
childProcess.ChildProcess.prototype.spawn = function spawnAsPerson() { return asPerson(() => spawn.apply(this, arguments)); };
for (const name of ['spawnSync', 'execSync', 'execFileSync']) {
  const original = childProcess[name];
  childProcess[name] = function startAsPerson() { return asPerson(() => original.apply(this, arguments)); };
}
syncBuiltinESMExports();
// Terminals are forked by node-pty's own code.
const { dlopen } = process;
process.dlopen = function openAddon(module) {
  const result = dlopen.apply(this, arguments);
  const { fork } = module.exports ?? {};
  if (typeof fork === 'function') module.exports.fork = function forkAsPerson() { return asPerson(() => fork.apply(this, arguments)); };
  return result;
};
const at = process.execArgv.findIndex((argument) => argument.startsWith('data:'));
// What extensions fork must not inherit it.
if (at > 0) process.execArgv.splice(at - 1, 2);
`;

/**
 * Program text, run inside VS Code's server before anything else: what the server forks for itself (extension host, file watcher, terminals) stays as
 * protected as the server is when memory runs out; what those start for the person (shells, tasks, language servers, debuggees) does not. Where the
 * server's own score cannot be set, nothing changes.
 */
export const MEMORY_GUARD = `import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
{
  const GUARD = 'data:text/javascript,' + encodeURIComponent(${JSON.stringify(IN_CHILD)});
  const { fork } = childProcess;
  childProcess.fork = function forkGuarded(script, args, options) {
    if (!Array.isArray(args) || !args.some((argument) => String(argument).startsWith('--type='))) return fork.apply(childProcess, arguments);
    return fork(script, args, { ...options, execArgv: [...(options?.execArgv ?? process.execArgv), '--import', GUARD] });
  };
  syncBuiltinESMExports();
}
`;
