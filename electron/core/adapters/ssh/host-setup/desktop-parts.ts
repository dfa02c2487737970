import { execFile, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { arch, platform } from 'node:process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import { z } from 'zod';
import type { HostProbe } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { DeliveredImage } from '#shared/host-protocol.ts';
import { NODE_MAJOR, SYSTEM_NODES } from './layout.ts';
import { packedBefore, packOnce, parcelOf, type PackedParcel, type Parcel } from './pack.ts';

export type DesktopPartsOptions = {
  readonly cache: string;
  /** Program and arguments of this computer's own infra-agent: the last is its bundle, the first perhaps a Node. */
  readonly agentCommand: readonly string[];
  readonly version: string;
  /** Key of the golden image that this computer's agent uses; null when it has none. */
  readonly imageKey: () => Promise<string | null>;
  readonly env: Readonly<Record<string, string | undefined>>;
};

export type NodeParcel = { readonly version: string; readonly pack: (signal?: AbortSignal) => Promise<PackedParcel>; readonly estimate: number };
export type ImageParcel = Omit<DeliveredImage, 'path'> & { readonly pack: (signal?: AbortSignal) => Promise<PackedParcel> };

/** What `uname -m` says, as Node names it. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: 'x64', aarch64: 'arm64' };
/** Releases by the names that images carry. */
const SUITES: Readonly<Record<string, string>> = { 'debian 12': 'bookworm', 'debian 13': 'trixie', 'ubuntu 22.04': 'jammy', 'ubuntu 24.04': 'noble' };

/** Measured: an image of 1.1 GB is sent as 0.4 GB, Node's 126 MB as 45 MB. Only for what people read before it is packed. */
const IMAGE_RATIO = 0.36;
const NODE_RATIO = 0.36;
/** Level 3 packs 1 GB in seconds; higher ones cost minutes for a tenth. */
const ZSTD_LEVEL = 3;
const GZIP_LEVEL = 6;
const ImageSchema = z.object({ key: z.string(), buildId: z.string(), bytes: z.number(), distribution: z.object({ id: z.string(), suite: z.string() }) });

/** What this computer has for a host: the agent, a Node, a golden image, perhaps Traefik. */
export class DesktopParts {
  readonly #options: DesktopPartsOptions;
  readonly #folder: string;
  #agent: Promise<Parcel> | null = null;

  constructor(options: DesktopPartsOptions) {
    this.#options = options;
    this.#folder = join(options.cache, 'outgoing');
  }

  get version(): string { return this.#options.version; }

  /** The agent's bundle. Throws INTERNAL when it was not built. */
  async agent(): Promise<Parcel> {
    const path = this.#options.agentCommand.at(-1) ?? '';
    this.#agent ??= parcelOf(path).catch((error: unknown) => {
      this.#agent = null;
      throw new VesselError('INTERNAL', `The bundle of infra-agent (${path}) cannot be read`, { cause: error, hint: 'Build it: npm run build -- host.' });
    });
    return this.#agent;
  }

  /** A Node for a host of this architecture: the one that runs here. Throws HOST_UNSUPPORTED where there is none. */
  async node({ architecture }: Pick<HostProbe, 'architecture'>): Promise<NodeParcel> {
    const hint = `Install Node ${NODE_MAJOR} on the host (as /usr/bin/node), or name a Linux Node for it with VESSEL_HOST_NODE.`;
    if (platform !== 'linux' || ARCHITECTURES[architecture] !== arch) throw new VesselError('HOST_UNSUPPORTED', `The host is a ${architecture}; this computer (${platform} ${arch}) has no Node for it`, { hint });
    const found = await this.#findNode();
    if (found === null) throw new VesselError('HOST_UNSUPPORTED', `This computer has no Node ${NODE_MAJOR} that the host could run`, { hint });
    const { path, version: name } = found;
    const { size, mtimeMs } = await stat(path);
    const packed = join(this.#folder, `node-${name}-${arch}-${size}-${Math.round(mtimeMs)}.gz`);
    return {
      version: name, estimate: Math.round(size * NODE_RATIO),
      pack: async (signal) => {
        await this.#forgetOthers('node-', packed);
        return packOnce(packed, () => createReadStream(path), () => createGzip({ level: GZIP_LEVEL }), signal);
      },
    };
  }

  /** The Node that was named, the one that runs the agent here, or the system's. Electron answers like a Node, but is none that could be sent. */
  async #findNode(): Promise<{ readonly path: string; readonly version: string } | null> {
    const { env, agentCommand } = this.#options;
    for (const path of [env['VESSEL_HOST_NODE'], agentCommand[0], ...SYSTEM_NODES]) {
      if (path === undefined || path === '') continue;
      const { stdout } = await promisify(execFile)(path, ['-p', 'process.versions.electron === undefined ? process.versions.node : ""']).catch(() => ({ stdout: '' })); // not there, or no Node
      const version = stdout.trim();
      if (Number(version.split('.')[0]) >= NODE_MAJOR) return { path, version };
    }
    return null;
  }

  /** The golden image of this computer, where the host has the same distribution: then it need not build one. */
  async image({ os }: Pick<HostProbe, 'os'>): Promise<ImageParcel | null> {
    const key = await this.#options.imageKey();
    if (key === null) return null;
    const dir = join(this.#options.cache, 'images', key);
    const image = ImageSchema.parse(JSON.parse(await readFile(join(dir, 'image.json'), 'utf8')));
    if (image.distribution.id !== os.id || image.distribution.suite !== SUITES[`${os.id} ${os.version}`]) return null;
    const path = join(this.#folder, `image-${key}-${image.buildId.slice(0, 8)}.tar.zst`);
    const before = await packedBefore(path);
    return {
      key, bytes: before?.bytes ?? Math.round(image.bytes * IMAGE_RATIO), sha256: before?.sha256 ?? '',
      pack: async (signal) => {
        await this.#forgetOthers('image-', path);
        return packOnce(path, () => {
          const tar = spawn('tar', ['--create', '--sparse', '--numeric-owner', '--owner=0', '--group=0', '--directory', dir, '.'], { stdio: ['ignore', 'pipe', 'ignore'] });
          tar.once('close', (code) => { if (code !== 0) tar.stdout.destroy(new Error(`tar ended with ${code}`)); });
          tar.once('error', (error) => tar.stdout.destroy(error));
          return tar.stdout;
        }, () => createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } }), signal);
      },
    };
  }

  /** Traefik's program, where `VESSEL_TRAEFIK_BINARY` names one. */
  async traefik(): Promise<Parcel | null> {
    const path = this.#options.env['VESSEL_TRAEFIK_BINARY'];
    return path === undefined || path === '' ? null : parcelOf(path);
  }

  /** Release files of drivers, where `VESSEL_DRIVER_FILES` names a folder with them. */
  async driverFiles(): Promise<readonly (Parcel & { readonly name: string })[]> {
    const folder = this.#options.env['VESSEL_DRIVER_FILES'];
    if (folder === undefined || folder === '') return [];
    const files = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile() && /^[\w.-]+$/.test(entry.name));
    return Promise.all(files.map(async ({ name }) => ({ name, ...await parcelOf(join(folder, name)) })));
  }

  /** Only the newest of a kind is worth its place. */
  async #forgetOthers(kind: string, keep: string): Promise<void> {
    const names = await readdir(this.#folder).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    });
    for (const name of names.filter((entry) => entry.startsWith(kind))) {
      const path = join(this.#folder, name);
      if (path !== keep && path !== `${keep}.json` && !path.startsWith(`${keep}.`)) await rm(path, { force: true });
    }
  }
}
