import type { AuditEvent, Host, Orphan, Settings } from '#shared/contract.ts';
import type { LogLine, Operation, Step } from '#shared/operation.ts';
import type { Environment, Project, ProjectSync, Revision } from '#shared/project.ts';

/** Made-up things for looking at the screens while they are drawn. Never part of the product's bundle. */
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const HEX = '9f2c4be1a07d53c86e11d4f0937ab52c8d6e41f7b3a90c5582e6d17f04ab39c1';

export function revision(projectId: string, rev: number, at: number, extra: Partial<Revision> = {}): Revision {
  return {
    projectId, rev, parentRev: rev > 1 ? rev - 1 : null, sha256: HEX.slice(rev % 32) + HEX.slice(0, rev % 32), bytes: 1_204_000 + rev * 8_300, files: 128 + rev, contentBytes: 4_600_000 + rev * 21_000,
    reason: 'exit', createdAt: at, verifiedAt: at + 400, leftOut: [{ path: 'node_modules/', reason: 'made again from package.json' }, { path: '.cache/', reason: 'tool cache' }], ...extra,
  };
}

export function environment(projectId: string, state: Environment['state'], now: number, extra: Partial<Environment> = {}): Environment {
  return { projectId, hostId: 'local', state, since: now - 22 * MINUTE, startedAt: now - 22 * MINUTE, lastActivityAt: now - MINUTE, dirty: false, baseRev: 11, startKind: 'clone', error: null, ...extra };
}

export function project(id: string, name: string, now: number, extra: Partial<Project> = {}): Project {
  return {
    id, name, template: 'node', hostId: 'local', createdAt: now - 40 * DAY, updatedAt: now - DAY, lastOpenedAt: now - DAY, deletedAt: null,
    settings: { tier: 'medium', autosaveMinutes: 5, idleMinutes: 30, exclude: { preset: 'safe', rules: [] } },
    head: revision(id, 12, now - 2 * MINUTE), environment: null, activeOperationId: null, ...extra,
  };
}

export const sync = (extra: Partial<ProjectSync>): ProjectSync => ({ store: 'supabase', state: 'synced', pending: 0, conflict: null, lease: null, error: null, ...extra });

export function sampleProjects(now: number): Project[] {
  return [
    project('shop-api-k3f9', 'Shop API', now, { lastOpenedAt: now - 22 * MINUTE, environment: environment('shop-api-k3f9', 'running', now, { dirty: true }) }),
    project('landing-page-x7qd', 'Landing page', now, { template: 'static', lastOpenedAt: now - 50 * MINUTE, head: revision('landing-page-x7qd', 4, now - 6 * MINUTE, { files: 31, bytes: 312_000 }), environment: environment('landing-page-x7qd', 'running', now) }),
    project('price-model-m2hw', 'Price model', now, { template: 'python', lastOpenedAt: now - 2000, activeOperationId: 'op-opening', head: revision('price-model-m2hw', 7, now - 3 * HOUR, { files: 64, bytes: 18_700_000 }), environment: environment('price-model-m2hw', 'starting', now) }),
    project('dashboard-p8rt', 'Customer dashboard', now, { template: 'react-vite', lastOpenedAt: now - 5 * HOUR, head: revision('dashboard-p8rt', 31, now - 5 * HOUR, { files: 412, bytes: 5_940_000 }), sync: sync({ conflict: { ours: 30, theirs: 31, branch: 'laptop-2', at: now - 5 * HOUR } }) }),
    project('parser-experiments-b4nz', 'Parser experiments with a name that does not fit its card', now, { template: 'blank', lastOpenedAt: now - 26 * HOUR, head: revision('parser-experiments-b4nz', 2, now - 26 * HOUR, { files: 9, bytes: 41_000 }), sync: sync({ lease: { device: 'laptop-2', since: now - 80 * MINUTE, mine: false } }) }),
    project('legacy-import-w9ce', 'legacy-import', now, {
      template: null, lastOpenedAt: now - 3 * DAY, head: revision('legacy-import-w9ce', 1, now - 3 * DAY, { files: 6_012, bytes: 61_300_000, reason: 'import' }),
      environment: environment('legacy-import-w9ce', 'error', now, { error: { code: 'VM_DIED', message: 'The microVM ended by itself', hint: 'Open the project again from the last verified save.', retryable: true, details: {}, logTail: [] } }),
    }),
    project('notes-t5ya', 'Notes', now, { template: 'blank', lastOpenedAt: now - 9 * DAY, head: revision('notes-t5ya', 18, now - 9 * DAY, { files: 77, bytes: 512_000 }), sync: sync({ state: 'pending', pending: 2 }) }),
    project('old-shop-d3ux', 'Old shop', now, { deletedAt: now - 4 * DAY }),
  ];
}

