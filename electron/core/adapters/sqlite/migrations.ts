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
];
