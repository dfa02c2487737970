import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const alias = {
  '#shared': path('electron/shared'),
  // Outside of Electron the package of that name only tries to download the program.
  electron: path('build/electron-stub/electron.mjs'),
};
const roots = '{electron,renderer,host-scripts,images,build}';
const exclude = ['**/node_modules/**', 'out/**'];

/** A cold boot under emulation takes 20 s and a whole journey several of them. */
const REAL_TEST_MS = 5 * 60_000;
/** What `expect.poll` waits for comes from other processes on a machine that may be busy; its own second was not enough for an editor's next frame. */
const POLL_MS = 20_000;

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias },
        test: {
          name: 'unit',
          include: [`${roots}/**/*.test.{ts,tsx}`],
          exclude: [...exclude, '**/*.real.test.ts'],
          environment: 'node',
          testTimeout: 20_000,
          hookTimeout: 20_000,
          expect: { poll: { timeout: 10_000 } },
          // One more than processors: many a test waits for a timer.
          maxWorkers: 3,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'real',
          include: [`${roots}/**/*.real.test.ts`],
          exclude,
          environment: 'node',
          testTimeout: REAL_TEST_MS,
          hookTimeout: REAL_TEST_MS,
          expect: { poll: { timeout: POLL_MS } },
          // Real tests share the machine's processors, ports and golden image: one file at a time in each of two lanes (build/lib/test-areas.mjs).
          fileParallelism: false,
          maxWorkers: 1,
          // What fails and passes again is told as such (build/lib/reporter.mjs): a reason to look, not to throw the run away.
          retry: 1,
          pool: 'forks',
          // Machines that come by themselves would be in the way of tests that count machines; its own tests ask for it.
          env: { VESSEL_STANDBY: 'off', VESSEL_PREPARE: '0' },
        },
      },
    ],
  },
});
