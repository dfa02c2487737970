import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Operation } from '#shared/operation.ts';
import type { Project } from '#shared/project.ts';
import { damagedRevisions, endHome, fileInHead, inside, remainsOf, temporaryFiles } from './home.ts';
import { startLoopbackHost, type LoopbackHost } from './loopback-host.ts';
import { kill9, processState, processesTouching, resume, until } from './processes.ts';
import { Traps } from './traps.ts';
import { finish, startVessel, type RunningVessel } from './vessel.ts';

export type SweptKind = 'open' | 'save' | 'close';
/** What breaks on the way to an environment that is far away: the line, the server at its end, the agent, or the whole machine. */
export const BREAKS = ['line', 'sshd', 'agent', 'host'] as const;
export type Break = (typeof BREAKS)[number];

const SETTLED: readonly (string | undefined)[] = [undefined, 'running', 'destroyed', 'error'];
const SETTLE_MS = 40_000;
/** Long enough for Vessel to notice and to fail once more. */
const DOWN_MS = 200;
const FILE = 'edit.txt';

/** A Vessel with traps in it, and a host over SSH whose every part can be broken while Vessel or the agent stands still at a named point. */
export class LineBench {
  readonly #traps: Traps;
  readonly #far: LoopbackHost;
  readonly #vessel: RunningVessel;
  readonly #hostId: string;
  #project: string | null = null;

  private constructor(parts: { readonly traps: Traps; readonly far: LoopbackHost; readonly vessel: RunningVessel; readonly hostId: string }) {
    this.#traps = parts.traps;
    this.#far = parts.far;
    this.#vessel = parts.vessel;
    this.#hostId = parts.hostId;
  }

  static async start(): Promise<LineBench> {
    const traps = new Traps(await mkdtemp(join(tmpdir(), 'vsl-traps-')));
    await traps.prepare();
    const fault = { VESSEL_FAULT: `@${traps.folder}` };
    const far = await startLoopbackHost({ driver: 'process', env: fault });
    const vessel = await startVessel({ driver: 'process', env: { ...far.env, ...fault } });
    return new LineBench({ traps, far, vessel, hostId: (await far.addTo(vessel.client)).id });
  }

