import { expect, it } from 'vitest';
import { codeServer } from '../../images/ide/code-server.ts';
import { openvscodeServer } from '../../images/ide/openvscode-server.ts';
import { HEALTH_PATHS } from '../../electron/core/adapters/ide-probe/probe-ide.ts';

it('asks each IDE what its adapter says it answers', () => {
  expect(HEALTH_PATHS).toEqual(Object.fromEntries([codeServer, openvscodeServer].map(({ name, healthPath }) => [name, healthPath])));
});