export function sampleHost(now: number, ready = true): Host {
  return {
    id: 'local', name: 'This computer', kind: 'local', status: ready ? 'ready' : 'not-provisioned', factsAt: now - 20_000, activeOperationId: null,
    facts: {
      hostname: 'workshop', os: 'Debian GNU/Linux 12 (bookworm)', kernel: '6.1.0-28-amd64', cpus: 8, memoryTotalBytes: 33_600_000_000, memoryAvailableBytes: 21_400_000_000, diskFreeBytes: 312_000_000_000,
      accelerator: { kind: 'tcg', why: '/dev/kvm exists but a test guest did not boot within 3 s: nested virtualisation is off', probedAt: now - HOUR }, qemuVersion: ready ? '7.2.15' : null,
      image: ready ? { key: 'a41c09be77d2f3e0', ide: 'code-server', ideVersion: '4.139.1', bytes: 1_180_000_000, builtAt: now - 6 * DAY, ideStaticDir: null } : null,
      templates: [
        { tier: 'small', state: ready ? 'stale' : 'missing', bytes: ready ? 640_000_000 : 0, builtAt: ready ? now - 12 * DAY : null },
        { tier: 'medium', state: ready ? 'ready' : 'missing', bytes: ready ? 702_000_000 : 0, builtAt: ready ? now - 6 * DAY : null },
        { tier: 'large', state: 'missing', bytes: 0, builtAt: null },
      ],
      standby: 'ready', capacity: { running: ready ? 2 : 0, more: ready ? 18 : 0, perEnvironmentBytes: 84_000_000 }, runUser: 'vessel-vm', ready, driver: 'qemu',
    },
  };
}

export const sampleSettings: Settings = {
  theme: 'system', defaults: { tier: 'medium', autosaveMinutes: 5, idleMinutes: 30, exclude: { preset: 'safe', rules: [] } },
  keepReady: true,
  retention: { keepRevisions: 30, keepDays: 90 }, limits: { maxArchiveBytes: 4 * 1024 ** 3, maxEntries: 500_000 },
};

export const sampleOrphans = (now: number): Orphan[] => [{ hostId: 'local', vmId: 'shop-admin-q6vz', startedAt: now - 3 * HOUR, knownProject: false }];

export function step(id: string, title: string, state: Step['state'], startedAt: number | null, endedAt: number | null, detail = '', progress = state === 'done' ? 1 : 0): Step {
  return { id, title, weight: 1, state, progress, detail, startedAt, endedAt };
}

export function operation(id: string, kind: Operation['kind'], title: string, startedAt: number, steps: readonly Step[], extra: Partial<Operation> = {}): Operation {
  const state = extra.state ?? 'succeeded';
  return {
    id, kind, title, projectId: 'shop-api-k3f9', hostId: 'local', state, steps: [...steps], progress: state === 'succeeded' ? 1 : 0.6, cancellable: state === 'running',
    startedAt, endedAt: state === 'running' ? null : Math.max(startedAt, ...steps.map((item) => item.endedAt ?? 0)), lastSeq: 0, result: null, error: null, ...extra,
  };
}

export function sampleEvents(now: number): AuditEvent[] {
  const rows: readonly (readonly [string, string])[] = [
    ['environment.running', 'Shop API is running (cloned from template in 0.31 s)'], ['revision.saved', 'Shop API: revision 12 saved and verified, 140 files, 1.3 MB'], ['environment.opened', 'Landing page was opened'],
    ['environment.died', 'legacy-import ended by itself: the hypervisor was killed'], ['project.deleted', 'Old shop was deleted; it can be brought back until 2026-12-17'], ['host.provisioned', 'This computer was provisioned: 7 of 7 steps'],
  ];
  return rows.map(([kind, text], index) => ({ id: 100 - index, at: now - index * 17 * MINUTE, kind, text, projectId: null, hostId: 'local', operationId: index < 3 ? 'op-opened' : null, data: {} }));
}

export function logLines(startedAt: number, texts: readonly (readonly [number, LogLine['level'], string])[]): LogLine[] {
  return texts.map(([offset, level, text], index) => ({ seq: index + 1, at: startedAt + offset, stepId: null, level, text }));
}