  async end(): Promise<void> {
    await this.#vessel.stop();
    await endHome(this.#vessel.home);
    await this.#far.stop();
    await rm(this.#traps.folder, { recursive: true, force: true });
  }

  /** Runs an operation undisturbed and tells which points it passed. */
  async passedBy(kind: SweptKind): Promise<readonly string[]> {
    const project = await this.#ready(kind);
    if (kind !== 'open') await this.#edit(project);
    await this.#traps.clear();
    await this.#run(kind, project);
    return this.#traps.passed();
  }

  /** Breaks something when the operation reaches the point, mends it, then judges. Throws what was not as it must be. */
  async breakAt(kind: SweptKind, point: string, what: Break): Promise<void> {
    const { client } = this.#vessel;
    const project = await this.#ready(kind);
    const edit = kind === 'open' ? null : await this.#edit(project);
    const before = (await this.#get(project)).head?.rev ?? 0;
    await this.#traps.set(point, 'stop');
    const began = Date.now();
    client.call(`environments.${kind}`, { projectId: project }).catch(() => undefined); // its answer may come only after the break
    const stopped = await this.#whoStopped(point);
    const mend = await this.#break(what);
    resume(stopped);
    await new Promise((done) => setTimeout(done, DOWN_MS));
    await mend();

    await until(async () => {
      const { activeOperationId, environment } = await this.#get(project);
      const host = (await client.call('hosts.list', {})).hosts.find(({ id }) => id === this.#hostId);
      return host?.connection?.state === 'connected' && activeOperationId === null && SETTLED.includes(environment?.state);
    }, 'everything to settle', SETTLE_MS).catch(async (error: unknown) => { throw new Error(`${String(error)}: ${JSON.stringify([(await this.#get(project)).environment?.state, (await client.call('hosts.list', {})).hosts.find(({ id }) => id === this.#hostId)?.connection])}`); });
    // A death of the machine is told by the agent, which had to be started anew itself.
    if (what === 'host') await until(async () => (await this.#get(project)).environment?.state !== 'running', 'the death of the machine to be noticed', SETTLE_MS);
    const operation = (await client.call('operations.list', { projectId: project })).operations.find((one) => one.kind === kind && one.startedAt >= began);
    judge(operation, kind);
    const { head, environment } = await this.#get(project);
    if (environment?.state === 'error' && environment.error === null) throw new Error('the environment is in error and does not say why');
    if (head === null || (head.rev !== before && head.rev !== before + 1)) throw new Error(`the head is revision ${head?.rev}, it was ${before}`);
    const damaged = await damagedRevisions(client, this.#vessel.home, project);
    const unfinished = await temporaryFiles(this.#vessel.home);
    if (damaged.length + unfinished.length > 0) throw new Error(`damaged or unfinished: ${[...damaged, ...unfinished].join(', ')}`);
    if (edit !== null && what !== 'host') {
      const found = environment?.state === 'running' ? await inside(client, project, ['cat', FILE]) : await fileInHead(client, this.#vessel.home, project, FILE);
      if (found !== edit) throw new Error(`the edit is lost: the environment is ${environment?.state ?? 'absent'} and holds ${JSON.stringify(found)}`);
    }
    await this.#recover(project);
  }

  /** What a person would do: open it if need be, work, Save & Exit; then nothing is left on the host. */
  async #recover(project: string): Promise<void> {
    for (let tries = 0; (await this.#get(project)).environment?.state !== 'running'; tries += 1) {
      const { operation } = await finish(this.#vessel.client, (await this.#vessel.client.call('environments.open', { projectId: project })).operationId, { allowFailure: true });
      if (operation.error !== null && tries >= 2) throw new Error(`it cannot be opened again: ${operation.error.code} ${operation.error.message}`);
    }
    const last = await this.#edit(project);
    await this.#run('close', project);
    this.#project = null;
    if (await fileInHead(this.#vessel.client, this.#vessel.home, project, FILE) !== last) throw new Error('the last edit is not in the head after Save & Exit');
    const left = async (): Promise<readonly string[]> => [...await remainsOf(this.#far.home, [project], await this.#far.agents()), ...(await this.#far.agents()).slice(1).map((pid) => `agent ${pid}`)];
    await until(async () => (await left()).length === 0, 'nothing to be left', 10_000, 250).catch(async () => { throw new Error(`left behind: ${(await left()).join('; ')}`); });
  }

  /** Returns how it is mended. */
  async #break(what: Break): Promise<() => Promise<void>> {
    switch (what) {
      case 'line': this.#far.wire.cut(); return () => { this.#far.wire.mend(); return Promise.resolve(); };
      case 'sshd': await this.#killSshd(); return () => this.#far.sshd.restart();
      case 'agent': for (const pid of await this.#far.agents()) await kill9(pid); return () => Promise.resolve();
      case 'host': {
        this.#far.wire.cut();
        for (const { pid } of await processesTouching([`${this.#far.home}/`])) await kill9(pid);
        for (const pid of await this.#far.agents()) await kill9(pid);
        return async () => { await this.#far.sshd.restart(); this.#far.wire.mend(); };
      }
    }
  }

  /** Only sshd itself: what its sessions started is not its own, as with a service that is restarted. */
  async #killSshd(): Promise<void> {
    const rows = execFileSync('ps', ['-eo', 'pid=,ppid=,comm='], { encoding: 'utf8' }).trim().split('\n').map((row) => row.trim().split(/\s+/));
    const listener = (await processesTouching([this.#far.sshd.folder])).find(({ command }) => command.includes('sshd') && command.includes('listener'))?.pid;
    if (listener === undefined) throw new Error('there is no sshd');
    const servers = [listener];
    for (const parent of servers) for (const [pid, ppid, name] of rows) if (Number(ppid) === parent && name === 'sshd') servers.push(Number(pid));
    for (const pid of servers) await kill9(pid);
  }

  async #whoStopped(point: string): Promise<number> {
    let stopped = 0;
    await until(async () => {
      for (const pid of [this.#vessel.pid, ...await this.#far.agents()]) if (await processState(pid) === 'T') stopped = pid;
      return stopped > 0;
    }, `${point} to be reached`, SETTLE_MS);
    return stopped;
  }

  /** A project that is open, or about to be opened. */
  async #ready(kind: SweptKind): Promise<string> {
    if (this.#project !== null) {
      const state = (await this.#get(this.#project)).environment?.state;
      if (kind !== 'open' && state === 'running') return this.#project;
      if (state === 'running') await this.#run('close', this.#project);
    }
    const { id } = await this.#vessel.client.call('projects.create', { name: 'sweep', template: 'node', hostId: this.#hostId });
    this.#project = id;
    if (kind !== 'open') await this.#run('open', id);
    return id;
  }

  async #edit(project: string): Promise<string> {
    const words = randomUUID();
    await inside(this.#vessel.client, project, ['sh', '-c', `printf %s ${words} > ${FILE}`]);
    return words;
  }

  async #run(kind: SweptKind, project: string): Promise<void> {
    await finish(this.#vessel.client, (await this.#vessel.client.call(`environments.${kind}`, { projectId: project })).operationId);
  }

  #get(project: string): Promise<Project> { return this.#vessel.client.call('projects.get', { projectId: project }); }
}

/** A failure says what it was and offers another try. */
function judge(operation: Operation | undefined, kind: SweptKind): void {
  if (operation === undefined) throw new Error(`the ${kind} has been forgotten`);
  if (operation.state === 'succeeded') return;
  const { error } = operation;
  if (error === null || error.hint === '' || error.message === '') throw new Error(`${kind} is ${operation.state} without an explanation`);
  if (error.code === 'INTERNAL' || !error.retryable) throw new Error(`${kind} ended with ${error.code} (${error.message}), which offers no way on`);
}
