import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { root, stamps } from './paths.mjs';

const IGNORED = new Set(['node_modules', 'out', '.git']);

/** Every file under the given paths that can change a build, sorted; tests cannot. */
export function listInputs(paths) {
  const found = [];
  const visit = (path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return;
    if (!stat.isDirectory()) {
      if (!/\.test\.tsx?$/.test(path)) found.push({ path, stat });
      return;
    }
    for (const entry of readdirSync(path).sort()) if (!IGNORED.has(entry)) visit(join(path, entry));
  };
  for (const path of paths) visit(join(root, path));
  return found;
}

const name = (path) => relative(root, path).split(sep).join('/');

function digest(inputs, describe) {
  const hash = createHash('sha256');
  for (const input of inputs) hash.update(`${name(input.path)}\0`).update(describe(input)).update('\0');
  return hash.digest('hex');
}

/**
 * What a part was built from. `quick` looks at size and time only; `content` reads the files, so that a checkout that
 * merely touches them costs no rebuild.
 */
export function fingerprint(paths) {
  const inputs = listInputs(paths);
  return {
    quick: digest(inputs, ({ stat }) => `${stat.size} ${stat.mtimeMs}`),
    content: () => digest(inputs, ({ path }) => readFileSync(path)),
  };
}

function readStamp(part) {
  const path = join(stamps, `${part}.json`);
  if (!existsSync(path)) return null;
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return null; // cut off by a crash: build again
    throw error;
  }
}

export function writeStamp(part, stamp) {
  mkdirSync(stamps, { recursive: true });
  writeFileSync(join(stamps, `${part}.json`), JSON.stringify(stamp));
}

/** Whether a part must be built again, and the stamp to write after it was. */
export function staleness(part, paths, outputs) {
  const now = fingerprint(paths);
  const before = readStamp(part);
  const whole = outputs.every((output) => existsSync(join(root, output)));
  if (whole && before?.quick === now.quick) return { stale: false, stamp: before };
  const stamp = { quick: now.quick, content: now.content() };
  if (whole && before?.content === stamp.content) {
    writeStamp(part, stamp);
    return { stale: false, stamp };
  }
  return { stale: true, stamp };
}
