import { describe, expect, it } from 'vitest';
import { requireLiving, requireRunning, resolveProject } from './resolve-project.ts';
import { someProject } from './testing/test-runtime.ts';

const projects = [
  someProject('demo-k3f9', 'demo'), someProject('demo-two-a2b3', 'demo two'), someProject('shop-x1y2', 'Shop'), someProject('shop-z9z9', 'Shop'),
  someProject('old-q2w3', 'old', { deletedAt: 5 }),
];
const failure = (act: () => unknown): unknown => { try { act(); return null; } catch (error) { return error; } };

describe('a project named by a person', () => {
  it('is found by its id, its exact name, or a unique beginning of its id', () => {
    expect(resolveProject('shop-z9z9', projects).id).toBe('shop-z9z9');
    expect(resolveProject('demo', projects).id).toBe('demo-k3f9'); // the name wins over two ids that begin so
    expect(resolveProject('demo-t', projects).id).toBe('demo-two-a2b3');
  });

  it('is a conflict with its candidates when several fit', () => {
    expect(failure(() => resolveProject('Shop', projects))).toMatchObject({ code: 'CONFLICT', details: { candidates: [{ id: 'shop-x1y2' }, { id: 'shop-z9z9' }] } });
    expect(failure(() => resolveProject('de', projects))).toMatchObject({ code: 'CONFLICT' });
  });

  it('is not found with the nearest name, and nothing is found by an empty word', () => {
    expect(failure(() => resolveProject('dmeo', projects))).toMatchObject({ code: 'NOT_FOUND', hint: expect.stringContaining('"demo"') as string });
    expect(failure(() => resolveProject('', projects))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('may be a deleted one, which says how it comes back', () => {
    expect(failure(() => requireLiving(resolveProject('old', projects)))).toMatchObject({ code: 'NOT_FOUND', hint: expect.stringContaining('undelete old-q2w3') as string });
  });

  it('is refused with the fix when it is not open', () => {
    expect(failure(() => requireRunning(someProject('a-b2c3', 'a', { environment: null })))).toMatchObject({ code: 'ILLEGAL_TRANSITION', hint: expect.stringContaining('vessel open a-b2c3') as string });
  });
});
