import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Operation } from '#shared/operation.ts';
import type { EnvironmentState, Project } from '#shared/project.ts';
import { damagedRevisions, endHome, fileInHead, guestPid, inside, remainsOf, temporaryFiles } from './home.ts';
import { agentOf, isAlive, kill9, processState, resume, until } from './processes.ts';
import { Traps } from './traps.ts';
import { finish, makeHome, startVessel, type RunningVessel } from './vessel.ts';

export type SweptKind = 'open' | 'save' | 'close';
export type Victim = 'vessel' | 'infra-agent' | 'guest';

/** States in which nothing is under way. */
const SETTLED: readonly (EnvironmentState | undefined)[] = [undefined, 'running', 'destroyed', 'error'];
/** A cold boot in emulation on a busy machine. */
const SETTLE_MS = 120_000;
/** infra-agent tells of a death within half a second; when it died itself just before, it has to be started anew first. */
const DEATH_NEWS_MS = 15_000;
const FILE = 'edit.txt';
/** Does not end when asked, and writes all the while: Save & Exit has to hold it still. */
const BUSY_FILE = 'busy.log';
const BUSY = `setsid sh -c 'trap "" TERM HUP; while :; do echo line >> ${BUSY_FILE}; sleep 0.05; done' </dev/null >/dev/null 2>&1 &`;

/** One Vessel with traps in it, and one project at a time that kills are tried on. */
export class KillBench {
  readonly #driver: 'process' | 'qemu';
  readonly #traps: Traps;
  /** Whether a program writes inside whenever something is closed. */
  readonly #busy: boolean;
  #home = '';
  #vessel: RunningVessel | null = null;
  #projects: string[] = [];
  /** The project that the next kill may be tried on, when the last one left it in order. */
  #current: string | null = null;

  private constructor(driver: 'process' | 'qemu', busy: boolean, traps: Traps) {
    this.#driver = driver;
    this.#busy = busy;
    this.#traps = traps;
  }

  static async start(driver: 'process' | 'qemu', { busy }: { readonly busy: boolean }): Promise<KillBench> {
    const traps = new Traps(await mkdtemp(join(tmpdir(), 'vsl-traps-')));
    await traps.prepare();
    const bench = new KillBench(driver, busy, traps);
    bench.#home = await makeHome();
    await bench.#startVessel();
    return bench;
  }

