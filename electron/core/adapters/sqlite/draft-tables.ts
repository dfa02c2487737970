import type { DraftRecord, Store } from '../../ports/store.ts';
import type { Database } from './database.ts';
import type { Row } from './rows.ts';

const toDraft = (row: Row): DraftRecord => ({
  projectId: row['projectId'] as string, path: row['path'] as string, text: row['text'] as string | null, baseRev: row['baseRev'] as number, updatedAt: row['updatedAt'] as number,
});

export function makeDraftTables(database: Database): Pick<Store, 'drafts' | 'kept'> {
  return {
    drafts: {
      list: (projectId) => database.all('SELECT * FROM drafts WHERE projectId = ? ORDER BY path', projectId).map(toDraft),
      get: (projectId, path) => { const row = database.get('SELECT * FROM drafts WHERE projectId = ? AND path = ?', projectId, path); return row === undefined ? null : toDraft(row); },
      put: (draft) => { database.run('INSERT OR REPLACE INTO drafts (projectId, path, text, baseRev, updatedAt) VALUES (?,?,?,?,?)', draft.projectId, draft.path, draft.text, draft.baseRev, draft.updatedAt); },
      remove: (projectId, drafts) => database.transaction(() => {
        for (const { path, updatedAt } of drafts) database.run('DELETE FROM drafts WHERE projectId = ? AND path = ? AND updatedAt = ?', projectId, path, updatedAt);
      }),
      setBase: (projectId, baseRev) => { database.run('UPDATE drafts SET baseRev = ? WHERE projectId = ?', baseRev, projectId); },
      projects: () => database.all('SELECT DISTINCT projectId FROM drafts').map((row) => row['projectId'] as string),
    },
    kept: {
      list: () => database.all('SELECT projectId FROM kept_projects ORDER BY projectId').map((row) => row['projectId'] as string),
      set: (projectId, kept) => { database.run(kept ? 'INSERT OR IGNORE INTO kept_projects VALUES (?)' : 'DELETE FROM kept_projects WHERE projectId = ?', projectId); },
    },
  };
}
