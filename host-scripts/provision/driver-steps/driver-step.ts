import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import type { DeliveredFile } from '#shared/host-protocol.ts';
import { fetchVerified } from '../../../images/recipe/fetch-verified.ts';
import type { AcceleratorVerdict } from '../../accelerator/accelerator.ts';
import { exists } from '../../system/exists.ts';
import { runChecked, runCommand } from '../../system/run-command.ts';
import { missingOnTheWay } from '../steps/directories.ts';
import { place, takeAway } from '../server-steps/managed-files.ts';
import type { Journal } from '../journal.ts';
import type { Check, ProvisionStep } from '../step.ts';
import type { DriverRelease, ReleaseFile } from './driver-releases.ts';

const DEADLINE_MS = 60_000;
/** Unpacking a kernel and a base image on a slow disk. */
const IMAGE_DEADLINE_MS = 20 * 60_000;
const NAMESPACE = 'firecracker';

export type DriverStepOptions = {
  readonly release: DriverRelease;
  readonly journal: Journal;
  /** By the last part of their address. */
  readonly delivered: readonly DeliveredFile[];
  readonly accelerator: () => Promise<Pick<AcceleratorVerdict, 'kind' | 'why'> | null>;
};

/** A driver that was asked for: its programs, modules and images. Skipped with the reason where it cannot run or cannot be had. */
export function driverStep({ release, journal, delivered, accelerator }: DriverStepOptions): ProvisionStep {
  const id = `driver-${release.driver}`;
  const modulesFile = `/etc/modules-load.d/vessel-${release.driver}.conf`;
  const sentAs = (name: string): DeliveredFile | undefined => delivered.find(({ path }) => basename(path) === name);
  const sentFor = (file: ReleaseFile): DeliveredFile | undefined => sentAs(basename(new URL(file.url).pathname));
  const missingFiles = async (): Promise<readonly ReleaseFile[]> => {
    const there = await Promise.all(release.files.map(({ path }) => exists(path)));
    return release.files.filter((_, index) => there[index] === false);
  };
  const missingImages = async (): Promise<DriverRelease['images']> => {
    if (release.images.length === 0) return [];
    const { stdout } = await runCommand(['ctr', '-n', NAMESPACE, 'images', 'list', '-q'], { deadlineMs: DEADLINE_MS }).catch(() => ({ stdout: '' })); // containerd comes with the packages
    return release.images.filter(({ name }) => !stdout.split('\n').some((line) => line.endsWith(`/${name}`)));
  };

  async function check(): Promise<Check> {
    const verdict = await accelerator();
    if (verdict !== null && verdict.kind !== 'kvm') return { present: true, skipped: true, evidence: `${release.driver} needs KVM: ${verdict.why}`, plan: [] };
    const [files, images] = await Promise.all([missingFiles(), missingImages()]);
    if (files.length === 0 && images.length === 0) return { present: true, evidence: `${release.driver} ${release.version}`, plan: [] };
    const unpinned = files.find((file) => file.sha256 === null && sentFor(file) === undefined);
    if (unpinned !== undefined) return { present: true, skipped: true, evidence: `${unpinned.url} is not at hand, and no checksum is pinned to fetch it by (VESSEL_DRIVER_FILES names a folder with it)`, plan: [] };
    const absent = images.find(({ file }) => sentAs(file) === undefined);
    if (absent !== undefined) return { present: true, skipped: true, evidence: `the image ${absent.name} is not at hand (save it as ${absent.file} in the folder that VESSEL_DRIVER_FILES names)`, plan: [] };
    return {
      present: false, evidence: files.length > 0 ? `missing: ${files.map(({ path }) => path).join(', ')}` : `missing images: ${images.map(({ name }) => name).join(', ')}`,
      plan: [...files.map(({ path }) => `install ${path}`), ...release.modules.map((name) => `load the kernel module ${name}`), ...Object.entries(release.sysctl).map(([name, value]) => `set ${name} to ${value}`), ...images.map(({ name }) => `import ${name}`)],
    };
  }

  async function install(file: ReleaseFile, signal: AbortSignal): Promise<void> {
    const scratch = await mkdtemp(join(tmpdir(), 'vessel-driver-'));
    try {
      const archive = join(scratch, 'download');
      const content = join(scratch, 'content');
      await mkdir(content);
      const sent = sentFor(file);
      if (sent === undefined) await fetchVerified({ url: file.url, sha256: file.sha256 ?? '' }, archive, signal);
      else {
        await copyFile(sent.path, archive);
        const found = createHash('sha256').update(await readFile(archive)).digest('hex');
        if (found !== sent.sha256) throw new VesselError('ARCHIVE_CORRUPT', `${basename(sent.path)} did not arrive as it was sent`, { details: { expected: sent.sha256, found } });
      }
      if (file.member !== null) await runChecked(['tar', '-xzf', archive, '-C', content, file.member], { deadlineMs: DEADLINE_MS, signal });
      for (const folder of await missingOnTheWay(dirname(file.path))) await journal.record(id, folder);
      await journal.record(id, file.path);
      await runChecked(['install', '-D', '--mode=755', file.member === null ? archive : join(content, file.member), `${file.path}.new`], { deadlineMs: DEADLINE_MS, signal });
      await rename(`${file.path}.new`, file.path);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  return {
    id, title: `Driver ${release.driver} ${release.version}`, weight: 30, check,
    async run({ signal, progress }) {
      const files = await missingFiles();
      for (const [index, file] of files.entries()) {
        progress(index / (files.length + 1), basename(file.path));
        await install(file, signal);
      }
      if (release.modules.length > 0) {
        await place(id, { kind: 'file', path: modulesFile, text: `# Vessel: ${release.driver}\n${release.modules.join('\n')}\n`, mode: 0o644 }, journal);
        for (const name of release.modules) await runChecked(['modprobe', name], { deadlineMs: DEADLINE_MS, signal });
      }
      for (const [name, value] of Object.entries(release.sysctl)) {
        const path = sysctlPath(name);
        const before = (await readFile(path, 'utf8')).trim();
        if (before === value) continue;
        await journal.record(id, `sysctl ${name} ${before}`);
        await place(id, { kind: 'file', path: `/etc/sysctl.d/60-vessel-${release.driver}.conf`, text: `${name} = ${value}\n`, mode: 0o644 }, journal);
        await writeFile(path, value);
      }
      for (const { name, file } of await missingImages()) {
        const sent = sentAs(file);
        if (sent === undefined) throw new VesselError('PROVISION_FAILED', `${file} was not sent`);
        progress(0.9, name);
        await journal.record(id, `image ${name}`);
        await runChecked(['ctr', '-n', NAMESPACE, 'images', 'import', sent.path], { deadlineMs: IMAGE_DEADLINE_MS, signal });
      }
    },
    async undo({ item }) {
      const [kind, name, value] = item.split(' ');
      if (kind === 'image' && name !== undefined) return removeImage(name);
      if (kind === 'sysctl' && name !== undefined && value !== undefined) {
        await writeFile(sysctlPath(name), value);
        return null;
      }
      return takeAway(item);
    },
  };
}

/** Under whatever registry's name it was imported. */
async function removeImage(name: string): Promise<string | null> {
  const { stdout } = await runCommand(['ctr', '-n', NAMESPACE, 'images', 'list', '-q'], { deadlineMs: DEADLINE_MS });
  const found = stdout.split('\n').find((line) => line.endsWith(`/${name}`));
  if (found === undefined) return null;
  return (await runCommand(['ctr', '-n', NAMESPACE, 'images', 'remove', found], { deadlineMs: DEADLINE_MS })).code === 0 ? null : 'containerd keeps it';
}

const sysctlPath = (name: string): string => `/proc/sys/${name.replaceAll('.', '/')}`;
