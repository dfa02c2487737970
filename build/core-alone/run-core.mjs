// Starts core from its sources on plain Node, asks it something, ends it. Any look at `electron` is fatal.
import { registerHooks } from 'node:module';

const seen = [];
registerHooks({
  resolve: (specifier, context, next) => {
    if (/^electron($|\/)/.test(specifier)) throw new Error(`core asked for electron from ${context.parentURL}`);
    const found = next(specifier, context);
    seen.push(found.url);
    return found;
  },
});
const [home] = process.argv.slice(2);
const { createCore } = await import('../../electron/core/create-core.ts');
const core = await createCore({ home, cache: `${home}/cache`, port: 0, agentCommand: [process.execPath, '-e', '0'], driver: 'process', log: () => undefined });
try {
  const { projects } = await core.handlers.calls['projects.list']({ includeDeleted: false }, { signal: new AbortController().signal });
  process.stdout.write(JSON.stringify({ projects, electron: process.versions.electron ?? null, modules: seen.filter((url) => url.includes('/electron/core/')).length }));
} finally {
  await core.dispose();
}
