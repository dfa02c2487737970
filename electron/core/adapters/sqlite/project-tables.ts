import type { ProjectRecord, Store } from '../../ports/store.ts';
import type { Revision } from '#shared/project.ts';
import type { Database } from './database.ts';
import { makeSettingsReader, text, toEnvironment, toRevision, type Row } from './rows.ts';

const REVISION = ['projectId', 'rev', 'parentRev', 'sha256', 'bytes', 'files', 'contentBytes', 'reason', 'createdAt', 'verifiedAt', 'leftOut', 'branch', 'pinned', 'origin'] as const;
const ENVIRONMENT = ['projectId', 'hostId', 'state', 'since', 'startedAt', 'lastActivityAt', 'dirty', 'baseRev', 'startKind', 'error', 'savedCounter'] as const;
const prefixed = (alias: string, names: readonly string[]): string => names.map((name) => `${alias}.${name} AS ${alias}_${name}`).join(', ');
/** One query for the whole list: a project, its head revision and its environment. */
const SELECT = `SELECT p.*, ${prefixed('r', REVISION)}, ${prefixed('e', ENVIRONMENT)} FROM projects p
  LEFT JOIN revisions r ON r.projectId = p.id AND r.rev = p.headRev LEFT JOIN environments e ON e.projectId = p.id`;

