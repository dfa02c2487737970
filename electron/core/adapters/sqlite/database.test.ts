import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from './database.ts';
import { MIGRATIONS } from './migrations.ts';

let folder: string;
let path: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-db-')); path = join(folder, 'vessel.db'); });
afterEach(() => rmSync(folder, { recursive: true }));

describe('the database', () => {
  it('moves an unreadable file aside, says where, and starts afresh the next time', () => {
    writeFileSync(path, 'this is no database, but it is long enough to look at'.repeat(100));
    let movedTo = '';
    try {
      openDatabase(path);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'STORE_CORRUPT' });
      movedTo = (error as { details: { movedTo: string } }).details.movedTo;
    }
    expect(readFileSync(movedTo, 'utf8')).toContain('no database');
    openDatabase(path).close();
    expect(readdirSync(folder)).toContain('vessel.db');
  });

  it('moves a database with a damaged page aside', () => {
    const database = openDatabase(path);
    database.transaction(() => { for (let index = 0; index < 2000; index += 1) database.run('INSERT INTO settings VALUES (?, ?)', `key${index}`, 'x'.repeat(200)); });
    database.close();
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 4096 * 3, bytes.length - 4096);
    writeFileSync(path, bytes);
    expect(() => openDatabase(path)).toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }));
  });

  it('leaves a database of a newer Vessel where it is', () => {
    openDatabase(path, [...MIGRATIONS, { version: 99, name: 'the future', sql: 'SELECT 1' }]).close();
    expect(() => openDatabase(path)).toThrow(expect.objectContaining({ code: 'STORE_CORRUPT', details: expect.objectContaining({ movedTo: null }) as unknown }));
    expect(readdirSync(folder)).toContain('vessel.db');
  });

  it.each(MIGRATIONS.slice(0, -1).map(({ version }) => version))('is brought forward from version %i with its rows', (version) => {
    const old = openDatabase(path, MIGRATIONS.filter((migration) => migration.version <= version));
    old.run(`INSERT INTO projects (id, name, hostId, createdAt, updatedAt, settings, headRev) VALUES ('a', 'A', 'local', 1, 2, '{}', 1)`);
    old.run(`INSERT INTO revisions (projectId, rev, sha256, bytes, files, contentBytes, reason, createdAt, verifiedAt, leftOut) VALUES ('a', 1, 'ff', 1, 1, 1, 'create', 1, 1, '[]')`);
    old.close();
    const database = openDatabase(path);
    expect(database.get('SELECT count(*) AS n FROM migrations')?.['n']).toBe(MIGRATIONS.length);
    expect(database.get(`SELECT rev, hasManifest FROM revisions WHERE projectId = 'a'`)).toMatchObject({ rev: 1, hasManifest: 0 });
    database.close();
  });

  it('undoes a migration that fails in the middle', () => {
    openDatabase(path).close();
    expect(() => openDatabase(path, [...MIGRATIONS, { version: 50, name: 'broken', sql: 'CREATE TABLE half (x) STRICT; nonsense' }])).toThrow();
    const database = openDatabase(path);
    expect(database.get(`SELECT count(*) AS n FROM sqlite_master WHERE name = 'half'`)?.['n']).toBe(0);
    database.close();
  });

  it('undoes a transaction that throws', () => {
    const database = openDatabase(path);
    expect(() => database.transaction(() => { database.run(`INSERT INTO settings VALUES ('a', 'b')`); throw new Error('no'); })).toThrow('no');
    expect(database.all('SELECT * FROM settings')).toEqual([]);
    database.close();
  });
});
