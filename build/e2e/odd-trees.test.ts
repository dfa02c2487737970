import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WorkspaceOutSummarySchema } from '#shared/guest-protocol.ts';
import { importZip } from '../../electron/core/adapters/archive/import-zip.ts';
import { inflateArchive } from '../../electron/core/adapters/archive/inflate-archive.ts';
import { transcode } from '../../electron/core/adapters/archive/transcode.ts';
import { startTestAgent, type TestAgent } from '../../images/guest-agent/testing/start-agent.ts';
import { describeUnless } from '../testing/describe-unless.ts';
import { differences, oddTrees, type ListedTree } from './odd-trees.ts';

/** As many as hold one of each rare sort. */
const TREES = 12;
const SEED = process.env['VESSEL_TREES_SEED'] ?? randomBytes(4).toString('hex');
const OPTIONS = { maxArchiveBytes: 1e10, maxEntries: 1e6, signal: new AbortController().signal };

describeUnless(process.getuid?.() === 0 ? null : 'needs root to give files other owners', `${TREES} trees of every sort (seed ${SEED})`, () => {
  let agent: TestAgent;
  let folder: string;
  beforeAll(async () => {
    agent = await startTestAgent();
    folder = mkdtempSync(join(tmpdir(), 'vessel-trees-'));
  });
  afterAll(async () => {
    await agent.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const python = (verb: 'make' | 'list'): string => execFileSync('python3', oddTrees(verb, SEED, 0, TREES).slice(2), { cwd: agent.workspace, maxBuffer: 1e9, encoding: 'utf8' });
  const list = (): readonly ListedTree[] => python('list').trim().split('\n').map((line) => JSON.parse(line) as ListedTree);
  const clear = (): void => { execFileSync('sh', ['-c', 'rm -rf ./*'], { cwd: agent.workspace }); };
  /** The kept archive. */
  const save = async (): Promise<Buffer> => {
    const answer = await agent.call('/_vessel/v1/workspace/save', { method: 'POST', body: JSON.stringify({ exclude: { preset: 'safe', rules: [] } }) });
    const summary = WorkspaceOutSummarySchema.parse(JSON.parse(Buffer.from(answer.trailers['x-vessel-summary'] ?? '', 'base64url').toString()));
    return buffer(transcode(Readable.from([answer.body], { objectMode: false }), Promise.resolve(summary), OPTIONS).content);
  };

  it('come back as they were, whether the desktop inflates the archive or sends it as it is, and save as the same bytes again', async () => {
    python('make');
    const before = list();
    const kept = await save();
    writeFileSync(join(folder, 'a.zip'), kept);
    // Another program's eyes. Info-ZIP's own give up at paths of more than 4096 bytes.
    execFileSync('python3', ['-c', 'import sys,zipfile\nassert zipfile.ZipFile(sys.argv[1]).testzip() is None', join(folder, 'a.zip')]);
    for (const body of [kept, await buffer((await inflateArchive(join(folder, 'a.zip'), OPTIONS)).content)]) {
      clear();
      const answer = await agent.call('/_vessel/v1/workspace?links=keep', { method: 'PUT', body });
      expect([answer.status, answer.status === 200 ? '' : answer.body.toString()]).toEqual([200, '']);
      const after = list();
      expect(before.flatMap((tree, index) => differences(tree, after[index] ?? { ...tree, entries: {} }).map((found) => `tree ${tree.tree}: ${found}`))).toEqual([]);
      expect((await save()).equals(kept)).toBe(true);
    }
    // Exported and imported again: not a byte is lost of what an archive keeps.
    const imported = await importZip(join(folder, 'a.zip'), { ...OPTIONS, topFolder: 'keep' });
    expect((await buffer(imported.content)).equals(kept)).toBe(true);
    clear();
  }, 120_000);
});
