import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { isAlive } from './process-alive.ts';

it('a process that was killed is not alive, also while its parent has not noticed', async () => {
  // exec: the shell becomes `sleep`, which never asks for its children.
  const parent = spawn('sh', ['-c', 'sleep 600 & echo $!; exec sleep 600'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [line] = await once(createInterface({ input: parent.stdout }), 'line') as [string];
    const pid = Number(line);
    expect(isAlive(pid)).toBe(true);
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => isAlive(pid)).toBe(false);
    expect(() => process.kill(pid, 0)).not.toThrow(); // still there, as a zombie
  } finally {
    parent.kill('SIGKILL');
  }
});