  async end(): Promise<void> {
    await this.#vessel?.stop();
    await this.#endEverything();
    await rm(this.#traps.folder, { recursive: true, force: true });
  }

  /** Gives up on a home that a failed kill left in disorder, so that the next kill is judged by itself. */
  async startAfresh(what: string): Promise<void> {
    process.stderr.write(`${what}: ${this.#vessel?.output().split('\n').slice(-12).join('\n') ?? ''}\n`);
    await this.#endEverything();
    this.#home = await makeHome();
    this.#projects = [];
    this.#current = null;
    await this.#startVessel();
  }

  /** Runs an operation undisturbed and tells which boundaries it passed. */
  async passedBy(kind: SweptKind): Promise<{ readonly points: readonly string[]; readonly operation: Operation }> {
    const project = kind === 'open' ? await this.#newProject() : await this.#opened();
    if (kind !== 'open') await this.#edit(project);
    if (this.#busy && kind === 'close') await this.#beBusy(project);
    await this.#traps.clear();
    const operation = await this.#run(kind, project);
    const points = await this.#traps.passed();
    this.#current = kind === 'close' ? null : project;
    return { points, operation };
  }

  /** Ends what runs and checks that nothing is left of it. */
  async clearAway(): Promise<void> {
    const project = this.#current;
    if (project === null) return;
    this.#current = null;
    if ((await this.#get(project)).environment?.state === 'running') await this.#run('close', project);
    await this.#nothingLeft();
  }

  /**
   * Kills the victim when the operation reaches the point, then judges. False when there was no such process yet. Throws what
   * was not as it must be.
   */
  async killAt(kind: SweptKind, point: string, victim: Victim): Promise<boolean> {
    const project = kind === 'open' ? await this.#newProject() : await this.#opened();
    const edit = kind === 'open' ? null : await this.#edit(project);
    if (this.#busy && kind === 'close') await this.#beBusy(project);
    const headBefore = (await this.#get(project)).head?.rev ?? 0;
    const old = this.#running();
    // Killed a moment ago, it may not be back yet: asking the host anything brings it back.
    if (victim === 'infra-agent') await old.client.call('hosts.refresh', { hostId: 'local' });

    await this.#traps.set(point, 'stop');
    const began = Date.now();
    // The answer may never come: Vessel can be stopped or dead before it has sent it.
    old.client.call(`environments.${kind}`, { projectId: project }).catch(() => undefined);
    const stopped = await this.#whoStopped(old.pid, point);
    const target = victim === 'vessel' ? old.pid : victim === 'infra-agent' ? await agentOf(old.pid) : await guestPid(this.#home, project);
    if (target === null || !await isAlive(target)) {
      resume(stopped);
      await this.#settled(project);
      await this.#recover(project, kind, null, edit);
      return false;
    }
    await kill9(target);
    if (stopped !== target) resume(stopped);
    if (victim === 'vessel') {
      await old.ended;
      await this.#startVessel();
    }

    if (victim === 'guest') await until(async () => (await this.#get(project)).environment?.state !== 'running', 'the death of the machine to be noticed', DEATH_NEWS_MS);
    const { environment, head } = await this.#settled(project);
    const operation = await this.#newest(project, kind, began);
    this.#judgeOperation(operation, victim);
    if (environment?.state === 'error' && (environment.error === null || environment.error.hint === '')) throw new Error('the environment is in error and does not say why');
    const damaged = await damagedRevisions(this.#running().client, this.#home, project);
    if (damaged.length > 0) throw new Error(`damaged: ${damaged.join(', ')}`);
    if (head === null || (head.rev !== headBefore && head.rev !== headBefore + 1)) throw new Error(`the head is revision ${head?.rev}, it was ${headBefore}`);
    const left = await temporaryFiles(this.#home);
    if (left.length > 0) throw new Error(`unfinished files are left: ${left.join(', ')}`);
    if (edit !== null) await this.#judgeEdit(project, environment?.state, victim, edit);
    if (this.#busy && kind === 'close' && environment?.state === 'running') await this.#goesOn(project);
    await this.#recover(project, kind, operation, edit);
    return true;
  }

  /** An operation under way when Vessel died is over and says so; any failed one tells what to do. */
  #judgeOperation(operation: Operation, victim: Victim): void {
    if (operation.state === 'succeeded') return;
    const { error } = operation;
    if (error === null || error.hint === '' || error.message === '') throw new Error(`${operation.kind} is ${operation.state} without an explanation`);
    if (error.code === 'INTERNAL') throw new Error(`${operation.kind} ended as a defect: ${error.message}`);
    if (!error.retryable) throw new Error(`${operation.kind} ended with ${error.code}, which offers no Retry`);
    if (victim === 'vessel' && error.code !== 'INTERRUPTED') throw new Error(`${operation.kind} ended with ${error.code} instead of INTERRUPTED`);
  }

  /** Only the death of the machine itself may take an edit that was never saved. */
  async #judgeEdit(project: string, state: EnvironmentState | undefined, victim: Victim, edit: string): Promise<void> {
    const { client } = this.#running();
    const found = state === 'running' ? await inside(client, project, ['cat', FILE]) : await fileInHead(client, this.#home, project, FILE);
    if (found === edit || victim === 'guest') return;
    throw new Error(`the edit is lost: the environment is ${state ?? 'absent'} and holds ${JSON.stringify(found)}`);
  }

  async #beBusy(project: string): Promise<void> {
    await inside(this.#running().client, project, ['sh', '-c', BUSY]);
    await this.#goesOn(project);
  }

  /** What was held still for a save that came to nothing writes again. */
  async #goesOn(project: string): Promise<void> {
    const size = async (): Promise<number> => Number(await inside(this.#running().client, project, ['sh', '-c', `stat -c %s ${BUSY_FILE} 2>/dev/null || echo 0`]));
    const before = await size();
    await until(async () => await size() > before, `${BUSY_FILE} to be written again`, DEATH_NEWS_MS);
  }

  /** What a person would click: Retry of what failed, else Open; then work, Save & Exit; and nothing is left. */
  async #recover(project: string, kind: SweptKind, operation: Operation | null, edit: string | null): Promise<void> {
    const { client } = this.#running();
    let { environment } = await this.#get(project);
    if (operation !== null && operation.state !== 'succeeded' && (kind === 'open' || environment?.state === 'running')) {
      await this.#follow('retry', (await client.call('operations.retry', { operationId: operation.id })).operationId);
      ({ environment } = await this.#get(project));
    }
    if (environment?.state !== 'running') await this.#openByClicking(project);
    if (edit !== null) {
      const saved = await fileInHead(client, this.#home, project, FILE);
      const present = await inside(client, project, ['sh', '-c', `cat ${FILE} 2>/dev/null || true`]);
      if (present !== (saved ?? '') && present !== edit) throw new Error(`after recovery the environment holds ${JSON.stringify(present)}, the head ${JSON.stringify(saved)}`);
    }
    if (kind === 'save') {
      this.#current = project;
      return;
    }
    const last = await this.#edit(project);
    await this.#run('close', project);
    if (await fileInHead(client, this.#home, project, FILE) !== last) throw new Error('the last edit is not in the head after Save & Exit');
    this.#current = null;
    await this.#nothingLeft();
  }

  async #nothingLeft(): Promise<void> {
    const { pid } = this.#running();
    const look = async (): Promise<readonly string[]> => [
      ...await remainsOf(this.#home, this.#projects, [pid, await agentOf(pid) ?? pid]), ...await temporaryFiles(this.#home),
    ];
    // An agent whose Vessel was killed leaves by itself, within the time of a clean end.
    await until(async () => (await look()).length === 0, 'nothing to be left', 10_000, 250).catch(async () => { throw new Error(`left behind: ${(await look()).join('; ')}`); });
  }

  async #settled(project: string): Promise<Project> {
    const { client, file } = this.#running();
    let seen: Project | null = null;
    await until(async () => {
      const { hosts } = await client.call('hosts.list', {});
      // The facts are asked for after store and host were reconciled.
      if ((hosts[0]?.factsAt ?? 0) < file.startedAt) return false;
      seen = await client.call('projects.get', { projectId: project });
      return seen.activeOperationId === null && SETTLED.includes(seen.environment?.state);
    }, `${project} to settle`, SETTLE_MS).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify({ state: seen?.environment?.state, operation: seen?.activeOperationId })}`);
    });
    return seen ?? client.call('projects.get', { projectId: project });
  }

  async #newest(project: string, kind: SweptKind, since: number): Promise<Operation> {
    const { operations } = await this.#running().client.call('operations.list', { projectId: project });
    const found = operations.find((operation) => operation.kind === kind && operation.startedAt >= since);
    if (found === undefined) throw new Error(`the ${kind} has been forgotten`);
    return found;
  }

  async #whoStopped(vesselPid: number, point: string): Promise<number> {
    let stopped: number | null = null;
    await until(async () => {
      for (const pid of [vesselPid, await agentOf(vesselPid)]) if (pid !== null && await processState(pid) === 'T') stopped = pid;
      return stopped !== null;
    }, `${point} to be reached`, SETTLE_MS);
    return stopped as unknown as number;
  }

  async #newProject(): Promise<string> {
    await this.clearAway();
    const { id } = await this.#running().client.call('projects.create', { name: 'sweep', template: 'node' });
    this.#projects.push(id);
    return id;
  }

  /** A project that is open, the last one if it still is. */
  async #opened(): Promise<string> {
    const known = this.#current;
    if (known !== null && (await this.#get(known)).environment?.state === 'running') return known;
    const project = await this.#newProject();
    await this.#run('open', project);
    this.#current = project;
    return project;
  }

  async #edit(project: string): Promise<string> {
    const text = randomUUID();
    await inside(this.#running().client, project, ['sh', '-c', `printf %s ${text} > ${FILE}`]);
    return text;
  }

  async #run(kind: SweptKind, project: string): Promise<Operation> {
    const { client } = this.#running();
    return this.#follow(kind, (await client.call(`environments.${kind}`, { projectId: project })).operationId);
  }

  /** An agent that died a moment ago may not have been missed yet: then Open fails as AGENT_LOST, and Retry opens. */
  async #openByClicking(project: string): Promise<void> {
    const { client } = this.#running();
    const { operation } = await finish(client, (await client.call('environments.open', { projectId: project })).operationId, { allowFailure: true });
    if (operation.error?.code === 'AGENT_LOST') await this.#follow('retried open', (await client.call('operations.retry', { operationId: operation.id })).operationId);
    else if (operation.error !== null) throw new Error(`open afterwards failed: ${operation.error.code} ${operation.error.message}`);
  }

  async #follow(what: string, operationId: string): Promise<Operation> {
    const { operation } = await finish(this.#running().client, operationId, { allowFailure: true });
    if (operation.error === null) return operation;
    throw new Error(`${what} afterwards failed in ${operation.steps.find(({ state }) => state === 'failed')?.id ?? 'no step'}: ${operation.error.code} ${operation.error.message}`);
  }

  #get(project: string): Promise<Project> { return this.#running().client.call('projects.get', { projectId: project }); }

  #running(): RunningVessel {
    if (this.#vessel === null) throw new Error('Vessel is not started');
    return this.#vessel;
  }

  async #startVessel(): Promise<void> {
    this.#vessel = await startVessel({ home: this.#home, driver: this.#driver, env: { VESSEL_FAULT: `@${this.#traps.folder}` } });
  }

  /** Whatever a failed kill left, without asking anybody. */
  async #endEverything(): Promise<void> {
    this.#vessel = null;
    await this.#traps.unset();
    await endHome(this.#home);
  }
}
