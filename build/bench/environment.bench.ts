// Clone, cold boot and memory of an idle environment, beside a Docker container of the same IDE from the same root, in one run.
import { join } from 'node:path';
import { dockerPeer, memoryOf, type Memory } from './docker-peer.ts';
import { benchHost, cacheFolder, ideAnswers, ideOfImage, note, processesOfVm, rounds } from './host.ts';
import { repeat, stats, type Stats } from './stats.ts';

/** Until an environment is as quiet as it gets: the agent's and the IDE's own start-up work has ended. */
const SETTLE_MS = 8_000;
const COLD_DEADLINE_MS = 180_000;
const READY_POLL_MS = 200;
/** Each with its shim and port proxy, as an environment is measured with its network helper: a container that lives alone, and one of two, which share the pages of their files. */
type ContainerMemory = { readonly processesAlone: Memory; readonly alone: Memory; readonly oneOfTwo: Memory };
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

// Made at once when it is asked for: its making is not what is measured.
process.env['VESSEL_STANDBY'] = 'eager';
const host = await benchHost();
let container: { readonly startMs: Stats; readonly memory: ContainerMemory } | { readonly skipped: string };
try {
  const imageKey = host.facts.image?.key ?? '';
  const root = join(cacheFolder(), 'images', imageKey, 'root.img');
  const runs = rounds();
  const start = (mode: 'auto' | 'clone' | 'cold') => async (round: number): Promise<string> => {
    const id = `bench-${mode}-${round}`;
    const started = await host.link.request('start', { id, mode, deadlineMs: COLD_DEADLINE_MS });
    await ideAnswers(host, started);
    return id;
  };
  const stop = async (id: string): Promise<void> => { await host.link.request('stop', { id }); };

  note('clone to IDE answering');
  await stop(await start('clone')(999)); // the first run after a pause reads the template from disk
  const clone = stats(await repeat(runs, start('clone'), stop));
  note(`clone ${clone.median} ms`);

  note('the clone that is kept ready to IDE answering');
  const keepReady = async (): Promise<void> => {
    await host.link.request('standby', { tier: 'medium' });
    while ((await host.link.request('facts', {})).standby !== 'ready') await pause(READY_POLL_MS);
  };
  await keepReady();
  const kept = stats(await repeat(runs, start('auto'), async (id) => { await stop(id); await keepReady(); }));
  await host.link.request('standby', { tier: null });
  note(`kept ${kept.median} ms`);

  // A second clone stays alive: the template's pages count as shared only while somebody shares them.
  const companion = await start('clone')(997);
  const idle = await start('clone')(998);
  await pause(SETTLE_MS);
  const memory = await memoryOf(await processesOfVm(host, idle));
  await stop(idle);
  await stop(companion);

  const ide = await ideOfImage(root);
  const peer = await dockerPeer({
    rootImage: root, healthPath: ide.healthPath, log: note,
    env: ide.env,
    argv: (port) => ide.argv.map((argument) => argument.replace(`127.0.0.1:${ide.port}`, `0.0.0.0:${port}`)),
  });
  if (typeof peer === 'string') container = { skipped: peer };
  else {
    try {
      await peer.remove((await peer.start()).id);
      note('container to IDE answering');
      const startMs = stats(await repeat(runs, () => peer.start(), ({ id }) => peer.remove(id)));
      note(`container ${startMs.median} ms`);
      const { id } = await peer.start();
      await pause(SETTLE_MS);
      const own = await peer.processes(id);
      const all = [...own, ...await peer.helpers(id)];
      const [processesAlone, alone] = [await memoryOf(own), await memoryOf(all)];
      const second = await peer.start(1);
      await pause(SETTLE_MS);
      container = { startMs, memory: { processesAlone, alone, oneOfTwo: await memoryOf(all) } };
      await peer.remove(second.id);
      await peer.remove(id);
    } finally {
      await peer.dispose();
    }
  }

  note('cold boot to IDE answering');
  const cold = stats(await repeat(runs, start('cold'), stop));
  const ratio = (ours: number, theirs: number): number => Math.round(ours / theirs * 100) / 100;
  process.stdout.write(`${JSON.stringify({
    accelerator: host.facts.accelerator, image: imageKey,
    keptToAnsweringMs: kept, cloneToAnsweringMs: clone, coldToAnsweringMs: cold, idleMemory: memory, container,
    ratios: 'skipped' in container ? null : {
      keptToContainer: ratio(kept.median, container.startMs.median),
      cloneToContainer: ratio(clone.median, container.startMs.median),
      privateMemoryToContainerAlone: ratio(memory.privateMiB, container.memory.alone.privateMiB),
      privateMemoryToOneOfTwoContainers: ratio(memory.privateMiB, container.memory.oneOfTwo.privateMiB),
      proportionalMemoryToContainerAlone: ratio(memory.proportionalMiB, container.memory.alone.proportionalMiB),
      coldToClone: ratio(cold.median, clone.median),
    },
  })}\n`);
} finally {
  await host.dispose();
}
