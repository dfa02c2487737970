import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { damagedRevisions, endHome, inside } from './home.ts';
import { differences, oddTrees, type ListedTree } from './odd-trees.ts';
import { finish, startVessel, type RunningVessel } from './vessel.ts';

/** More with VESSEL_TREES; the same again with VESSEL_TREES_SEED. */
const TREES = Number(process.env['VESSEL_TREES'] ?? 500);
const SEED = process.env['VESSEL_TREES_SEED'] ?? randomBytes(4).toString('hex');

describe('what a workspace holds', () => {
  let vessel: RunningVessel;
  let projectId: string;
  const run = async (verb: 'open' | 'close' | 'save'): Promise<void> => { await finish(vessel.client, (await vessel.client.call(`environments.${verb}`, { projectId })).operationId); };
  const guest = (...argv: readonly string[]): Promise<string> => inside(vessel.client, projectId, argv);
  const list = async (): Promise<readonly ListedTree[]> => (await guest(...oddTrees('list', SEED, 0, TREES))).trim().split('\n').map((line) => JSON.parse(line) as ListedTree);

  beforeAll(async () => {
    vessel = await startVessel();
    projectId = (await vessel.client.call('projects.create', { name: 'whole', template: 'blank' })).id;
    await run('open');
  });
  afterAll(async () => {
    await vessel.stop();
    await endHome(vessel.home);
  });

  it('comes back after Save & Exit when its user may not read it, with its owners, modes, and a name that another system would not allow', async () => {
    await guest('sh', '-c', String.raw`echo a>r; sudo chown root r; sudo chmod 600 r; echo b>z; chmod 000 z; mkdir db; echo c>db/f; sudo chown -R 999 db; sudo chmod 700 db; echo d > 'C:\temp\log.txt'`);
    await run('close');
    await run('open');
    expect(await guest('sh', '-c', String.raw`stat -c '%n %u %a' r z db 'C:\temp\log.txt'; sudo stat -c '%n %u %a' db/f; sudo cat r z db/f 'C:\temp\log.txt'`))
      .toBe(String.raw`r 0 600${'\n'}z 1000 0${'\n'}db 999 700${'\n'}C:\temp\log.txt 1000 644${'\n'}db/f 999 644${'\n'}a${'\n'}b${'\n'}c${'\n'}d${'\n'}`);
  });

  it('comes back as a program left it that writes through a memory map, which the kernel reports to nobody', async () => {
    const write = (letter: string): Promise<string> => guest('python3', '-c', `import mmap\nf = open("rows", "r+b")\nm = mmap.mmap(f.fileno(), 4096)\nm[0] = ord("${letter}")\nm.close()`);
    await guest('sh', '-c', 'sudo rm -rf ./*; head -c 4096 /dev/zero > rows');
    await run('save');
    await write('x');
    await run('close');
    await run('open');
    expect(await guest('head', '-c', '1', 'rows')).toBe('x');
    // Also where nothing was saved since the environment was opened.
    await write('y');
    await run('close');
    await run('open');
    expect(await guest('head', '-c', '1', 'rows')).toBe('y');
  });

  it('is refused before it is read when it is too large, with the file that makes it so; holes come back as holes, in seconds', async () => {
    await guest('sh', '-c', 'sudo rm -rf ./*; truncate -s 5G f');
    await expect(run('save')).rejects.toMatchObject({ code: 'ARCHIVE_TOO_LARGE', message: expect.stringContaining('"f" (5.4 GB)') as unknown });
    await guest('sh', '-c', 'rm f; truncate -s 1200M g; printf x | dd of=g bs=1 seek=629145600 conv=notrunc; sync g');
    const began = performance.now();
    await run('close');
    await run('open');
    expect(performance.now() - began).toBeLessThan(60_000);
    const [size, blocks, letter] = (await guest('sh', '-c', `stat -c '%s %b' g; tail -c +629145601 g | head -c 1`)).trim().split(/\s+/);
    expect([size, letter]).toEqual(['1258291200', 'x']);
    expect(Number(blocks)).toBeLessThan(64);
  });

  it('is not given up when a file cannot be read even by root; it is named', async () => {
    // Reading the memory of a process at address 0 is an input/output error.
    await guest('sh', '-c', 'sudo umount bad/m 2>/dev/null; sudo rm -rf ./*; mkdir bad; touch bad/m; sudo mount --bind /proc/1/mem bad/m');
    await expect(run('close')).rejects.toMatchObject({ code: 'SAVE_INCOMPLETE', message: expect.stringContaining('"bad/m" cannot be read (EIO)') as unknown });
    await guest('sh', '-c', 'sudo umount bad/m; rm -r bad');
    await run('save');
  });

  it(`comes back byte for byte from ${TREES} trees of every sort (seed ${SEED})`, async () => {
    await guest('sh', '-c', 'sudo umount bad/m 2>/dev/null; sudo rm -rf ./*');
    await guest(...oddTrees('make', SEED, 0, TREES));
    const before = await list();
    await run('close');
    expect(await damagedRevisions(vessel.client, vessel.home, projectId)).toEqual([]);
    await run('open');
    const after = new Map((await list()).map((tree) => [tree.tree, tree]));
    expect(before.length).toBe(TREES);
    // The smallest tree that differs tells most.
    const broken = before.map((tree) => ({ tree, found: differences(tree, after.get(tree.tree) ?? { ...tree, entries: {} }) })).filter(({ found }) => found.length > 0)
      .sort((a, b) => Object.keys(a.tree.entries).length - Object.keys(b.tree.entries).length);
    const [worst] = broken;
    if (worst === undefined) return;
    const how = await guest(...oddTrees('describe', SEED, worst.tree.tree, worst.tree.tree + 1));
    expect.fail(`${broken.length} trees differ. VESSEL_TREES_SEED=${SEED}, tree ${worst.tree.tree}:\n${worst.found.slice(0, 10).join('\n')}\nmade as ${how}`);
  });

  it('is not given up when it lies deeper than an archive may, and the place is named', async () => {
    await guest('sh', '-c', `sudo rm -rf ./*; python3 -c 'import os\nfor _ in range(1002): os.mkdir("d"); os.chdir("d")'`);
    await expect(run('close')).rejects.toMatchObject({ code: 'SAVE_INCOMPLETE', message: expect.stringContaining('folders deep') as unknown });
    await guest('sh', '-c', 'rm -r d');
    await run('save');
  });
});
