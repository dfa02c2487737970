import type { Store } from '../../ports/store.ts';
import { openDatabase } from './database.ts';
import { makeDraftTables } from './draft-tables.ts';
import { makeOperationTables } from './operation-tables.ts';
import { makeProjectTables } from './project-tables.ts';
import { makeSyncTables } from './sync-tables.ts';

/** The store in one SQLite file. Throws STORE_CORRUPT as {@link openDatabase} does. */
export function openStore(path: string): Store {
  const database = openDatabase(path);
  return { ...makeProjectTables(database), ...makeOperationTables(database), ...makeDraftTables(database), sync: makeSyncTables(database), close: () => database.close() };
}
