import { WHEN_CALM } from './when-calm.ts';

const LOOK_MS = 100;
/**
 * A workbench has lulls of a few hundred milliseconds in which its server waits for it; an extension host begun in one of them took two seconds from the first
 * typed text, a file watcher three quarters of one. What a terminal writes before a watcher is there is not seen: it waits less.
 */
const LOOKS = { extensionHost: 8, fileWatcher: 4 };
/** A browser complains of an extension host after ten seconds. */
const LONGEST_MS = { extensionHost: 6_000, fileWatcher: 4_000 };

/**
 * Program text, run inside VS Code's server before anything else: keeps one started process of each kind ready that the server forks
 * while a workbench loads. Measured in emulation, an extension host takes 4 s of processor until it listens, in the very seconds in
 * which a person waits for the editor. A template is frozen with its spares loaded; a clone only hands them out.
 *
 * - Only what the server forked once before is kept, with the same program, arguments and environment: a fork that asks for anything
 *   else is a fork as ever, and nothing but time is lost. What an extension host is told later comes over its connection, but for the
 *   environment's address, which is a variable of its process and is handed to a spare as a message.
 * - A spare is made when the last one of its kind has ended, so that a reload finds one and nothing is started beside a loading editor.
 * - A spare is said to be ready only when the server has time to spare: until it is told so an extension host loads no extension and a watcher watches nothing, and
 *   the workbench with its files, which a person waits for, has the processors to itself.
 * - An extension host gives up when no connection comes within a minute (`VSCODE_EXTHOST_IPC_SOCKET timeout`), which a spare must not:
 *   its one timer of that length is stretched until the first message comes. Until then a spare ends with its server, however that ends.
 */
export const SPARE_PROCESSES = `import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';

const EXTENSION_HOST = '--type=extensionHost';
const FILE_WATCHER = '--type=fileWatcher';
const KINDS = [EXTENSION_HOST, FILE_WATCHER];
/** For each: so many calm looks on end, and the longest wait. */
const CALM_ENOUGH = { [EXTENSION_HOST]: [${LOOKS.extensionHost}, ${LONGEST_MS.extensionHost}], [FILE_WATCHER]: [${LOOKS.fileWatcher}, ${LONGEST_MS.fileWatcher}] };
const PATIENCE = 'data:text/javascript,' + encodeURIComponent([
  'const arm = globalThis.setTimeout;',
  'globalThis.setTimeout = (callback, ms, ...rest) => arm(callback, ms === 60000 ? 2147483647 : ms, ...rest);',
  // Its own watch over its server begins only with its first connection; the stretched timer would hold it until then.
  'const leave = () => process.exit();',
  'process.on("disconnect", leave);',
  'if (!process.connected) leave();',
  'process.on("message", function first(message) {',
  '  if (message?.type === "VESSEL_ENVIRONMENT") return void Object.assign(process.env, message.variables);',
  '  process.off("message", first);',
  '  process.off("disconnect", leave);',
  '  globalThis.setTimeout = arm;',
  '});',
  'const at = process.execArgv.findIndex((argument) => argument.startsWith("data:"));',
  // What extensions fork must not inherit it.
  'if (at > 0) process.execArgv.splice(at - 1, 2);',
].join('\\n'));
// Each environment has an address of its own, which the workbench tells when it connects; an extension host reads it only on behalf of extensions.
const LATE = ['VSCODE_PROXY_URI'];
${WHEN_CALM}
const fork = childProcess.fork;
const spares = new Map();

function differences(before, now) {
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(now[name]));
}

function makeSpare(kind, script, args, options) {
  if (spares.has(kind)) return;
  const child = fork(script, args, { ...options, execArgv: [...(options?.execArgv ?? process.execArgv), '--import', PATIENCE] });
  const spare = { child, args: [script, ...args], options: { ...options }, messages: [], hold: (message, handle) => { spare.messages.push([message, handle]); } };
  child.on('message', spare.hold);
  child.once('exit', () => { if (spares.get(kind) === spare) spares.delete(kind); });
  child.on('error', () => { if (spares.get(kind) === spare) spares.delete(kind); });
  spares.set(kind, spare);
}

function take(kind, script, args, options) {
  const spare = spares.get(kind);
  if (spare === undefined) return null;
  spares.delete(kind);
  const variables = differences(spare.options.env, options.env);
  const late = variables.filter((name) => LATE.includes(name) && options.env[name] !== undefined);
  const different = [...differences([script, ...args], spare.args), ...variables.filter((name) => !late.includes(name)), ...differences({ ...spare.options, env: null }, { ...options, env: null })];
  if (different.length > 0 || !spare.child.connected) {
    // Names only: an environment may hold secrets.
    console.log('a spare ' + kind + ' did not fit: ' + (different.join(', ') || 'it has ended'));
    spare.child.kill();
    return null;
  }
  if (late.length > 0) spare.child.send({ type: 'VESSEL_ENVIRONMENT', variables: Object.fromEntries(late.map((name) => [name, options.env[name]])) });
  spare.child.off('message', spare.hold);
  const speak = () => { for (const [message, handle] of spare.messages) if (spare.child.connected) spare.child.emit('message', message, handle); };
  // In any case after the caller has attached its listeners.
  whenCalm(${LOOK_MS}, ...CALM_ENOUGH[kind], speak);
  return spare.child;
}

childProcess.fork = function forkOrTakeSpare(script, args, options) {
  const kind = Array.isArray(args) ? KINDS.find((candidate) => args.includes(candidate)) : undefined;
  if (kind === undefined) return fork.apply(childProcess, arguments);
  const wanted = { ...options, env: { ...(options?.env ?? process.env) } };
  const child = take(kind, script, args, wanted) ?? fork(script, args, options);
  child.once('exit', () => makeSpare(kind, script, args, wanted));
  return child;
};
syncBuiltinESMExports();
`;
