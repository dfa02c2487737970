import { describe, expect, it } from 'vitest';
import { makeProjectId, ProjectIdSchema } from './ids.ts';

const zeros = (bytes: number): Uint8Array => new Uint8Array(bytes);

describe('makeProjectId', () => {
  it.each([
    ['Shop API', 'shop-api-aaaa'],
    ['  Übergrößenträger  ', 'ubergro-entrager-aaaa'],
    ['🚀', 'project-aaaa'],
    ['a'.repeat(80), `${'a'.repeat(30)}-aaaa`],
    ['x--y', 'x-y-aaaa'],
  ])('turns %j into the DNS label %s', (name, id) => {
    expect(makeProjectId(name, zeros)).toBe(id);
    expect(ProjectIdSchema.safeParse(id).success).toBe(true);
  });

  it('leaves room for a port in front of it within one DNS label', () => {
    expect(`65535--${'a'.repeat(40)}`.length).toBeLessThanOrEqual(63);
    expect(ProjectIdSchema.safeParse('a'.repeat(41)).success).toBe(false);
  });

  it.each(['-a', 'a-', 'A', 'a.b', 'a--b', ''])('refuses %j as a project id', (id) => {
    expect(ProjectIdSchema.safeParse(id).success).toBe(false);
  });
});
