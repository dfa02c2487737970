export type Migration = { readonly version: number; readonly name: string; readonly sql: string };

/** Append only: a released migration is never edited. Times are Unix milliseconds, JSON columns hold the shared schemas. */
export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'projects and revisions',
    sql: `
      CREATE TABLE projects (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, template TEXT, hostId TEXT NOT NULL,
        createdAt INTEGER NOT NULL, updatedAt INTEGER NOT NULL, lastOpenedAt INTEGER, deletedAt INTEGER,
        settings TEXT NOT NULL, headRev INTEGER
      ) STRICT;
      CREATE TABLE revisions (
        projectId TEXT NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
        rev INTEGER NOT NULL, parentRev INTEGER, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, files INTEGER NOT NULL,
        contentBytes INTEGER NOT NULL, reason TEXT NOT NULL, createdAt INTEGER NOT NULL, verifiedAt INTEGER NOT NULL,
        leftOut TEXT NOT NULL, PRIMARY KEY (projectId, rev)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;`,
  },
  {
    version: 2,
    name: 'hosts and environments',
    sql: `
      CREATE TABLE hosts (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL, facts TEXT, factsAt INTEGER
      ) STRICT;
      CREATE TABLE environments (
        projectId TEXT PRIMARY KEY REFERENCES projects(id) ON DELETE CASCADE, hostId TEXT NOT NULL, state TEXT NOT NULL,
        since INTEGER NOT NULL, startedAt INTEGER, lastActivityAt INTEGER, dirty INTEGER NOT NULL, baseRev INTEGER,
        startKind TEXT, error TEXT, savedCounter INTEGER
      ) STRICT;`,
  },
  {
    version: 3,
    name: 'operations, their logs and the audit',
    sql: `
      CREATE TABLE operations (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, title TEXT NOT NULL, projectId TEXT, hostId TEXT, state TEXT NOT NULL,
        steps TEXT NOT NULL, progress REAL NOT NULL, cancellable INTEGER NOT NULL, startedAt INTEGER NOT NULL, endedAt INTEGER,
        lastSeq INTEGER NOT NULL, result TEXT, error TEXT, request TEXT
      ) STRICT;
      CREATE INDEX operationsByTime ON operations (startedAt);
      CREATE INDEX operationsByProject ON operations (projectId, startedAt);
      CREATE TABLE operation_logs (
        operationId TEXT NOT NULL REFERENCES operations(id) ON DELETE CASCADE, seq INTEGER NOT NULL, at INTEGER NOT NULL,
        stepId TEXT, level TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (operationId, seq)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, kind TEXT NOT NULL, projectId TEXT, hostId TEXT,
        operationId TEXT, text TEXT NOT NULL, data TEXT NOT NULL
      ) STRICT;
      CREATE INDEX eventsByProject ON events (projectId, id);`,
  },
  {
    version: 4,
    name: 'remember which revisions have their manifest',
    sql: `
      ALTER TABLE revisions ADD COLUMN hasManifest INTEGER NOT NULL DEFAULT 0;
      CREATE INDEX revisionsBySha ON revisions (projectId, sha256);`,
  },
  {
    version: 5,
    name: 'hosts over SSH',
    sql: `
      ALTER TABLE hosts ADD COLUMN ssh TEXT;
      ALTER TABLE hosts ADD COLUMN probe TEXT;`,
  },
  {
    version: 7,
    name: 'projects that also rest in a cloud',
    // The outbox is filled by the database itself: a change and the duty to send it are one transaction, whoever makes the change.
    // While changes from the cloud are applied ('applying' is set) nothing is owed.
    sql: `
      CREATE TABLE cloud_state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
      CREATE TABLE sync_projects (
        projectId TEXT PRIMARY KEY, store TEXT NOT NULL, baseArchiveId TEXT, branch TEXT, stale INTEGER NOT NULL DEFAULT 0,
        conflict TEXT, lease TEXT, error TEXT
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT, projectId TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL DEFAULT '{}',
        attempts INTEGER NOT NULL DEFAULT 0, nextTryAt INTEGER NOT NULL DEFAULT 0, error TEXT
      ) STRICT;
      CREATE INDEX outboxByProject ON outbox (projectId, id);
      CREATE TABLE uploads (key TEXT PRIMARY KEY, url TEXT NOT NULL, createdAt INTEGER NOT NULL) STRICT;
      ALTER TABLE revisions ADD COLUMN branch TEXT;
      CREATE VIEW sync_owing AS SELECT projectId FROM sync_projects WHERE NOT EXISTS (SELECT 1 FROM cloud_state WHERE key = 'applying');
      CREATE TRIGGER outboxCreate AFTER INSERT ON projects
        WHEN EXISTS (SELECT 1 FROM cloud_state WHERE key = 'defaultStore') AND NOT EXISTS (SELECT 1 FROM cloud_state WHERE key = 'applying')
        BEGIN
          INSERT INTO sync_projects (projectId, store) SELECT NEW.id, value FROM cloud_state WHERE key = 'defaultStore';
          INSERT INTO outbox (projectId, kind) VALUES (NEW.id, 'create');
        END;
      CREATE TRIGGER outboxUpdate AFTER UPDATE OF name, template, settings, deletedAt ON projects
        WHEN (NEW.name, NEW.template, NEW.settings, NEW.deletedAt) IS NOT (OLD.name, OLD.template, OLD.settings, OLD.deletedAt) AND EXISTS (SELECT 1 FROM sync_owing WHERE projectId = NEW.id)
        BEGIN
          INSERT INTO outbox (projectId, kind) VALUES (NEW.id, CASE WHEN NEW.deletedAt IS NOT OLD.deletedAt THEN 'delete' ELSE 'rename' END);
        END;
      CREATE TRIGGER outboxSave AFTER INSERT ON revisions WHEN EXISTS (SELECT 1 FROM sync_owing WHERE projectId = NEW.projectId)
        BEGIN
          INSERT INTO outbox (projectId, kind, data) VALUES (NEW.projectId, 'save', json_object('rev', NEW.rev, 'parent', NEW.parentRev));
        END;
      CREATE TRIGGER outboxPrune AFTER DELETE ON revisions
        WHEN EXISTS (SELECT 1 FROM sync_owing WHERE projectId = OLD.projectId) AND EXISTS (SELECT 1 FROM projects WHERE id = OLD.projectId)
        BEGIN
          INSERT INTO outbox (projectId, kind, data) VALUES (OLD.projectId, 'prune', json_object('sha256', OLD.sha256, 'createdAt', OLD.createdAt));
        END;
      CREATE TRIGGER outboxPurge AFTER DELETE ON projects WHEN EXISTS (SELECT 1 FROM sync_owing WHERE projectId = OLD.id)
        BEGIN
          INSERT INTO outbox (projectId, kind) VALUES (OLD.id, 'purge');
        END;`,
  },
  {
    version: 8,
    name: 'pins, origins and drafts',
    sql: `
      ALTER TABLE revisions ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE revisions ADD COLUMN origin TEXT;
      CREATE TABLE drafts (
        projectId TEXT NOT NULL REFERENCES projects(id) ON DELETE CASCADE, path TEXT NOT NULL, text TEXT, baseRev INTEGER NOT NULL,
        updatedAt INTEGER NOT NULL, PRIMARY KEY (projectId, path)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE kept_projects (projectId TEXT PRIMARY KEY REFERENCES projects(id) ON DELETE CASCADE) STRICT, WITHOUT ROWID;`,
  },
  {
    version: 9,
    name: 'operations are bounded in bytes',
    // An error or a line that an older Vessel took from a guest may be megabytes: its beginning is enough.
    sql: `
      ALTER TABLE operations ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE operations ADD COLUMN logBytes INTEGER NOT NULL DEFAULT 0;
      UPDATE operations SET error = json_object('code', coalesce(json_extract(error, '$.code'), 'INTERNAL'), 'message', substr(json_extract(error, '$.message'), 1, 1000), 'hint', '', 'retryable', json('false'), 'details', json('{}'), 'logTail', json('[]'))
        WHERE length(error) > 100000;
      UPDATE environments SET error = json_object('code', coalesce(json_extract(error, '$.code'), 'INTERNAL'), 'message', substr(json_extract(error, '$.message'), 1, 1000), 'hint', '', 'retryable', json('false'), 'details', json('{}'), 'logTail', json('[]'))
        WHERE length(error) > 100000;
      UPDATE operations SET steps = '[]' WHERE length(steps) > 500000;
      UPDATE operation_logs SET text = substr(text, 1, 1000) WHERE length(text) > 4000;
      UPDATE operations SET bytes = length(steps) + coalesce(length(result), 0) + coalesce(length(error), 0) + coalesce(length(request), 0),
        logBytes = (SELECT coalesce(sum(length(text) + 80), 0) FROM operation_logs WHERE operationId = operations.id);`,
  },
];
