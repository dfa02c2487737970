import { describe, expect, it } from 'vitest';
import { codeServer } from '../ide/code-server.ts';
import { goldenImageKey } from './inputs.ts';
import type { ImageInputs } from './inputs.ts';
import { hashInputs } from './layer.ts';
import { bootstrapArgv } from './mmdebstrap.ts';
import { ideLayerKey } from './ide-layer.ts';
import { systemLayerKey } from './system-layer.ts';

const inputs: ImageInputs = {
  distribution: { id: 'debian', suite: 'bookworm', version: '12' },
  sources: [{ uri: 'http://a.example', suite: 'bookworm', components: ['main'], signedBy: null, trusted: false }],
  trust: { bundle: '', extraForNode: '', local: {}, hash: 'one' },
  registry: 'http://registry.example/',
  ide: codeServer,
  guestAgentSource: 'agent 1',
};

describe('the key of a golden image', () => {
  it('changes with each input that changes the content', () => {
    const keys = [
      inputs, { ...inputs, guestAgentSource: 'agent 2' }, { ...inputs, distribution: { ...inputs.distribution, suite: 'trixie' } },
      { ...inputs, trust: { ...inputs.trust, hash: 'two' } }, { ...inputs, ide: { ...codeServer, version: '9.9.9' } }, { ...inputs, registry: 'http://other.example/' },
    ].map(goldenImageKey);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
  });

  it('does not change with the mirror that the packages come from', () => {
    expect(goldenImageKey({ ...inputs, sources: [{ ...inputs.sources[0]!, uri: 'http://b.example' }] })).toBe(goldenImageKey(inputs));
  });

  it('keeps the costly layers when only the agent changes', () => {
    const changed = { ...inputs, guestAgentSource: 'agent 2' };
    expect(systemLayerKey(changed)).toBe(systemLayerKey(inputs));
    expect(ideLayerKey(changed)).toBe(ideLayerKey(inputs));
  });

  it('hashes objects by content, whatever the order of their fields', () => {
    expect(hashInputs({ a: 1, b: [1, { c: 2, d: 3 }] })).toBe(hashInputs({ b: [1, { d: 3, c: 2 }], a: 1 }));
    expect(hashInputs([1, 2])).not.toBe(hashInputs([2, 1]));
  });
});

describe('the plan of a tree', () => {
  it('uses root when it has it and a user namespace otherwise', () => {
    const plan = { distribution: inputs.distribution, sources: inputs.sources, packages: ['git', 'curl'], hooks: ['sync-in a b'], output: null };
    expect(bootstrapArgv({ ...plan, root: true })).toContain('--mode=root');
    expect(bootstrapArgv({ ...plan, root: false })).toEqual(expect.arrayContaining(['--mode=unshare', '--include=git,curl', '--customize-hook=sync-in a b', '--format=null', 'bookworm', '/dev/null', '-']));
  });
});