export function makeProjectTables(database: Database): Pick<Store, 'projects' | 'revisions' | 'environments'> {
  const readSettings = makeSettingsReader();
  const toProject = (row: Row): ProjectRecord => ({
    id: row['id'] as string, name: row['name'] as string, template: row['template'] as ProjectRecord['template'], hostId: row['hostId'] as string,
    createdAt: row['createdAt'] as number, updatedAt: row['updatedAt'] as number, lastOpenedAt: row['lastOpenedAt'] as number | null,
    deletedAt: row['deletedAt'] as number | null, settings: readSettings(row['settings'] as string),
    head: row['r_rev'] === null ? null : toRevision(row, 'r_'),
    environment: row['e_projectId'] === null ? null : publicEnvironment(row),
  });
  const insertRevision = (revision: Revision, hasManifest: boolean): void => {
    database.run(`INSERT OR REPLACE INTO revisions (${REVISION.join(', ')}, hasManifest) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
      revision.projectId, revision.rev, revision.parentRev, revision.sha256, revision.bytes, revision.files, revision.contentBytes,
      revision.reason, revision.createdAt, revision.verifiedAt, text(revision.leftOut), revision.branch ?? null, revision.pinned === true ? 1 : 0, text(revision.origin), hasManifest ? 1 : 0);
  };
  return {
    projects: {
      list: (includeDeleted) => database.all(`${SELECT} ${includeDeleted ? '' : 'WHERE p.deletedAt IS NULL'} ORDER BY p.updatedAt DESC, p.id`).map(toProject),
      isEmpty: () => database.get('SELECT 1 AS one FROM projects LIMIT 1') === undefined,
      get: (id) => { const row = database.get(`${SELECT} WHERE p.id = ?`, id); return row === undefined ? null : toProject(row); },
      insert: (project) => {
        database.run('INSERT INTO projects (id, name, template, hostId, createdAt, updatedAt, settings) VALUES (?,?,?,?,?,?,?)',
          project.id, project.name, project.template, project.hostId, project.createdAt, project.createdAt, text(project.settings));
      },
      update: (id, patch, now) => database.transaction(() => {
        if (patch.name !== undefined) database.run('UPDATE projects SET name = ? WHERE id = ?', patch.name, id);
        if (patch.hostId !== undefined) database.run('UPDATE projects SET hostId = ? WHERE id = ?', patch.hostId, id);
        if (patch.settings !== undefined) database.run('UPDATE projects SET settings = ? WHERE id = ?', text(patch.settings), id);
        if (patch.lastOpenedAt !== undefined) database.run('UPDATE projects SET lastOpenedAt = ? WHERE id = ?', patch.lastOpenedAt, id);
        if (patch.deletedAt !== undefined) database.run('UPDATE projects SET deletedAt = ? WHERE id = ?', patch.deletedAt, id);
        database.run('UPDATE projects SET updatedAt = ? WHERE id = ?', now, id);
      }),
      remove: (id) => { database.run('DELETE FROM projects WHERE id = ?', id); },
    },
    revisions: {
      list: (projectId) => database.all('SELECT * FROM revisions WHERE projectId = ? ORDER BY rev DESC', projectId).map((row) => toRevision(row)),
      get: (projectId, rev) => { const row = database.get('SELECT * FROM revisions WHERE projectId = ? AND rev = ?', projectId, rev); return row === undefined ? null : toRevision(row); },
      append: (draft, expectedHead) => database.transaction(() => {
        const last = Number(database.get('SELECT coalesce(max(rev), 0) AS rev FROM revisions WHERE projectId = ?', draft.projectId)?.['rev']);
        // A restored revision may come from a branch; the new one does not.
        const { branch: _old, ...content } = draft;
        const revision: Revision = { ...content, rev: last + 1, parentRev: expectedHead };
        insertRevision(revision, false);
        const flipped = database.run('UPDATE projects SET headRev = ?, updatedAt = ? WHERE id = ? AND headRev IS ?', revision.rev, revision.createdAt, draft.projectId, expectedHead) === 1;
        if (flipped) database.run('UPDATE environments SET baseRev = ? WHERE projectId = ? AND baseRev IS ?', revision.rev, draft.projectId, expectedHead);
        return { revision, flipped };
      }),
      adopt: (revision) => database.transaction(() => {
        insertRevision(revision, true);
        database.run('UPDATE projects SET headRev = max(coalesce(headRev, 0), ?), updatedAt = max(updatedAt, ?) WHERE id = ?', revision.rev, revision.createdAt, revision.projectId);
      }),
      remove: (projectId, revs) => database.transaction(() => {
        for (const rev of revs) database.run('DELETE FROM revisions WHERE projectId = ? AND rev = ?', projectId, rev);
      }),
      isUsed: (projectId, sha256) => database.get('SELECT 1 AS used FROM revisions WHERE projectId = ? AND sha256 = ? LIMIT 1', projectId, sha256) !== undefined,
      setVerified: (projectId, rev, at) => { database.run('UPDATE revisions SET verifiedAt = ? WHERE projectId = ? AND rev = ?', at, projectId, rev); },
      setPinned: (projectId, rev, pinned) => { database.run('UPDATE revisions SET pinned = ?, hasManifest = 0 WHERE projectId = ? AND rev = ?', pinned ? 1 : 0, projectId, rev); },
      holders: (sha256) => database.all('SELECT DISTINCT projectId FROM revisions WHERE sha256 = ?', sha256).map((row) => row['projectId'] as string),
      withoutManifest: () => database.all('SELECT * FROM revisions WHERE hasManifest = 0').map((row) => toRevision(row)),
      markManifest: (projectId, rev) => { database.run('UPDATE revisions SET hasManifest = 1 WHERE projectId = ? AND rev = ?', projectId, rev); },
    },
    environments: {
      get: (projectId) => { const row = database.get('SELECT * FROM environments WHERE projectId = ?', projectId); return row === undefined ? null : toEnvironment(row); },
      list: () => database.all('SELECT * FROM environments').map((row) => toEnvironment(row)),
      put: (environment) => {
        database.run(`INSERT OR REPLACE INTO environments (${ENVIRONMENT.join(', ')}) VALUES (?,?,?,?,?,?,?,?,?,?,?)`,
          environment.projectId, environment.hostId, environment.state, environment.since, environment.startedAt, environment.lastActivityAt,
          environment.dirty ? 1 : 0, environment.baseRev, environment.startKind, text(environment.error), environment.savedCounter);
      },
    },
  };
}

function publicEnvironment(row: Row): ProjectRecord['environment'] {
  const { savedCounter: _kept, ...environment } = toEnvironment(row, 'e_');
  return environment;
}
