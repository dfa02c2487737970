import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import type { DeliveredFile, HostFacts } from '#shared/host-protocol.ts';
import { fetchVerified } from '../../../images/recipe/fetch-verified.ts';
import { unitText } from '../../build-info.ts';
import type { HostPaths } from '../../paths.ts';
import { exists } from '../../system/exists.ts';
import { runChecked } from '../../system/run-command.ts';
import { isSystemdRunning, isUnitActive, systemctl } from '../../system/systemd.ts';
import type { Check, ProvisionStep } from '../step.ts';
import type { Journal } from '../journal.ts';
import { place, placedBy, stateOf, takeAway, type ManagedPath } from './managed-files.ts';
import { takenPorts } from './ports.ts';

const UNIT = 'vessel-traefik.service';
const PROGRAM = '/usr/local/lib/vessel/traefik';
const STATIC_CONFIG = '/etc/traefik/traefik.yml';
/** The entry point of the static configuration. */
const WEB_PORT = 80;
const UNPACK_DEADLINE_MS = 60_000;
const INSTEAD = 'the tunnel goes to environments directly';

const ReleaseSchema = z.object({ version: z.string(), url: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/).nullable() });

/** Where the Traefik that provisioning installed answers; null while it does not run. */
export async function runningFront(): Promise<HostFacts['front']> {
  return await exists(`/etc/systemd/system/${UNIT}`) && await isUnitActive(UNIT) ? { host: '127.0.0.1', port: WEB_PORT } : null;
}

/**
 * Traefik v2.10 on 127.0.0.1:80, with a rule for each environment. A convenience of the host: where it cannot be had (no program at
 * hand, port taken, no systemd) the step is skipped with the reason, and environments are reached all the same.
 */
export function traefikStep(paths: HostPaths, journal: Journal, delivered: DeliveredFile | undefined): ProvisionStep {
  let unavailable: string | null = null;
  const files = async (): Promise<readonly ManagedPath[]> => [
    { kind: 'file', path: STATIC_CONFIG, text: await unitText('traefik.yml'), mode: 0o644 },
    { kind: 'link', path: '/etc/traefik/dynamic', to: paths.traefik },
    { kind: 'file', path: `/etc/systemd/system/${UNIT}`, text: await unitText(UNIT), mode: 0o644 },
  ];
  const skip = (why: string): Check => ({ present: true, skipped: true, evidence: `${why}: ${INSTEAD}`, plan: [] });

  async function check(): Promise<Check> {
    const ours = await placedBy('traefik', journal);
    if (!await isSystemdRunning()) return skip('systemd does not run here');
    const states = await Promise.all((await files()).map(async (file) => ({ path: file.path, state: await stateOf(file, ours) })));
    const foreign = states.find(({ state }) => state === 'foreign');
    if (foreign !== undefined) return skip(`${foreign.path} is somebody else's`);
    const [program, active] = await Promise.all([exists(PROGRAM), isUnitActive(UNIT)]);
    if (!active && (await takenPorts([WEB_PORT])).length > 0) return skip(`port ${WEB_PORT} is taken by another program`);
    const missing = states.filter(({ state }) => state === 'missing').map(({ path }) => `write ${path}`);
    if (program && active && missing.length === 0) return { present: true, evidence: `${UNIT} is active on 127.0.0.1:${WEB_PORT}`, plan: [] };
    if (unavailable !== null) return skip(unavailable);
    const release = ReleaseSchema.parse(JSON.parse(await unitText('release.json')));
    if (!program && delivered === undefined && release.sha256 === null) return skip(`there is no program of Traefik ${release.version} at hand, and no checksum to fetch it by (VESSEL_TRAEFIK_BINARY names one)`);
    const how = delivered === undefined ? `fetch ${release.url}` : 'take the program that was sent';
    return { present: false, evidence: program ? `${UNIT} is not active` : 'not installed', plan: [...(program ? [] : [`${how} to ${PROGRAM}`]), ...missing, `enable and start ${UNIT}`] };
  }

  async function install(signal: AbortSignal): Promise<void> {
    const temporary = `${PROGRAM}.new`;
    try {
      if (delivered === undefined) await download(temporary, signal);
      else {
        await copyFile(delivered.path, temporary);
        const found = createHash('sha256').update(await readFile(temporary)).digest('hex');
        if (found !== delivered.sha256) throw new VesselError('ARCHIVE_CORRUPT', 'Traefik did not arrive as it was sent', { hint: 'Provision again: it is sent anew.', details: { expected: delivered.sha256, found } });
      }
      await runChecked(['install', '--mode=755', temporary, `${temporary}.x`], { deadlineMs: UNPACK_DEADLINE_MS, signal });
      await rename(`${temporary}.x`, PROGRAM);
    } finally {
      await rm(temporary, { force: true });
    }
  }
  async function download(into: string, signal: AbortSignal): Promise<void> {
    const { url, sha256 } = ReleaseSchema.parse(JSON.parse(await unitText('release.json')));
    const scratch = await mkdtemp(join(tmpdir(), 'vessel-traefik-'));
    try {
      await fetchVerified({ url, sha256: sha256 ?? '' }, join(scratch, 'release.tar.gz'), signal);
      await runChecked(['tar', '-xzf', join(scratch, 'release.tar.gz'), '-C', scratch, 'traefik'], { deadlineMs: UNPACK_DEADLINE_MS, signal });
      await copyFile(join(scratch, 'traefik'), into);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  return {
    id: 'traefik', title: 'Traefik', weight: 5, check,
    async run({ signal, log }) {
      if (!await exists(PROGRAM)) {
        await journal.record('traefik', PROGRAM);
        try {
          await install(signal);
        } catch (error) {
          signal.throwIfAborted();
          unavailable = VesselError.from(error).message;
          log('warn', `Traefik is left out: ${unavailable}`);
          return;
        }
      }
      for (const file of await files()) await place('traefik', file, journal);
      await systemctl('daemon-reload');
      await systemctl('enable', UNIT);
      await systemctl('restart', UNIT);
    },
    async undo({ item }) {
      const unit = `/etc/systemd/system/${UNIT}`;
      if (item === unit && await isSystemdRunning()) await systemctl('disable', '--now', UNIT);
      const why = await takeAway(item);
      if (item === unit && await isSystemdRunning()) await systemctl('daemon-reload');
      return why;
    },
  };
}
