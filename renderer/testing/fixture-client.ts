import type { CallInput, CallName, CallOutput, Client, StateEvent, StreamInput, StreamItem, StreamName } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { OperationEvent } from '#shared/operation.ts';
import { archiveAnswers } from './fixture-archive.ts';
import { environment, project, revision, sampleEvents, sampleHost, sampleOrphans, sampleProjects, sampleSettings } from './fixture-data.ts';
import { addSampleHost, FIXTURE_PROMPTS, sampleHosts } from './fixture-hosts.ts';
import { sampleOperations } from './fixture-operations.ts';

export type Scenario = 'full' | 'empty' | 'many' | 'offline' | 'hosts' | 'locked';

type Answers = { readonly [N in CallName]?: (input: CallInput<N>) => CallOutput<N> | Promise<CallOutput<N>> };

/** Words of the list, in no order that is a phrase. */
const samplePhrase = 'zero about able acid bacon badge cabin cable daily dance eager early fabric face gadget galaxy clip habit hair icon idea jacket jaguar kangaroo';

/** A Client that answers from made-up data, so that every screen can be looked at without a server. */
export function createFixtureClient(scenario: Scenario, theme: 'light' | 'dark'): Client {
  const now = Date.now();
  const projects = scenario === 'empty' ? [] : scenario === 'many' ? manyProjects(now) : scenario === 'hosts' ? spread(sampleProjects(now)) : sampleProjects(now);
  const hosts = scenario === 'hosts' ? sampleHosts(now) : [sampleHost(now, scenario !== 'empty')];
  const operations = scenario === 'empty' ? [] : sampleOperations(now);
  let settings = { ...sampleSettings, theme };
  let encryption: 'off' | 'on' = 'off';
  const listeners = new Set<(event: StateEvent) => void>();

  const answers: Answers = {
    ...archiveAnswers,
    'app.info': () => ({ version: '0.1.0', pid: 4711, home: '~/.local/share/vessel', cache: '~/.cache/vessel', baseUrl: 'http://vessel.localhost:7420', gatewayPort: 7420, node: 'v24.21.0', uptimeMs: 8_040_000, runningEnvironments: 2 }),
    'account.status': () => ({
      state: 'online', url: 'https://abcdefgh.supabase.co', email: 'ada@example.com', bucket: null, device: { id: 'd1', name: 'laptop' }, defaultStore: 'supabase', plan: { maxFileBytes: 50 * 1024 ** 2, totalBytes: 1024 ** 3 },
      usedBytes: 212_000_000, pending: 0, working: false, lastSyncAt: now - 40_000, error: null,
    }),
    'encryption.status': () => ({
      state: scenario === 'locked' ? 'locked' : encryption, unfinished: null, operationId: null,
      stores: [{ store: 'supabase', state: scenario === 'locked' ? 'locked' : encryption, keyId: encryption === 'off' ? null : 'a'.repeat(32), lockedProjects: scenario === 'locked' ? 3 : 0, error: null }],
    }),
    'encryption.begin': () => ({ keyId: 'a'.repeat(32), phrase: samplePhrase, ask: [3, 17] }),
    'encryption.turnOn': ({ words }) => {
      if ((words ?? []).join(' ') !== 'able clip') throw new VesselError('ENCRYPTION_NOT_CONFIRMED');
      encryption = 'on';
      return { operationId: operations[0]?.operation.id ?? '' };
    },
    'encryption.turnOff': () => { encryption = 'off'; return { operationId: null }; },
    'encryption.unlock': () => { throw new VesselError('ENCRYPTION_WRONG_KEY', 'This recovery phrase is of another key'); },
    'settings.set': (input) => {
      settings = { ...settings, ...input } as typeof settings;
      for (const listener of listeners) listener({ kind: 'settings', settings });
      return settings;
    },
    'projects.list': () => ({ projects }),
    'history.list': ({ projectId }) => {
      const reasons = ['exit', 'autosave', 'save', 'autosave', 'restore', 'exit', 'create'] as const;
      const revisions = reasons.map((reason, index) => revision(projectId, 12 - index, now - 2 * 60_000 - index * index * 5_400_000, { reason, ...(index % 2 === 1 ? { leftOut: [] } : {}) }));
      return { revisions, totalBytes: revisions.reduce((sum, item) => sum + item.bytes, 0) };
    },
    'history.verify': ({ projectId }) => ({ ok: true, verifiedAt: Date.now(), sha256: revision(projectId, 12, now).sha256 }),
    'environments.activity': () => ({ now: Date.now(), ide: now - 60_000, terminal: null, http: now - 240_000, file: now - 60_000, exec: null, open: { ide: 1, exec: 0, terminal: 1 }, changeCounter: 9, idleStopAt: now + 24 * 60_000, reasons: ['A file was written 1 min ago', 'A terminal is open'] }),
    'environments.ports': () => ({ ports: [{ port: 5173, process: 'node (vite)', url: 'http://5173--shop-api-k3f9.localhost:7420/' }, { port: 8080, process: 'python3 -m http.server', url: 'http://8080--shop-api-k3f9.localhost:7420/' }] }),
    'environments.url': () => ({ url: '/ide-stand-in.html', origin: '/', opened: false }),
    'environments.ahead': () => ({ page: null }),
    'exclude.preview': ({ paths, exclude }) => ({ leftOut: exclude.preset === 'everything' ? [] : paths.filter((path) => path.startsWith('node_modules')).map((path) => ({ path, reason: 'beside package.json' })) }),
    'hosts.plan': () => ({
      status: 'planned', changed: 0, steps: [
        { id: 'packages', title: 'Install packages', weight: 1, state: 'missing', plan: ['apt-get install qemu-system-x86 qemu-utils mmdebstrap passt', 'about 210 MB of disk'], evidence: '' },
        { id: 'accelerator', title: 'Probe the accelerator', weight: 1, state: 'missing', plan: ['boot a 1 MB test guest with a deadline of 3 s'], evidence: '' },
        { id: 'user', title: 'Create the user vessel-vm', weight: 1, state: 'present', plan: [], evidence: 'uid 991, no shell, no home' },
        { id: 'image', title: 'Build the golden image', weight: 8, state: 'missing', plan: ['a Debian 12 root with code-server 4.139.1, git, Node, Python (1.2 GB)', 'about two minutes'], evidence: '' },
        { id: 'template', title: 'Freeze a template (medium)', weight: 3, state: 'missing', plan: ['boot once, wait for VS Code, freeze (0.7 GB)'], evidence: '' },
      ],
    }),
    'hosts.doctor': () => ({
      healthy: true, checks: [
        { stage: 'Accelerator', state: 'warn', evidence: '/dev/kvm exists but a test guest did not boot within 3 s', fix: 'Enable nested virtualisation on the outer host; until then Vessel emulates.', ms: 3_020 },
        { stage: 'QEMU', state: 'ok', evidence: 'qemu-system-x86_64 7.2.15 with microvm and seccomp', fix: null, ms: 41 },
        { stage: 'Golden image', state: 'ok', evidence: 'a41c09be77d2, its hash matches its inputs', fix: null, ms: 12 },
        { stage: 'Clone and answer', state: 'ok', evidence: 'VS Code answered in 0.31 s', fix: null, ms: 618 },
        { stage: 'Names', state: 'ok', evidence: '*.localhost resolves to loopback', fix: null, ms: 3 },
      ],
    }),
    'hosts.add': (input) => addSampleHost(input, now),
    'hosts.connect': ({ hostId }) => { throw new VesselError('SSH_TIMEOUT', `${hostId} did not answer within 10 s`, { details: { host: hostId, port: 22 } }); },
    'hosts.refresh': ({ hostId }) => hosts.find(({ id }) => id === hostId) ?? sampleHost(now),
    'prompts.answer': () => ({ ok: true }),
    'operations.list': () => ({ operations: operations.map((item) => item.operation) }),
    'events.list': () => ({ events: sampleEvents(now) }),
    'projects.create': (input) => project(`${input.name.toLowerCase().replace(/\W+/g, '-')}-a2bc`, input.name, Date.now()),
    'environments.open': () => ({ operationId: 'op-opening' }),
    'environments.close': () => ({ operationId: 'op-closed' }),
  };

  return {
    call: async (name, input) => {
      const answer = answers[name] as ((input: unknown) => never) | undefined;
      if (answer === undefined) throw new VesselError('NOT_FOUND', `The fixture has no answer for ${name}`);
      return answer(input);
    },
    async *stream<N extends StreamName>(name: N, input: StreamInput<N>, options: { readonly signal?: AbortSignal } = {}): AsyncIterable<StreamItem<N>> {
      const items: unknown[] = [];
      if (name === 'state.watch') {
        items.push({ kind: 'snapshot', projects, hosts, operations: operations.map((item) => item.operation), orphans: scenario === 'full' ? sampleOrphans(now) : [], settings } satisfies StateEvent);
        listeners.add((event) => { items.push(event); wake(); });
      } else if (name === 'prompts.watch') {
        FIXTURE_PROMPTS.set((input as StreamInput<'prompts.watch'>).scope, (prompt) => { items.push({ kind: 'prompt', prompt }); wake(); });
      } else if (name === 'operations.watch') {
        const found = operations.find((item) => item.operation.id === (input as StreamInput<'operations.watch'>).operationId);
        if (found === undefined) throw new VesselError('NOT_FOUND', 'There is no such operation');
        items.push({ kind: 'operation', operation: found.operation } satisfies OperationEvent, ...found.lines.map((line) => ({ kind: 'log', line }) satisfies OperationEvent));
        if (found.operation.state !== 'running') { yield* items as StreamItem<N>[]; return; }
      }
      let wake: () => void = () => undefined;
      options.signal?.addEventListener('abort', () => wake());
      while (options.signal?.aborted !== true) {
        while (items.length > 0) yield items.shift() as StreamItem<N>;
        await new Promise<void>((resolve) => { wake = resolve; });
      }
    },
  };
}

function manyProjects(now: number): ReturnType<typeof sampleProjects> {
  const names = ['Shop API', 'Landing page', 'Price model', 'Dashboard', 'Notes', 'Parser', 'Crawler', 'Report'];
  const templates = ['node', 'static', 'python', 'react-vite', 'blank'] as const;
  return Array.from({ length: 1000 }, (_, index) => {
    const id = `project-${index}`;
    return project(id, `${names[index % names.length] ?? ''} ${index}`, now, {
      template: templates[index % templates.length] ?? null, lastOpenedAt: now - index * 3_600_000, head: revision(id, (index % 40) + 1, now - index * 3_600_000),
      environment: index % 97 === 0 ? environment(id, 'running', now) : null,
    });
  });
}

/** The same projects, some of them on the hosts of the scenario. */
function spread(projects: ReturnType<typeof sampleProjects>): ReturnType<typeof sampleProjects> {
  const places = ['build-box', 'attic', 'local', 'build-box', 'lab'];
  return projects.map((item, index) => {
    const hostId = places[index] ?? 'local';
    return { ...item, hostId, environment: item.environment === null ? null : { ...item.environment, hostId } };
  });
}
