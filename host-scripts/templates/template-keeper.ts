import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TIERS, TierSchema } from '#shared/project.ts';
import type { Tier } from '#shared/project.ts';
import type { TemplateAbility, WorkContext } from '../drivers/driver.ts';
import { isLocked, withFileLock } from '../system/file-lock.ts';
import { isMapped } from './mapped.ts';
import type { TemplateStore } from './template-store.ts';

const tiers = Object.keys(TIERS).map((name) => TierSchema.parse(name));
const BLOCK_BYTES = 512;

export type TemplateKeeperOptions<Runtime extends { readonly templateKey: (tier: Tier) => string }> = {
  readonly store: TemplateStore;
  readonly runtime: (purpose: 'start' | 'look', signal: AbortSignal) => Promise<Runtime>;
  /** Clears away what interrupted builds left; the caller holds the lock of the key. */
  readonly sweep: (key: string) => Promise<void>;
  /** Builds and publishes. Isolation must hold before any guest runs, also one that becomes a template. */
  readonly build: (runtime: Runtime, tier: Tier, context: WorkContext) => Promise<void>;
};

/** Builds templates once for all processes, says which are usable, and removes those that nothing uses any more. */
export function templateKeeper<Runtime extends { readonly templateKey: (tier: Tier) => string }>(options: TemplateKeeperOptions<Runtime>): TemplateAbility {
  const { store } = options;

  async function removeStale(runtime: Runtime): Promise<void> {
    const current = tiers.map((tier) => runtime.templateKey(tier));
    for (const key of await store.keys()) {
      if (!current.includes(key) && !await isMapped(join(store.directory(key), store.files.memory))) await store.discard(key);
    }
  }

  async function diskBytes(key: string): Promise<number> {
    const sizes = await Promise.all([store.files.memory, store.files.disk, store.files.state].map(async (name) => (await stat(join(store.directory(key), name))).blocks * BLOCK_BYTES));
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  return {
    async ensureTemplate(tier: Tier, context: WorkContext): Promise<boolean> {
      const runtime = await options.runtime('start', context.signal);
      const key = runtime.templateKey(tier);
      if ((await store.lookup(key)).template !== null) return false;
      await mkdir(store.root, { recursive: true, mode: 0o711 });
      return withFileLock(store.lockPath(key), context.signal, async () => {
        if ((await store.lookup(key)).template !== null) return false;
        await options.sweep(key);
        await options.build(runtime, tier, context);
        await removeStale(runtime);
        return true;
      });
    },
    async templateStates() {
      const runtime = await options.runtime('look', new AbortController().signal);
      const present = await Promise.all((await store.keys()).map((key) => store.lookup(key)));
      return Promise.all(tiers.map(async (tier) => {
        const key = runtime.templateKey(tier);
        const found = await store.lookup(key);
        if (found.template !== null) return { tier, state: 'ready' as const, bytes: await diskBytes(key), builtAt: found.template.meta.builtAt };
        const state = await isLocked(store.lockPath(key)) ? 'building' as const
          : found.why !== 'there is none' || present.some(({ template }) => template?.meta.tier === tier) ? 'stale' as const : 'missing' as const;
        return { tier, state, bytes: 0, builtAt: null };
      }));
    },
  };
}
