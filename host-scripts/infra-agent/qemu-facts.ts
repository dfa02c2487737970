import type { HostFacts } from '#shared/host-protocol.ts';
import { TIERS } from '#shared/project.ts';
import { VesselError } from '#shared/errors.ts';
import { rememberedVerdict } from '../accelerator/accelerator.ts';
import { currentImage } from '../current-image.ts';
import type { DriverWithAbilities } from '../drivers/driver.ts';
import { qemuVersion } from '../drivers/qemu/qemu-version.ts';
import { abilitiesOf } from './driver-facts.ts';
import { computerFacts } from '../host-facts.ts';
import type { HostPaths } from '../paths.ts';
import { runningFront } from '../provision/server-steps/traefik.ts';
import { serviceUser } from '../system/run-user.ts';

/** Proportional memory of an idle clone, measured with ten alive (MICROVM.md: 81 MB); used until one runs here. */
const CLONE_BYTES = 90 * 1024 * 1024;
/** Work in a guest (a build, a language server) dirties several times its idle memory: plan with this at least. */
const WORKING_BYTES = 400 * 1024 * 1024;
/** Left to the host itself. */
const RESERVE_BYTES = 512 * 1024 * 1024;

async function measuredBytes(driver: DriverWithAbilities, ids: readonly string[]): Promise<number | null> {
  const meter = driver.abilities.memory;
  if (meter === null || ids.length === 0) return null;
  // A machine that ends while it is measured is simply not measured.
  const sizes = (await Promise.all(ids.map((id) => meter.memoryBytes(id).catch(() => 0)))).filter((size) => size > 0);
  return sizes.length === 0 ? null : Math.round(sizes.reduce((sum, size) => sum + size, 0) / sizes.length);
}

async function imageOrNull(paths: HostPaths): Promise<HostFacts['image']> {
  try {
    const image = await currentImage(paths);
    return image === null ? null : { key: image.key, ide: image.ide.name, ideVersion: image.ide.version, bytes: image.bytes, builtAt: image.builtAt, ideStaticDir: image.ideStaticDir };
  } catch (error) {
    // An unsupported distribution has no image of its own; that is told by the doctor, facts stay answerable.
    if (['HOST_UNSUPPORTED', 'PROVISION_FAILED'].includes(VesselError.from(error).code)) return null;
    throw error;
  }
}

async function templatesOrNone(driver: DriverWithAbilities): Promise<HostFacts['templates']> {
  try {
    return [...await driver.abilities.templates?.templateStates() ?? []];
  } catch (error) {
    if (['HOST_NOT_READY', 'IMAGE_MISSING', 'HOST_UNSUPPORTED', 'PROVISION_FAILED'].includes(VesselError.from(error).code)) return [];
    throw error;
  }
}

/** What this host is and can carry. Changes nothing, and answers on a host that is not provisioned too. */
export async function qemuFacts(paths: HostPaths, isRoot: boolean, driver: DriverWithAbilities, standby: HostFacts['standby'] = 'off'): Promise<HostFacts> {
  const user = isRoot ? await serviceUser() : null;
  const [computer, vms, image, version, verdict, front] = await Promise.all([
    computerFacts(paths.vms), driver.list(), imageOrNull(paths), qemuVersion(), rememberedVerdict(paths.cache, user), runningFront(),
  ]);
  const ready = version !== null && image !== null && (!isRoot || user !== null);
  const running = vms.filter(({ state }) => state === 'running');
  const perEnvironmentBytes = await measuredBytes(driver, running.map(({ id }) => id)) ?? CLONE_BYTES;
  const each = Math.min(Math.max(perEnvironmentBytes, WORKING_BYTES), TIERS.medium.memoryMiB * 1024 * 1024);
  return {
    ...computer, qemuVersion: version, image, front,
    accelerator: verdict === null ? { kind: 'unknown', why: 'not probed since this host booted', probedAt: null } : { kind: verdict.kind, why: verdict.why, probedAt: verdict.probedAt },
    templates: ready && verdict !== null ? await templatesOrNone(driver) : [],
    capacity: { running: running.length, more: Math.max(0, Math.floor((computer.memoryAvailableBytes - RESERVE_BYTES) / each)), perEnvironmentBytes },
    standby, runUser: user?.name ?? null, ready, driver: 'qemu', abilities: abilitiesOf(driver),
  };
}
