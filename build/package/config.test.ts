import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';

const require = createRequire(import.meta.url);
const { validateConfiguration } = require('app-builder-lib/out/util/config/config') as { readonly validateConfiguration: (config: unknown, debug: unknown) => Promise<void> };
const { DebugLogger } = require('builder-util') as { readonly DebugLogger: new (enabled: boolean) => unknown };

const read = (): Record<string, unknown> => load(readFileSync(fileURLToPath(new URL('../../electron-builder.yml', import.meta.url)), 'utf8')) as Record<string, unknown>;
const validate = (config: unknown): Promise<void> => validateConfiguration(config, new DebugLogger(false));

describe('electron-builder.yml', () => {
  it('is refused by the schema when a key is misspelt, so the next test means something', async () => {
    await expect(validate({ ...read(), lnux: {} })).rejects.toThrow(/lnux/);
  });

  it('fits the schema of the installed electron-builder', async () => {
    await validate(read());
  });

  it('makes AppImage and deb, dmg, nsis, and publishes nowhere', () => {
    const config = read() as { readonly linux: { readonly target: unknown }; readonly mac: { readonly target: unknown }; readonly win: { readonly target: unknown }; readonly publish: unknown };
    expect([config.linux.target, config.mac.target, config.win.target, config.publish]).toEqual([['AppImage', 'deb'], ['dmg'], ['nsis'], null]);
  });

  it('sets every fuse of the program: from outside nothing can be switched on but plain Node, as which the server runs', () => {
    expect(read()['electronFuses']).toEqual({
      runAsNode: true, enableCookieEncryption: true, enableNodeOptionsEnvironmentVariable: false, enableNodeCliInspectArguments: false,
      enableEmbeddedAsarIntegrityValidation: true, onlyLoadAppFromAsar: true, loadBrowserProcessSpecificV8Snapshot: false, grantFileProtocolExtraPrivileges: false,
    });
  });
});
