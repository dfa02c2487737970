import type { Revision } from '#shared/project.ts';
import type { OutboxEntry, SyncRecord, SyncStore } from '../../ports/sync-store.ts';
import type { Database } from './database.ts';
import { text, type Row } from './rows.ts';

/** An upload address that a server has certainly forgotten. */
const UPLOAD_KEPT_MS = 7 * 24 * 60 * 60 * 1000;

export function makeSyncTables(database: Database): SyncStore {
  const setFact = (key: string, value: string | null): void => {
    if (value === null) database.run('DELETE FROM cloud_state WHERE key = ?', key);
    else database.run('INSERT OR REPLACE INTO cloud_state VALUES (?, ?)', key, value);
  };
  const put = (record: SyncRecord): void => {
    database.run('INSERT OR REPLACE INTO sync_projects (projectId, store, baseArchiveId, branch, stale, conflict, lease, error) VALUES (?,?,?,?,?,?,?,?)',
      record.projectId, record.store, record.baseArchiveId, record.branch, record.stale ? 1 : 0, text(record.conflict), text(record.lease), text(record.error));
  };
  const get = (projectId: string): SyncRecord | null => {
    const row = database.get('SELECT * FROM sync_projects WHERE projectId = ?', projectId);
    return row === undefined ? null : toRecord(row);
  };
  const count = (projectId: string | null): number => Number((projectId === null ? database.get('SELECT count(*) AS n FROM outbox') : database.get('SELECT count(*) AS n FROM outbox WHERE projectId = ?', projectId))?.['n']);
  return {
    facts: { get: (key) => (database.get('SELECT value FROM cloud_state WHERE key = ?', key)?.['value'] as string | undefined) ?? null, put: setFact },
    uploads: {
      get: (key) => (database.get('SELECT url FROM uploads WHERE key = ? AND createdAt > ?', key, Date.now() - UPLOAD_KEPT_MS)?.['url'] as string | undefined) ?? null,
      put: (key, url) => { database.run('INSERT OR REPLACE INTO uploads VALUES (?, ?, ?)', key, url, Date.now()); },
      remove: (key) => { database.run('DELETE FROM uploads WHERE key = ?', key); },
    },
    get, put,
    list: () => database.all('SELECT * FROM sync_projects').map(toRecord),
    forget: (projectId) => database.transaction(() => {
      database.run('DELETE FROM sync_projects WHERE projectId = ?', projectId);
      database.run('DELETE FROM outbox WHERE projectId = ?', projectId);
    }),
    status: (projectId) => {
      const record = get(projectId);
      if (record === null) return null;
      const pending = count(projectId);
      const { store, conflict, error } = record;
      const lease = record.lease === null ? null : { device: record.lease.device, since: record.lease.since, mine: record.lease.mine };
      return { store, state: error !== null && !error.retryable ? 'failed' : pending > 0 ? 'pending' : 'synced', pending, conflict, lease, error };
    },
    outbox: {
      due: (now) => database.all('SELECT * FROM outbox WHERE id IN (SELECT min(id) FROM outbox GROUP BY projectId) AND nextTryAt <= ? ORDER BY id', now).map(toEntry),
      count,
      has: (projectId, kinds) => database.all('SELECT kind FROM outbox WHERE projectId = ?', projectId).some(({ kind }) => kinds.some((wanted) => wanted === kind)),
      done: (id) => { database.run('DELETE FROM outbox WHERE id = ?', id); },
      failed: (id, error, nextTryAt) => { database.run('UPDATE outbox SET attempts = attempts + 1, nextTryAt = ?, error = ? WHERE id = ?', nextTryAt, text(error), id); },
      add: (projectId, kind, data = {}) => { database.run('INSERT INTO outbox (projectId, kind, data) VALUES (?, ?, ?)', projectId, kind, JSON.stringify(data)); },
      clear: (projectId) => { database.run('DELETE FROM outbox WHERE projectId = ?', projectId); },
      hurry: () => { database.run('UPDATE outbox SET nextTryAt = 0'); },
    },
    nextDueAt: () => (database.get('SELECT min(nextTryAt) AS at FROM outbox WHERE id IN (SELECT min(id) FROM outbox GROUP BY projectId)')?.['at'] as number | null | undefined) ?? null,
    adopt: ({ record, project, revisions, revOf, headRev, now }) => database.transaction(() => {
      setFact('applying', '1');
      try {
        database.run(`INSERT INTO projects (id, name, template, hostId, createdAt, updatedAt, settings) VALUES (?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING`,
          project.id, project.name, project.template, project.hostId, project.createdAt, now, text(project.settings));
        database.run('UPDATE projects SET name = ?, template = ?, settings = ?, deletedAt = ?, updatedAt = ? WHERE id = ?', project.name, project.template, text(project.settings), project.deletedAt, now, project.id);
        let rev = Number(database.get('SELECT coalesce(max(rev), 0) AS rev FROM revisions WHERE projectId = ?', project.id)?.['rev']);
        const added: (Revision & { readonly archiveId: string })[] = [];
        for (const { archiveId, parentId, ...revision } of revisions) {
          rev += 1;
          const parentRev = added.find((one) => one.archiveId === parentId)?.rev ?? revOf(parentId);
          database.run('INSERT INTO revisions (projectId, rev, parentRev, sha256, bytes, files, contentBytes, reason, createdAt, verifiedAt, leftOut, branch, hasManifest) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,0)',
            project.id, rev, parentRev, revision.sha256, revision.bytes, revision.files, revision.contentBytes, revision.reason, revision.createdAt, revision.verifiedAt, text(revision.leftOut), revision.branch ?? null);
          added.push({ ...revision, rev, parentRev, archiveId });
        }
        const head = headRev(added);
        if (head !== null) database.run('UPDATE projects SET headRev = ? WHERE id = ?', head, project.id);
        put(record);
        return added.map(({ archiveId: _known, ...revision }) => revision);
      } finally {
        setFact('applying', null);
      }
    }),
    setBranch: (projectId, rev, branch) => { database.run('UPDATE revisions SET branch = ? WHERE projectId = ? AND rev = ?', branch, projectId, rev); },
  };
}

function parse<T>(row: Row, name: string): T | null {
  const value = row[name];
  return typeof value === 'string' ? JSON.parse(value) as T : null;
}

function toRecord(row: Row): SyncRecord {
  return {
    projectId: row['projectId'] as string, store: row['store'] as SyncRecord['store'], baseArchiveId: row['baseArchiveId'] as string | null, branch: row['branch'] as string | null,
    stale: row['stale'] === 1, conflict: parse(row, 'conflict'), lease: parse(row, 'lease'), error: parse(row, 'error'),
  };
}

function toEntry(row: Row): OutboxEntry {
  return { id: row['id'] as number, projectId: row['projectId'] as string, kind: row['kind'] as OutboxEntry['kind'], data: parse<OutboxEntry['data']>(row, 'data') ?? {}, attempts: row['attempts'] as number };
}
