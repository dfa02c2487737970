import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const PROGRAM = `
import { spawnSync } from 'node:child_process';
const { closeInheritedDescriptors } = await import(process.argv[1]);
const targets = () => spawnSync('sh', ['-c', 'readlink /proc/self/fd/*'], { encoding: 'utf8' }).stdout;
const before = targets().includes('/etc/hostname');
closeInheritedDescriptors();
console.log(JSON.stringify({ before, after: targets().includes('/etc/hostname') }));
`;

describe('what a shell had open', () => {
  it('does not reach what is started later', () => {
    const module = new URL('inherited-descriptors.ts', import.meta.url).href;
    // A descriptor of a number that Node leaves alone.
    const { stdout, stderr } = spawnSync('bash', ['-c', 'exec 40</etc/hostname; exec "$0" --input-type=module --eval "$1" -- "$2"', process.execPath, PROGRAM, module], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ before: true, after: false });
  });
});
