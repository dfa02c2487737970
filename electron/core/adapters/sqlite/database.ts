import { chmodSync, existsSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { VesselError } from '#shared/errors.ts';
import { ensurePrivateFile, ensurePrivateFolder } from '../files/private-folder.ts';
import { DiskReserve } from './disk-reserve.ts';
import { MIGRATIONS, type Migration } from './migrations.ts';

type Row = Record<string, unknown>;

/** The only place that knows `node:sqlite`: statements are prepared once, transactions nest by joining the outer one. */
export class Database {
  readonly #raw: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #reserve: DiskReserve;
  #depth = 0;

  constructor(raw: DatabaseSync, reserve: DiskReserve) {
    this.#raw = raw;
    this.#reserve = reserve;
  }

  all(sql: string, ...values: SQLInputValue[]): readonly Row[] { return this.#prepare(sql).all(...values); }
  get(sql: string, ...values: SQLInputValue[]): Row | undefined { return this.#prepare(sql).get(...values); }
  /** Returns how many rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number { return this.#withSpace(() => Number(this.#prepare(sql).run(...values).changes)); }
  script(sql: string): void { this.#raw.exec(sql); }

  /** All of it or nothing. On a full disk the body runs a second time, from the state before the first. */
  transaction<T>(body: () => T): T {
    return this.#depth > 0 ? body() : this.#withSpace(() => this.#once(body));
  }

  /**
   * Decisions must be written down on a full disk too, above all that an environment is to be discarded: then the space goes that was kept
   * for this. Throws DISK_FULL when that is used up.
   */
  #withSpace<T>(work: () => T): T {
    // Within a transaction the whole of it is repeated.
    if (this.#depth > 0) return work();
    try {
      const result = work();
      this.#reserve.refill();
      return result;
    } catch (error) {
      if (!isFull(error)) throw error;
      if (!this.#reserve.release()) throw new VesselError('DISK_FULL', 'The database cannot be written to', { cause: error });
      return this.#withSpace(work);
    }
  }

  #once<T>(body: () => T): T {
    this.#raw.exec('BEGIN IMMEDIATE');
    this.#depth += 1;
    try {
      const result = body();
      this.#raw.exec('COMMIT');
      return result;
    } catch (error) {
      // SQLite may have rolled back by itself, as it does when there is no space.
      if (this.#raw.isTransaction) this.#raw.exec('ROLLBACK');
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  close(): void {
    this.#statements.clear();
    this.#raw.close();
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#raw.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/**
 * Opens (or makes) the database and brings it to the newest version. A file that SQLite cannot read is moved aside and
 * STORE_CORRUPT is thrown with its new path in `details.movedTo`; opening again then starts a fresh one.
 * A database of a newer Vessel is refused with STORE_CORRUPT but left where it is (`details.movedTo` is null).
 */
export function openDatabase(path: string, migrations: readonly Migration[] = MIGRATIONS): Database {
  ensurePrivateFolder(dirname(path));
  // Titles, settings and errors of every project are in it. SQLite gives its companions the rights of the database.
  ensurePrivateFile(path);
  for (const companion of [`${path}-wal`, `${path}-shm`]) if (existsSync(companion)) chmodSync(companion, 0o600);
  let raw: DatabaseSync | null = null;
  try {
    raw = new DatabaseSync(path, { timeout: 5000 });
    // FULL: a flipped head must survive a power cut, and saves are rare enough to pay for it.
    raw.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON');
    const check = raw.prepare('PRAGMA quick_check(1)').get() as { quick_check?: unknown } | undefined;
    if (check?.quick_check !== 'ok') throw new VesselError('STORE_CORRUPT', String(check?.quick_check));
    const database = new Database(raw, new DiskReserve(`${path}.reserve`));
    migrate(database, migrations);
    return database;
  } catch (error) {
    raw?.close();
    if (error instanceof VesselError && error.code !== 'STORE_CORRUPT') throw error;
    if (error instanceof VesselError && error.details['newer'] === true) throw error;
    if (!(error instanceof VesselError) && !isCorruption(error)) throw error;
    const movedTo = moveAside(path);
    throw new VesselError('STORE_CORRUPT', `The database was unreadable and is kept at ${movedTo}`, { cause: error, details: { path, movedTo } });
  }
}

/** Runs the missing migrations, each in its own transaction. */
function migrate(database: Database, migrations: readonly Migration[]): void {
  database.script('CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, appliedAt INTEGER NOT NULL)');
  const current = Number(database.get('SELECT coalesce(max(version), 0) AS version FROM migrations')?.['version']);
  const newest = migrations.at(-1)?.version ?? 0;
  if (current > newest) {
    throw new VesselError('STORE_CORRUPT', `The database has version ${current}, this Vessel knows only up to ${newest}`, { hint: 'Use the newer Vessel that wrote it.', details: { newer: true, movedTo: null } });
  }
  for (const migration of migrations.filter((candidate) => candidate.version > current)) {
    database.transaction(() => {
      database.script(migration.sql);
      database.run('INSERT INTO migrations VALUES (?, ?, ?)', migration.version, migration.name, Date.now());
    });
  }
}

/** SQLITE_FULL, and SQLITE_IOERR where the system says the same of a companion file. */
function isFull(error: unknown): boolean {
  const code = (error as { readonly errcode?: unknown }).errcode;
  return typeof code === 'number' && ((code & 0xff) === 13 || (code & 0xff) === 10);
}

/** SQLITE_CORRUPT and SQLITE_NOTADB (with their extended codes). */
function isCorruption(error: unknown): boolean {
  const code = (error as { readonly errcode?: unknown }).errcode;
  return typeof code === 'number' && ((code & 0xff) === 11 || (code & 0xff) === 26);
}

function moveAside(path: string): string {
  const suffix = `.corrupt-${new Date().toISOString().replace(/[:.]/g, '-')}`;
  for (const tail of ['', '-wal', '-shm']) if (existsSync(path + tail)) renameSync(path + tail, path + suffix + tail);
  return path + suffix;
}
