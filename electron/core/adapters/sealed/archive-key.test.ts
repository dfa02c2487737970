import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { RemoteArchive } from '../../ports/remote-store.ts';
import { memorySecrets } from '../cold-supabase/testing/signed-in.ts';
import { makeArchiveKey } from './archive-key.ts';
import { makeKeyRing } from './key-ring.ts';
import { phraseOf, secretOf } from './recovery-phrase.ts';
import { inOrder, openArchive, openProject, sealArchive, sealProject } from './sealed-rows.ts';

const code = (name: string): unknown => expect.objectContaining({ code: name });
const key = makeArchiveKey(randomBytes(32));
const other = makeArchiveKey(randomBytes(32));
const archive: RemoteArchive = { id: 'a1', projectId: 'shop', parentId: 'a0', branch: null, device: 'laptop', sha256: 'a'.repeat(64), bytes: 100, files: 3, contentBytes: 300, leftOut: [{ path: 'node_modules', reason: 'preset' }], reason: 'save', savedAt: 5 };

describe('a recovery phrase', () => {
  it('says what is wrong with it: an unknown word, too few, two exchanged', () => {
    const phrase = phraseOf(randomBytes(32));
    const words = phrase.split(' ');
    expect(() => secretOf(words.with(3, 'vessel-x').join(' '))).toThrow(code('ENCRYPTION_PHRASE_INVALID'));
    expect(() => secretOf(words.with(3, 'qqq').join(' '))).toThrow('Word 4');
    expect(() => secretOf(words.slice(1).join(' '))).toThrow('23 words');
    expect(() => secretOf('')).toThrow(code('ENCRYPTION_PHRASE_INVALID'));
    // Twelve words are a phrase too, but not of a key.
    expect(() => secretOf(phraseOf(new Uint8Array(16)))).toThrow('12 words');
  });
  it('is the secret in 24 words, however it is typed', () => {
    const secret = randomBytes(32);
    const phrase = phraseOf(secret);
    expect(phrase.split(' ')).toHaveLength(24);
    expect(Buffer.from(secretOf(`  ${phrase.toUpperCase().replaceAll(' ', '\n 7. ')} `))).toEqual(secret);
  });
  it('gives the same key on every computer, which only its SecretStore keeps', async () => {
    const [secrets, elsewhere] = [memorySecrets(), memorySecrets()];
    const made = makeKeyRing(secrets).make();
    expect(await makeKeyRing(secrets).has(made.keyId)).toBe(false);
    expect(await makeKeyRing(secrets).keep(made.phrase)).toBe(made.keyId);
    expect(await makeKeyRing(secrets).has(made.keyId)).toBe(true);
    expect(makeKeyRing(elsewhere).keyIdOf(made.phrase)).toBe(made.keyId);
    expect(made.keyId).not.toContain(made.phrase.split(' ')[0]);
  });
});

describe('sealed rows', () => {
  it('open with their key, at their place, and nowhere else', () => {
    const sealed = sealArchive(key, archive, { sha256: 'b'.repeat(64), bytes: 400 });
    expect(sealed).toMatchObject({ sha256: 'b'.repeat(64), bytes: 400, files: 0, contentBytes: 0, leftOut: [] });
    expect(JSON.stringify(sealed)).not.toMatch(/aaaaaa|node_modules|"a1"|"a0"/);
    expect(openArchive(key, sealed)).toEqual(archive);
    expect(() => openArchive(other, sealed)).toThrow(code('CLOUD_FAILED'));
    expect(() => openArchive(key, { ...sealed, projectId: 'other' })).toThrow(code('CLOUD_FAILED'));
    expect(() => openArchive(key, { ...sealed, id: other.remoteId('shop', 'a1') })).toThrow(code('CLOUD_FAILED'));
  });
  it('of a project hide its name and settings, and hold its pointer where it was sealed', () => {
    const project = { id: 'shop', name: 'Shop', template: 'node', settings: { idleMinutes: 7 }, archiveId: 'a1', rev: 4, createdAt: 1, deletedAt: null };
    const row = { ...project, ...sealProject(key, project), archiveId: key.remoteId('shop', 'a1') };
    expect(JSON.stringify(row)).not.toMatch(/Shop|idleMinutes|node/);
    expect(openProject(key, row)).toEqual(project);
    expect(openProject(key, { ...row, archiveId: 'a1' })).toEqual(project);
    expect(() => openProject(key, { ...row, archiveId: key.remoteId('shop', 'a0') })).toThrow(code('CLOUD_FAILED'));
    expect(() => openProject(key, { ...row, archiveId: null })).toThrow(code('CLOUD_FAILED'));
  });
  it('stand once each and after their parents, whichever form came first', () => {
    const one = (id: string, parentId: string | null): RemoteArchive => ({ ...archive, id, parentId });
    const ids = (list: readonly RemoteArchive[]): readonly string[] => inOrder(list).map(({ id }) => id);
    expect(ids([one('d', 'c'), one('a', null), one('b', 'a'), one('c', 'b'), one('a', null)])).toEqual(['a', 'b', 'c', 'd']);
    expect(ids([one('b', 'gone'), one('x', null), one('c', 'b')])).toEqual(['b', 'x', 'c']);
    expect(ids([one('a', 'b'), one('b', 'a')])).toHaveLength(2);
  });
});
