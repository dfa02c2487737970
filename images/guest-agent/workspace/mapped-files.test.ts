import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WorkspaceOutSummarySchema, type GuestActivity, type WorkspaceOutSummary } from '#shared/guest-protocol.ts';
import { startTestAgent, type TestAgent } from '../testing/start-agent.ts';

/** From linux/magic.h. A file system in memory does not date what is written through a map; a guest's disk does. */
const TMPFS_MAGIC = 0x0102_1994;

let agent: TestAgent;
beforeAll(async () => { agent = await startTestAgent({ parent: tmpdir() }); });
afterAll(async () => { await agent.stop(); });

async function save(): Promise<{ readonly zip: Buffer; readonly summary: WorkspaceOutSummary }> {
  const answer = await agent.call('/_vessel/v1/workspace/save', { method: 'POST', body: JSON.stringify({ exclude: { preset: 'safe', rules: [] } }) });
  return { zip: answer.body, summary: WorkspaceOutSummarySchema.parse(JSON.parse(Buffer.from(answer.trailers['x-vessel-summary'] ?? '', 'base64url').toString())) };
}
const activity = (): Promise<GuestActivity> => agent.json('/_vessel/v1/activity');
const look = (): Promise<GuestActivity> => agent.json('/_vessel/v1/activity?look=1');

const MAPPED_WRITER = `
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
int main(int count, char **words) {
  char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, open(words[1], O_RDWR), 0);
  for (int letter; (letter = getchar()) != EOF;) { page[0] = (char) letter; puts("written"); fflush(stdout); }
  return page == MAP_FAILED;
}`;

test('what is written through a memory map is seen by a look, also where its page was written before the save', async (context) => {
  context.skip(statfsSync(agent.workspace).type === TMPFS_MAGIC, 'the folder for temporary files is in memory, where writes through a map leave no trace');
  const file = join(agent.workspace, 'mapped');
  writeFileSync(file, Buffer.alloc(4096, 'a'));
  const program = join(agent.workspace, '..', 'mapped-writer');
  execFileSync('gcc', ['-x', 'c', '-o', program, '-'], { input: MAPPED_WRITER });
  const writer = spawn(program, [file], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const write = async (letter: string): Promise<void> => {
      writer.stdin.write(letter);
      await once(writer.stdout, 'data');
    };
    await write('b');
    const { changeCounter } = (await save()).summary;
    expect((await look()).changeCounter).toBe(changeCounter);
    await write('c');
    // The kernel tells nobody: this is what a save has to look for itself.
    expect((await activity()).changeCounter).toBe(changeCounter);
    expect((await look()).changeCounter).toBeGreaterThan(changeCounter);
    const again = await save();
    expect(again.zip.includes(Buffer.from('caaa'))).toBe(true);
    expect((await look()).changeCounter).toBe(again.summary.changeCounter);
    // What the kernel reported and a save carried counts once, whatever looks there were.
    writeFileSync(join(agent.workspace, 'plain'), 'text');
    const plain = await save();
    expect((await look()).changeCounter).toBe(plain.summary.changeCounter);
    // What came in with an archive has a base of its own.
    for (const name of readdirSync(agent.workspace)) rmSync(join(agent.workspace, name));
    expect((await agent.call('/_vessel/v1/workspace?links=keep', { method: 'PUT', body: again.zip })).status).toBe(200);
    const opened = (await activity()).changeCounter;
    expect((await look()).changeCounter).toBe(opened);
  } finally {
    writer.stdin.end();
    await once(writer, 'exit');
  }
});
