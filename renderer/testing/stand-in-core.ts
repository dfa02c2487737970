import type { Handlers, Prompt, StateEvent } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { LogLine, Operation, OperationEvent, Step } from '#shared/operation.ts';
import type { Project, ProjectSync } from '#shared/project.ts';
import { createFixtureClient } from './fixture-client.ts';
import { environment, project, revision, sampleHost, sampleSettings, step, sync } from './fixture-data.ts';

/** Milliseconds of each step: long enough to be seen, short enough for a test. */
const STEP_MS = 400;
const LINES_PER_STEP = 5;

type Answer = { readonly answers: readonly string[] | null; readonly remember: boolean };

export type StandIn = { readonly handlers: Handlers; readonly addProjects: (count: number) => void; readonly failNextOpen: () => void; /** Says how a project stands with a cloud. */ readonly setSync: (projectId: string, sync: ProjectSync) => void; /** Wants a password before the next plan; resolves to what was answered. */ readonly askBeforePlan: () => Promise<Answer> };

/**
 * Enough of a core to drive the real renderer over the real wire in a real browser: projects, an environment that opens
 * and closes step by step, logs with replay. The journey through the real core is tested in build/e2e.
 */
export function createStandInCore(): StandIn {
  const fixture = createFixtureClient('empty', 'light');
  const projects = new Map<string, Project>();
  const operations = new Map<string, { operation: Operation; readonly lines: LogLine[]; readonly abort: AbortController }>();
  const watchers = new Set<() => void>();
  let settings = sampleSettings;
  const changes: StateEvent[] = [];
  let failOpen = false;
  let question: { prompt: Prompt | null; readonly settle: (answer: Answer) => void } | null = null;
  let lastOperation = 0;
  const notify = (): void => { for (const watcher of [...watchers]) watcher(); };
  const publish = (event: StateEvent): void => { changes.push(event); notify(); };
  const put = (next: Project): Project => { projects.set(next.id, next); publish({ kind: 'project', project: next }); return next; };
  const get = (projectId: string): Project => {
    const found = projects.get(projectId);
    if (found === undefined) throw new VesselError('NOT_FOUND', `There is no project ${projectId}`);
    return found;
  };
  const change = (signal: AbortSignal): Promise<void> => new Promise((resolve) => {
    const done = (): void => { watchers.delete(done); resolve(); };
    watchers.add(done);
    signal.addEventListener('abort', done, { once: true });
  });

  const start = (kind: Operation['kind'], target: Project, titles: readonly string[], end: () => unknown): { readonly operationId: string } => {
    lastOperation += 1;
    const id = `op-${lastOperation}`;
    const entry: { operation: Operation; readonly lines: LogLine[]; readonly abort: AbortController } = {
      operation: { id, kind, title: `${kind} ${target.name}`, projectId: target.id, hostId: 'local', state: 'running', steps: titles.map((title, index) => step(`step-${index}`, title, 'pending', null, null)), progress: 0, cancellable: true, startedAt: Date.now(), endedAt: null, lastSeq: 0, result: null, error: null },
      lines: [], abort: new AbortController(),
    };
    operations.set(id, entry);
    const show = (part: Partial<Operation>): void => { entry.operation = { ...entry.operation, ...part }; publish({ kind: 'operation', operation: entry.operation }); };
    const setStep = (at: number, part: Partial<Step>): void => show({ steps: entry.operation.steps.map((item, index) => (index === at ? { ...item, ...part } : item)), progress: at / titles.length });
    const run = async (): Promise<void> => {
      for (const [at, title] of titles.entries()) {
        setStep(at, { state: 'running', startedAt: Date.now() });
        for (let line = 0; line < LINES_PER_STEP; line += 1) {
          await new Promise((resolve) => { setTimeout(resolve, STEP_MS / LINES_PER_STEP); });
          if (entry.abort.signal.aborted) { setStep(at, { state: 'cancelled', endedAt: Date.now() }); throw new VesselError('CANCELLED'); }
          entry.lines.push({ seq: entry.lines.length + 1, at: Date.now(), stepId: `step-${at}`, level: 'info', text: `${title}: line ${line + 1}` });
          show({ lastSeq: entry.lines.length });
        }
        if (failOpen && kind === 'open' && at === 1) {
          failOpen = false;
          setStep(at, { state: 'failed', endedAt: Date.now(), detail: 'the hypervisor said no' });
          throw new VesselError('VM_START_FAILED', 'The microVM did not start', { logTail: ['qemu: could not allocate memory'] });
        }
        setStep(at, { state: 'done', progress: 1, endedAt: Date.now() });
      }
    };
    put({ ...target, activeOperationId: id });
    run().then(() => {
      const result = end();
      put({ ...get(target.id), activeOperationId: null });
      show({ state: 'succeeded', progress: 1, endedAt: Date.now(), result });
    }, (error: unknown) => {
      const shape = VesselError.from(error).toShape();
      put({ ...get(target.id), activeOperationId: null, environment: null });
      show({ state: shape.code === 'CANCELLED' ? 'cancelled' : 'failed', endedAt: Date.now(), error: shape });
    });
    return { operationId: id };
  };
  const open = (target: Project): { readonly operationId: string } => {
    put({ ...target, environment: environment(target.id, 'starting', Date.now()) });
    const begun = Date.now();
    return start('open', get(target.id), ['Check the archive', 'Clone the template', 'Unpack the workspace', 'Wait for VS Code'], () => {
      put({ ...get(target.id), environment: environment(target.id, 'running', Date.now()) });
      return { id: target.id, url: '/', origin: '/', state: 'running', startKind: 'clone', timings: [], totalMs: Date.now() - begun };
    });
  };
  const save = (target: Project, exit: boolean): { readonly operationId: string } => start(exit ? 'close' : 'save', target, ['Stream the workspace out', 'Read back and compare', ...(exit ? ['End the environment'] : [])], () => {
    const head = revision(target.id, (target.head?.rev ?? 0) + 1, Date.now(), { reason: exit ? 'exit' : 'save' });
    put({ ...get(target.id), head, ...(exit ? { environment: null } : {}) });
    return { archive: { rev: head.rev, sha256: head.sha256, bytes: head.bytes, files: head.files, verifiedAt: head.verifiedAt }, revision: head, changed: true };
  });

  const own: Partial<Handlers['calls']> = {
    'projects.create': async ({ name, template }) => put(project(`${name.toLowerCase().replace(/[^a-z0-9]+/g, '-')}-a2bc`, name, Date.now(), { template, head: revision('x', 1, Date.now(), { reason: 'create' }), lastOpenedAt: null })),
    'projects.update': async ({ projectId, name }) => put({ ...get(projectId), name: name ?? get(projectId).name }),
    'projects.delete': async ({ projectId }) => put({ ...get(projectId), deletedAt: Date.now() }),
    'projects.undelete': async ({ projectId }) => put({ ...get(projectId), deletedAt: null }),
    'projects.list': async () => ({ projects: [...projects.values()] }),
    'sync.resolve': async ({ projectId, keep }) => { const target = get(projectId); put({ ...target, sync: { ...sync({}), ...target.sync, conflict: null } }); return { operationId: keep === 'mine' ? start('restore', target, ['Write the revision'], () => null).operationId : null }; },
    'sync.takeOver': async ({ projectId }) => { put({ ...get(projectId), sync: sync({}) }); return { ok: true }; },
    'environments.open': async ({ projectId }) => open(get(projectId)),
    'environments.save': async ({ projectId }) => save(get(projectId), false),
    'environments.close': async ({ projectId }) => save(get(projectId), true),
    'operations.cancel': async ({ operationId }) => {
      const entry = operations.get(operationId);
      if (entry === undefined) throw new VesselError('NOT_FOUND');
      entry.abort.abort();
      return entry.operation;
    },
    'operations.retry': async ({ operationId }) => open(get(operations.get(operationId)?.operation.projectId ?? '')),
    'operations.list': async () => ({ operations: [...operations.values()].map((entry) => entry.operation) }),
    'hosts.plan': async ({ hostId, promptScope }) => {
      const asked = question;
      if (asked !== null && promptScope !== undefined) {
        const answer = await new Promise<Answer>((resolve) => {
          question = { settle: resolve, prompt: { promptId: 'sudo-1', scope: promptScope, kind: 'password', subject: 'sudo ada@build-box', instructions: '', fields: [{ label: 'Password', echo: false }], mayRemember: true, attempt: 1 } };
          notify();
        });
        question = null;
        notify();
        asked.settle(answer);
        if (answer.answers === null) throw new VesselError('SSH_PROMPT_CANCELLED');
      }
      return fixture.call('hosts.plan', { hostId });
    },
    'prompts.answer': async ({ answers, remember }) => { question?.settle({ answers, remember }); return { ok: true }; },
    'settings.set': async (part) => { settings = { ...settings, ...part } as typeof settings; publish({ kind: 'settings', settings }); return settings; },
  };
  const calls = new Proxy(own, { get: (target, name): unknown => Reflect.get(target, name) ?? ((input: unknown) => fixture.call(name as never, input as never)) }) as Handlers['calls'];
  const streams: Partial<Handlers['streams']> = {
    async *'state.watch'(_input, { signal }) {
      yield { kind: 'snapshot', projects: [...projects.values()], hosts: [sampleHost(Date.now())], operations: [...operations.values()].map((entry) => entry.operation), orphans: [], settings };
      let at = changes.length;
      while (!signal.aborted) {
        for (const event of changes.slice(at)) { at += 1; yield event; }
        if (at === changes.length) await change(signal);
      }
    },
    async *'prompts.watch'({ scope }, { signal }) {
      let told: Prompt | null = null;
      while (!signal.aborted) {
        const prompt: Prompt | null = question?.prompt ?? null;
        if (prompt !== told && prompt !== null && prompt.scope === scope) yield { kind: 'prompt', prompt };
        if (prompt === null && told !== null) yield { kind: 'closed', promptId: told.promptId };
        told = prompt;
        await change(signal);
      }
    },
    async *'operations.watch'({ operationId, afterSeq }, { signal }): AsyncIterable<OperationEvent> {
      const entry = operations.get(operationId);
      if (entry === undefined) throw new VesselError('NOT_FOUND', 'There is no such operation');
      let seq = afterSeq;
      while (!signal.aborted) {
        const shown = entry.operation;
        for (const line of entry.lines.slice(seq)) { seq = line.seq; yield { kind: 'log', line }; }
        yield { kind: 'operation', operation: shown };
        if (shown.state !== 'running') return;
        if (entry.operation === shown) await change(signal);
      }
    },
  };
  return {
    handlers: { calls, streams: streams as Handlers['streams'] },
    addProjects: (count) => { for (let index = 0; index < count; index += 1) put(project(`many-${index}`, `Project ${index}`, Date.now() - index * 60_000)); },
    failNextOpen: () => { failOpen = true; },
    setSync: (projectId, state) => { put({ ...get(projectId), sync: state }); },
    askBeforePlan: () => new Promise((resolve) => { question = { prompt: null, settle: resolve }; }),
  };
}
