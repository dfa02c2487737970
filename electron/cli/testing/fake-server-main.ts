import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { VesselError } from '#shared/errors.ts';
import { startFakeVessel } from './fake-vessel.ts';

/** A server process for tests of the background start: notes every start in `$VESSEL_HOME/starts`, is slow to be ready, ends on `app.quit`. */
const home = process.env['VESSEL_HOME'] ?? '';
appendFileSync(`${home}/starts`, `${process.pid} ${process.argv.slice(2).join(' ')}\n`);
if (existsSync(`${home}/refuse`)) {
  console.error('the disk is on fire');
  process.exit(3);
}
await sleep(300);
const startedAt = Date.now();
const vessel = await startFakeVessel(home, {
  calls: {
    'app.info': async () => ({
      version: '0.0.0', pid: process.pid, home, cache: '/nowhere', baseUrl: `http://vessel.localhost:${vessel.port}`, gatewayPort: vessel.port,
      node: process.version, uptimeMs: Date.now() - startedAt, runningEnvironments: 0,
    }),
    'app.url': async () => ({ url: `http://vessel.localhost:${vessel.port}/?ticket=t` }),
    'projects.list': async () => ({ projects: [] }),
    'environments.orphans': async () => ({ orphans: [] }),
    'app.quit': async ({ force }) => {
      if (existsSync(`${home}/busy`) && !force) throw new VesselError('BUSY', 'one environment runs');
      setTimeout(() => { void vessel.close().then(() => process.exit(0)); }, 50);
      return { ok: true };
    },
  },
});
process.on('SIGTERM', () => { void vessel.close().then(() => process.exit(0)); });
