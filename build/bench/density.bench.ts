// Twenty environments alive at once: does the last open as fast as the first, and what does each cost?
import { memoryOf } from './docker-peer.ts';
import { benchHost, ideAnswers, note, processesOfVm } from './host.ts';
import { stats, timed } from './stats.ts';

const ENVIRONMENTS = 20;
const SETTLE_MS = 8_000;

const host = await benchHost();
try {
  const ids = Array.from({ length: ENVIRONMENTS }, (_, index) => `dense-${index}`);
  await host.link.request('start', { id: 'dense-warm' });
  await host.link.request('stop', { id: 'dense-warm' });
  const sample: number[] = [];
  for (const id of ids) {
    const { ms } = await timed(async () => ideAnswers(host, await host.link.request('start', { id, mode: 'clone' })));
    sample.push(ms);
    note(`${id} ${Math.round(ms)} ms`);
  }
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const costs = [];
  for (const id of ids) costs.push(await memoryOf(await processesOfVm(host, id)));
  const half = ENVIRONMENTS / 2;
  process.stdout.write(`${JSON.stringify({
    alive: ENVIRONMENTS, startMs: stats(sample), firstTenMs: stats(sample.slice(0, half)), lastTenMs: stats(sample.slice(half)),
    lastToFirst: Math.round(stats(sample.slice(half)).median / stats(sample.slice(0, half)).median * 100) / 100,
    privateMiB: stats(costs.map((cost) => cost.privateMiB)), proportionalMiB: stats(costs.map((cost) => cost.proportionalMiB)),
  })}\n`);
} finally {
  await host.dispose();
}
