import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { VesselError } from '#shared/errors.ts';
import { vesselCache } from '#shared/paths.ts';
import { bundleGuestAgent } from '../guest-agent/bundle.ts';
import { codeServer } from '../ide/code-server.ts';
import { buildGoldenImage } from './build-golden-image.ts';
import { hostRegistry } from './npm-packages.ts';
import { writeOciContext } from './oci-context.ts';

/**
 * `node images/recipe/main.ts [--cache DIR] [--agent FILE] [--quiet]`: builds the golden image and prints it as JSON; people read
 * stderr. With `--oci-context DIR` it writes the build context of images/Dockerfile there instead.
 */
const { values } = parseArgs({ options: { cache: { type: 'string' }, agent: { type: 'string' }, 'oci-context': { type: 'string' }, quiet: { type: 'boolean', default: false } } });

async function agentSource(): Promise<string> {
  if (values.agent !== undefined) return readFile(values.agent, 'utf8');
  const scratch = await mkdtemp(join(tmpdir(), 'vessel-agent-'));
  try {
    const file = join(scratch, 'guest-agent.mjs');
    await bundleGuestAgent(file);
    return await readFile(file, 'utf8');
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const abort = new AbortController();
process.once('SIGINT', () => abort.abort());
process.once('SIGTERM', () => abort.abort());
try {
  const guestAgentSource = await agentSource();
  const context = values['oci-context'];
  if (context !== undefined) await writeOciContext(context, codeServer, guestAgentSource, await hostRegistry());
  else await buildImage(guestAgentSource);
} catch (error) {
  const shape = VesselError.from(error).toShape();
  process.stderr.write(`${shape.logTail.join('\n')}\n${shape.code}: ${shape.message}\n${shape.hint}\n`);
  process.exitCode = 1;
}

async function buildImage(guestAgentSource: string): Promise<void> {
  const image = await buildGoldenImage({
    cacheDir: values.cache ?? vesselCache(process.env, homedir(), process.getuid?.() === 0),
    guestAgentSource,
    signal: abort.signal,
    onProgress: ({ progress, message }) => { process.stderr.write(`[${String(Math.round(progress * 100)).padStart(3)} %] ${message}\n`); },
    log: (line) => { if (!values.quiet) process.stderr.write(`        ${line}\n`); },
  });
  process.stdout.write(`${JSON.stringify(image, null, 2)}\n`);
}
