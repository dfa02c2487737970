import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './paths.mjs';
import { signalCode } from './run.mjs';

/** Lines of Electron that say why it cannot run, the most telling first; its last line is often only a stack frame. */
const TELLING = [/error while loading shared libraries: (.+)/, /(Missing X server.*)/, /(Running as root without --no-sandbox.*)/, /(The SUID sandbox helper.*)/, /(No usable sandbox.*)/, /(cannot open display.*)/i];

function reasonOf(text, code, signal) {
  for (const pattern of TELLING) {
    const found = pattern.exec(text);
    if (found !== null) return found[1].trim().slice(0, 200);
  }
  const last = text.trim().split('\n').at(-1)?.trim() ?? '';
  return last === '' ? `it ended with ${signal ?? `code ${code}`}` : last.slice(0, 200);
}

/**
 * Runs Electron until it ends. Resolves to `{code}` when its window had been shown, and to `{failed: reason}` when it died
 * before: main writes the file named by VESSEL_READY_FILE as soon as the window has loaded.
 */
export function runElectron(path, args) {
  const scratch = mkdtempSync(join(tmpdir(), 'vessel-electron-'));
  const ready = join(scratch, 'ready');
  const child = spawn(path, [root, ...args], { stdio: ['inherit', 'inherit', 'pipe'], env: { ...process.env, VESSEL_READY_FILE: ready } });
  let text = '';
  child.stderr.on('data', (chunk) => {
    // Held back until the window is there: what a failed start prints is told in one line instead.
    if (existsSync(ready)) process.stderr.write(chunk);
    else text = (text + chunk).slice(-20_000);
  });
  let asked = false;
  process.on('SIGINT', () => { asked = true; });
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => { asked = true; child.kill(signal); });
  return new Promise((resolve) => {
    const done = (code, signal, note = '') => {
      const shown = existsSync(ready);
      rmSync(scratch, { recursive: true, force: true });
      resolve(shown || asked || code === 0 ? { code: code ?? signalCode(signal) } : { failed: reasonOf(text + note, code, signal) });
    };
    child.on('error', (error) => done(127, null, error.message));
    child.on('close', (code, signal) => done(code, signal));
  });
}
