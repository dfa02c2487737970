import { SettingsSchema } from '#shared/contract.ts';
import type { OperationRequest, Store } from '../../ports/store.ts';
import type { Database } from './database.ts';
import { text, toEvent, toHost, toLogLine, toOperation } from './rows.ts';

/** What a row takes beside its texts, roughly. */
const ROW_BYTES = 80;
/** The last operations are asked for right after they end, however large one of them is. */
const KEEP_WHATEVER_SIZE = 5;
/** Audit events are small; these are years of an ordinary user's. */
const KEEP_EVENTS = 20_000;
const PRUNE_EVENTS_EVERY = 200;

export function makeOperationTables(database: Database): Pick<Store, 'hosts' | 'operations' | 'events' | 'settings'> {
  return {
    hosts: {
      list: () => database.all('SELECT * FROM hosts ORDER BY id').map(toHost),
      get: (id) => { const row = database.get('SELECT * FROM hosts WHERE id = ?', id); return row === undefined ? null : toHost(row); },
      put: (host) => {
        database.run('INSERT OR REPLACE INTO hosts (id, name, kind, status, facts, factsAt, ssh, probe) VALUES (?,?,?,?,?,?,?,?)', host.id, host.name, host.kind, host.status, text(host.facts), host.factsAt, text(host.ssh), text(host.probe));
      },
      remove: (id) => { database.run('DELETE FROM hosts WHERE id = ?', id); },
    },
    operations: {
      // An upsert, not a replace: replacing would delete the row and with it the log that hangs on it.
      put: (operation, request) => {
        const [steps, result, error, asked] = [text(operation.steps), text(operation.result), text(operation.error), text(request)];
        const bytes = [steps, result, error, asked].reduce((sum, part) => sum + Buffer.byteLength(part ?? ''), ROW_BYTES);
        database.run(`INSERT INTO operations (id, kind, title, projectId, hostId, state, steps, progress, cancellable, startedAt, endedAt, lastSeq, result, error, request, bytes)
          VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET title = excluded.title, projectId = excluded.projectId, state = excluded.state,
          steps = excluded.steps, progress = excluded.progress, cancellable = excluded.cancellable, endedAt = excluded.endedAt, lastSeq = excluded.lastSeq,
          result = excluded.result, error = excluded.error, bytes = excluded.bytes`,
        operation.id, operation.kind, operation.title, operation.projectId, operation.hostId, operation.state, steps, operation.progress,
        operation.cancellable ? 1 : 0, operation.startedAt, operation.endedAt, operation.lastSeq, result, error, asked, bytes);
      },
      get: (id) => { const row = database.get('SELECT * FROM operations WHERE id = ?', id); return row === undefined ? null : toOperation(row); },
      request: (id) => {
        const value = database.get('SELECT request FROM operations WHERE id = ?', id)?.['request'];
        return typeof value === 'string' ? (JSON.parse(value) as OperationRequest) : null;
      },
      list: ({ projectId, hostId, limit }) => database.all(
        'SELECT * FROM operations WHERE (?1 IS NULL OR projectId = ?1) AND (?2 IS NULL OR hostId = ?2) ORDER BY startedAt DESC, id DESC LIMIT ?3',
        projectId ?? null, hostId ?? null, limit).map(toOperation),
      running: () => database.all(`SELECT * FROM operations WHERE state = 'running'`).map(toOperation),
      appendLog: (id, lines) => database.transaction(() => {
        for (const line of lines) database.run('INSERT OR REPLACE INTO operation_logs VALUES (?,?,?,?,?,?)', id, line.seq, line.at, line.stepId, line.level, line.text);
      }),
      log: (id, afterSeq) => database.all('SELECT * FROM operation_logs WHERE operationId = ? AND seq > ? ORDER BY seq', id, afterSeq).map(toLogLine),
      trimLog: (id, keep, maxBytes) => database.transaction(() => {
        database.run(`DELETE FROM operation_logs WHERE operationId = ?1 AND (seq <= (SELECT max(seq) FROM operation_logs WHERE operationId = ?1) - ?2
          OR seq <= (SELECT max(seq) FROM (SELECT seq, sum(octet_length(text) + ${ROW_BYTES}) OVER (ORDER BY seq DESC) AS total FROM operation_logs WHERE operationId = ?1) WHERE total > ?3))`, id, keep, maxBytes);
        database.run(`UPDATE operations SET logBytes = (SELECT coalesce(sum(octet_length(text) + ${ROW_BYTES}), 0) FROM operation_logs WHERE operationId = ?1) WHERE id = ?1`, id);
      }),
      prune: (keep, maxBytes) => {
        database.run(`DELETE FROM operations WHERE state != 'running' AND id IN (SELECT id FROM (
          SELECT id, row_number() OVER newest AS place, sum(bytes + logBytes) OVER newest AS total FROM operations WINDOW newest AS (ORDER BY startedAt DESC, id DESC)
        ) WHERE place > ?1 OR (total > ?2 AND place > ${KEEP_WHATEVER_SIZE}))`, keep, maxBytes);
        // An older Vessel kept the ticket of each opening.
        database.run(`UPDATE operations SET result = json_remove(result, '$.url') WHERE kind = 'open' AND json_extract(result, '$.url') IS NOT NULL`);
      },
    },
    events: {
      add: (event) => {
        const row = database.get('INSERT INTO events (at, kind, projectId, hostId, operationId, text, data) VALUES (?,?,?,?,?,?,?) RETURNING id',
          event.at, event.kind, event.projectId, event.hostId, event.operationId, event.text, text(event.data));
        const id = Number(row?.['id']);
        if (id % PRUNE_EVENTS_EVERY === 0) database.run('DELETE FROM events WHERE id <= ?', id - KEEP_EVENTS);
        return { ...event, id };
      },
      list: ({ projectId, beforeId, limit }) => database.all(
        'SELECT * FROM events WHERE (?1 IS NULL OR projectId = ?1) AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3',
        projectId ?? null, beforeId ?? null, limit).map(toEvent),
    },
    settings: {
      get: () => {
        const value = database.get(`SELECT value FROM settings WHERE key = 'settings'`)?.['value'];
        return SettingsSchema.parse(typeof value === 'string' ? JSON.parse(value) : {});
      },
      put: (settings) => { database.run(`INSERT OR REPLACE INTO settings (key, value) VALUES ('settings', ?)`, text(settings)); },
    },
  };
}
