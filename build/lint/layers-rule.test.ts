import { RuleTester } from 'eslint';
import { describe, expect, it } from 'vitest';
import { forbidden, layersRule } from './layers-rule.ts';
import { LAYERS } from './layers.ts';

describe('the layer rules', () => {
  it.each([
    ['electron/shared/errors.ts', '../core/domain/x.ts', 'layer domain'],
    ['electron/shared/errors.ts', 'node:fs', 'Node built-in'],
    ['electron/shared/errors.ts', 'ws', 'package ws'],
    ['electron/core/domain/state.ts', '../ports/gateway.ts', 'layer ports'],
    ['electron/core/ports/gateway.ts', '../services/open.ts', 'layer services'],
    ['electron/core/services/open.ts', '../adapters/sqlite.ts', 'layer adapters'],
    ['electron/core/services/open.ts', 'httpxy', 'package httpxy'],
    ['electron/core/services/open.ts', 'electron', 'package electron'],
    ['electron/core/adapters/sqlite.ts', 'electron', 'package electron'],
    ['electron/core/adapters/sqlite.ts', '../services/open.ts', 'layer services'],
    ['electron/core/create-core.ts', 'electron', 'package electron'],
    ['electron/server/main.ts', 'electron', 'package electron'],
    ['electron/cli/main.ts', '../core/services/open.ts', 'layer services'],
    ['electron/main/index.ts', '../core/adapters/sqlite.ts', 'layer adapters'],
    ['electron/preload/index.ts', 'node:fs', 'Node built-in'],
    ['renderer/app.tsx', '../electron/core/create-core.ts', 'layer create-core'],
    ['renderer/app.tsx', 'node:path', 'Node built-in'],
    ['renderer/app.tsx', 'electron', 'package electron'],
    ['host-scripts/agent.ts', '../electron/core/domain/state.ts', 'layer domain'],
    ['images/guest-agent/main.ts', '../../host-scripts/agent.ts', 'layer host-scripts'],
    ['images/guest-agent/main.ts', 'yauzl', 'package yauzl'],
    ['electron/core/services/open.ts', 'fs', 'without its node: prefix'],
    ['electron/core/services/open.test.ts', '../adapters/sqlite.ts', 'layer adapters'],
    ['electron/core/services/open.ts', 'vitest', 'package vitest'],
    ['electron/core/services/open.ts', '../../../../etc/passwd', 'outside the repository'],
  ])('refuse %s importing %s', (file, specifier, reason) => {
    expect(forbidden(file, specifier)).toContain(reason);
  });

  it.each([
    ['electron/shared/contract.ts', 'zod'],
    ['electron/shared/contract.ts', './errors.ts'],
    ['electron/core/services/open.ts', '#shared/errors.ts'],
    ['electron/core/services/open.ts', '../domain/state.ts'],
    ['electron/core/adapters/sqlite.ts', 'node:sqlite'],
    ['electron/core/adapters/gateway/x.ts', 'httpxy'],
    ['electron/core/create-core.ts', './adapters/sqlite.ts'],
    ['electron/server/main.ts', '../core/create-core.ts'],
    ['electron/main/index.ts', 'electron'],
    ['electron/preload/index.ts', 'electron'],
    ['renderer/app.tsx', 'react-dom/client'],
    ['renderer/app.tsx', '#shared/contract.ts'],
    ['renderer/app.test.ts', 'node:fs'],
    ['host-scripts/agent.ts', '../images/recipe.ts'],
    ['electron/core/services/open.test.ts', 'vitest'],
    ['electron/core/services/open.real.test.ts', '../adapters/sqlite.ts'],
    ['build/e2e/journey.real.test.ts', '../../electron/core/services/open.ts'],
  ])('allow %s importing %s', (file, specifier) => {
    expect(forbidden(file, specifier)).toBeNull();
  });

  it('name only layers that exist', () => {
    const names = LAYERS.map((layer) => layer.name);
    for (const layer of LAYERS) expect(names).toEqual(expect.arrayContaining([...layer.may]));
  });

  it('report imports, re-exports and dynamic imports', () => {
    const tester = new RuleTester({ languageOptions: { ecmaVersion: 'latest', sourceType: 'module' } });
    const filename = '/house/electron/core/services/open.js';
    const options = [{ root: '/house' }];
    tester.run('layers', layersRule, {
      valid: [{ code: "import { x } from '../domain/x.ts';", filename, options }],
      invalid: [
        "import { x } from '../adapters/x.ts';", "export { x } from '../adapters/x.ts';", "export * from '../adapters/x.ts';", "await import('../adapters/x.ts');",
      ].map((code) => ({ code, filename, options, errors: [{ messageId: 'forbidden' }] })),
    });
  });
});
