import type { AuditEvent } from '#shared/contract.ts';
import type { LogLine, Operation } from '#shared/operation.ts';
import { ProjectSettingsSchema, type ProjectSettings, type Revision } from '#shared/project.ts';
import type { EnvironmentRecord, HostRecord } from '../../ports/store.ts';

/** A row as SQLite hands it out. We wrote it, so shapes are trusted here; only settings get their newer defaults. */
export type Row = Readonly<Record<string, unknown>>;

/** The column `prefix + name`, read as the type that the caller's table promises. */
function column<T>(row: Row, name: string, prefix = ''): T { return row[prefix + name] as T; }
function json<T>(row: Row, name: string, prefix = ''): T | null {
  const text = row[prefix + name];
  return typeof text === 'string' ? (JSON.parse(text) as T) : null;
}

/** Defaults fill what an older Vessel did not know; parsed once per distinct text because thousands of projects share it. */
export function makeSettingsReader(): (text: string) => ProjectSettings {
  const known = new Map<string, ProjectSettings>();
  return (text) => {
    const hit = known.get(text);
    if (hit !== undefined) return hit;
    const settings = ProjectSettingsSchema.parse(JSON.parse(text));
    if (known.size > 1000) known.clear();
    known.set(text, settings);
    return settings;
  };
}

export function toRevision(row: Row, prefix = ''): Revision {
  const origin = json<NonNullable<Revision['origin']>>(row, 'origin', prefix);
  return {
    projectId: column(row, 'projectId', prefix), rev: column(row, 'rev', prefix), parentRev: column(row, 'parentRev', prefix),
    sha256: column(row, 'sha256', prefix), bytes: column(row, 'bytes', prefix), files: column(row, 'files', prefix),
    contentBytes: column(row, 'contentBytes', prefix), reason: column(row, 'reason', prefix), createdAt: column(row, 'createdAt', prefix),
    verifiedAt: column(row, 'verifiedAt', prefix), leftOut: json<Revision['leftOut']>(row, 'leftOut', prefix) ?? [],
    ...(typeof row[`${prefix}branch`] === 'string' ? { branch: column<string>(row, 'branch', prefix) } : {}),
    ...(column<number>(row, 'pinned', prefix) === 1 ? { pinned: true } : {}), ...(origin === null ? {} : { origin }),
  };
}

export function toEnvironment(row: Row, prefix = ''): EnvironmentRecord {
  return {
    projectId: column(row, 'projectId', prefix), hostId: column(row, 'hostId', prefix), state: column(row, 'state', prefix),
    since: column(row, 'since', prefix), startedAt: column(row, 'startedAt', prefix), lastActivityAt: column(row, 'lastActivityAt', prefix),
    dirty: column<number>(row, 'dirty', prefix) === 1, baseRev: column(row, 'baseRev', prefix), startKind: column(row, 'startKind', prefix),
    error: json(row, 'error', prefix), savedCounter: column(row, 'savedCounter', prefix),
  };
}

export function toHost(row: Row): HostRecord {
  const ssh = json<NonNullable<HostRecord['ssh']>>(row, 'ssh');
  const probe = json<NonNullable<HostRecord['probe']>>(row, 'probe');
  return {
    id: column(row, 'id'), name: column(row, 'name'), kind: column(row, 'kind'), status: column(row, 'status'), facts: json(row, 'facts'), factsAt: column(row, 'factsAt'),
    ...(ssh === null ? {} : { ssh }), ...(probe === null ? {} : { probe }),
  };
}

export function toOperation(row: Row): Operation {
  return {
    id: column(row, 'id'), kind: column(row, 'kind'), title: column(row, 'title'), projectId: column(row, 'projectId'), hostId: column(row, 'hostId'),
    state: column(row, 'state'), steps: json<Operation['steps']>(row, 'steps') ?? [], progress: column(row, 'progress'),
    cancellable: column<number>(row, 'cancellable') === 1, startedAt: column(row, 'startedAt'), endedAt: column(row, 'endedAt'),
    lastSeq: column(row, 'lastSeq'), result: json(row, 'result'), error: json(row, 'error'),
  };
}

export function toLogLine(row: Row): LogLine {
  return { seq: column(row, 'seq'), at: column(row, 'at'), stepId: column(row, 'stepId'), level: column(row, 'level'), text: column(row, 'text') };
}

export function toEvent(row: Row): AuditEvent {
  return {
    id: column(row, 'id'), at: column(row, 'at'), kind: column(row, 'kind'), projectId: column(row, 'projectId'), hostId: column(row, 'hostId'),
    operationId: column(row, 'operationId'), text: column(row, 'text'), data: json<Record<string, unknown>>(row, 'data') ?? {},
  };
}

/** null stays null; everything else becomes JSON text. */
export function text(value: unknown): string | null { return value === null || value === undefined ? null : JSON.stringify(value); }
