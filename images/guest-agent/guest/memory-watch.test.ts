import { expect, it } from 'vitest';
import { killText, parseKills } from './memory-watch.ts';

const RECORDS = [
  '6,1234,5000000,-;usb 1-1: new device',
  '4,2000,90000000,-;node invoked oom-killer: gfp_mask=0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO), order=0, oom_score_adj=300',
  '3,2060,90500000,-;Out of memory: Killed process 4711 (node) total-vm:1056812kB, anon-rss:209412kB, file-rss:1024kB, shmem-rss:0kB, UID:1000 pgtables:1416kB oom_score_adj:300\n SUBSYSTEM=x',
  '3,2061,91000000,-;Memory cgroup out of memory: Killed process 12 (a (b) c) total-vm:10kB, anon-rss:2048kB, file-rss:0kB',
];

it('the kernel\'s log says what was ended, when, and how much it held', () => {
  expect(parseKills(RECORDS, 1_000_000)).toEqual([
    { pid: 4711, process: 'node', memoryBytes: 209_412 * 1024, at: 1_090_500 },
    { pid: 12, process: 'a (b) c', memoryBytes: 2048 * 1024, at: 1_091_000 },
  ]);
  expect(killText({ pid: 4711, process: 'node', memoryBytes: 209_412 * 1024, at: 0 })).toContain('ran out of memory, and the kernel ended node (process 4711, 205 MB)');
});
