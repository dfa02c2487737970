import { chownSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Owner } from '#shared/archive-fields.ts';
import { VesselError } from '#shared/vessel-error.ts';
import type { AgentConfig } from '../config.ts';
import type { GuestEnvironment } from '../guest/environment.ts';
import type { CallContext } from '../http/router.ts';
import { sendJson } from '../http/respond.ts';
import { readJson } from '../http/body.ts';
import { log, messageOf } from '../log.ts';
import type { ArchiveLimits } from './archive-checks.ts';
import type { ChangeCounter } from './change-counter.ts';
import { parseExclude, parseLimits, parseSaveLimits } from './parse-request.ts';
import { streamSave } from './stream-save.ts';
import { WorkerLink } from './worker-link.ts';

/** What headers may add to the content of an archive. */
const ARCHIVE_OVERHEAD_BYTES = 64 * 1024 * 1024;

/** The two workspace calls, and the watch over the workspace that goes with them. */
export class WorkspaceService {
  readonly #config: AgentConfig;
  readonly #changes: ChangeCounter;
  readonly #link: WorkerLink;
  readonly #isStill: () => boolean;
  #warm = false;

  constructor(config: AgentConfig, environment: GuestEnvironment, workerArgv: readonly string[], changes: ChangeCounter, isStill: () => boolean) {
    this.#config = config;
    this.#isStill = isStill;
    this.#changes = changes;
    this.#link = new WorkerLink(workerArgv, environment);
  }

  get #owner(): Owner | null {
    const { user } = this.#config;
    return user === null ? null : { uid: user.uid, gid: user.gid };
  }

  /** True once the worker has run its code in. */
  get warm(): boolean {
    return this.#warm;
  }

  /** Starts the worker, warms it, and begins to watch. */
  async start(): Promise<void> {
    this.#link.start();
    try {
      await this.#link.exclusively((ask) => ask<'warm'>({ op: 'warm' }));
    } catch (error) {
      log(`warming the workspace worker: ${messageOf(error)}`);
    }
    await this.#rewatch();
    this.#warm = true;
  }

  stop(): void {
    this.#link.stop();
  }

  /** The counter of changes, after a look at the disk when watching alone is not enough, or when `look` asks for one. */
  async changeCounter(look: boolean): Promise<number> {
    if (look || this.#changes.wantsScan()) {
      const { fingerprint } = await this.#link.exclusively((ask) => ask<'scan'>({ op: 'scan', workspace: this.#config.workspace, exclude: this.#changes.exclude, stats: true }));
      this.#changes.noteScan(fingerprint);
      // What the kernel did report is counted first: one change counts once.
      this.#changes.read();
      this.#changes.noteLook(fingerprint);
    }
    return this.#changes.read();
  }

  /** `base`: what lies there now is what the counter stands for. */
  async #rewatch(base = false): Promise<void> {
    const { folders, repositories, fingerprint } = await this.#link.exclusively((ask) => ask<'scan'>({ op: 'scan', workspace: this.#config.workspace, exclude: this.#changes.exclude, stats: base }));
    this.#changes.watch(folders, repositories);
    if (base) this.#changes.noteBase(fingerprint, this.#changes.read());
  }

  async #spool(context: CallContext, path: string, limits: ArchiveLimits): Promise<void> {
    const fd = openSync(path, 'wx', 0o600);
    try {
      let bytes = 0;
      for await (const chunk of context.request as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > limits.maxBytes + ARCHIVE_OVERHEAD_BYTES) throw new VesselError('ARCHIVE_TOO_LARGE', `the archive is longer than the limit of ${limits.maxBytes} bytes`, { details: { maxBytes: limits.maxBytes } });
        for (let done = 0; done < chunk.length;) done += writeSync(fd, chunk, done);
      }
      if (!context.request.complete) throw new VesselError('CANCELLED', 'the upload was cut off');
    } finally {
      closeSync(fd);
    }
  }

  /** `PUT workspace?practice=1`: unpacks as into the workspace, but beside it, and keeps nothing. */
  async #practise(context: CallContext): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'vessel-practice-'));
    try {
      const zip = join(folder, 'in.zip');
      await this.#spool(context, zip, parseLimits(context.query));
      const target = join(folder, 'workspace');
      mkdirSync(target);
      if (this.#config.user !== null) for (const path of [folder, target]) chownSync(path, this.#config.user.uid, this.#config.user.gid);
      sendJson(context.response, 200, await this.#link.exclusively((ask) => ask<'extract'>({ op: 'extract', zip, workspace: target, limits: parseLimits(context.query), owner: this.#owner })));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** `PUT workspace`. */
  async put(context: CallContext): Promise<void> {
    if (context.query.get('practice') === '1') return this.#practise(context);
    const limits = parseLimits(context.query);
    const zip = join(tmpdir(), `vessel-in-${randomUUID()}.zip`);
    try {
      await this.#spool(context, zip, limits);
      this.#changes.pause();
      try {
        const result = await this.#link.exclusively((ask) => ask<'extract'>({ op: 'extract', zip, workspace: this.#config.workspace, limits, owner: this.#owner }));
        await this.#rewatch(true);
        sendJson(context.response, 200, result);
      } catch (error) {
        await this.#rewatch();
        throw error;
      }
    } finally {
      rmSync(zip, { force: true });
    }
  }

  /** `POST workspace/save`. */
  async save(context: CallContext): Promise<void> {
    const body = await readJson(context.request);
    const exclude = parseExclude(body['exclude']);
    const limits = parseSaveLimits(body['limits']);
    const rulesChanged = this.#changes.setExclude(exclude);
    try {
      await streamSave({ link: this.#link, changes: this.#changes, workspace: this.#config.workspace, exclude, limits, owner: this.#owner, still: this.#isStill(), response: context.response });
    } finally {
      // Other rules may let in folders that nobody watched until now, also when they could not be saved.
      if (rulesChanged) await this.#rewatch();
    }
  }
}
