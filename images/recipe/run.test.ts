import { expect, it } from 'vitest';
import { environmentOf, run } from './run.ts';

it('keeps the folders of the npm that started us from the tools, and the way to packages', async () => {
  const given = { PATH: process.env['PATH'], npm_config_cache: '/somewhere/.npm', npm_config_prefix: '/usr', npm_lifecycle_event: 'test', npm_config_registry: 'http://localhost:1/', npm_config_https_proxy: 'http://localhost:2/' };
  expect(environmentOf(given)).toEqual({ PATH: process.env['PATH'], npm_config_registry: 'http://localhost:1/', npm_config_https_proxy: 'http://localhost:2/' });
  process.env['npm_config_cache'] = '/somewhere/.npm';
  try {
    expect(await run([process.execPath, '-p', 'String(process.env.npm_config_cache)'], { what: 'Looking' })).toContain('undefined');
  } finally {
    delete process.env['npm_config_cache'];
  }
});
