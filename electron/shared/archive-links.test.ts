import { describe, expect, it } from 'vitest';
import { linkEnds } from './archive-links.ts';

const ends = (targets: Readonly<Record<string, string>>): Readonly<Record<string, string>> => Object.fromEntries(linkEnds(new Map(Object.entries(targets))));

describe('where links of an archive lead', () => {
  it.each([
    ['inside', 'l', { l: 'a' }], ['inside', 'a/l', { 'a/l': '../b' }], ['inside', 'a/l', { 'a/l': '..' }], ['inside', 'l', { l: '.' }],
    ['inside', 'l', { l: 'nothing/here/../..' }], ['inside', 'l', { l: 'm', m: 'n/o' }], ['inside', 'l', { l: 'a//b/./c/' }],
    ['out', 'l', { l: '..' }], ['out', 'l', { l: '/etc/passwd' }], ['out', 'l', { l: '/' }], ['out', 'a/l', { 'a/l': '../..' }], ['out', 'l', { l: 'x/../../y' }],
    ['out', 'l', { l: 'm', m: '/etc' }], ['out', 'l', { l: 'm/passwd', m: '/etc' }],
    // Counted, these seem to stay inside.
    ['out', 'up', { 'a/s': '..', up: 'a/s/../x' }], ['out', 'up', { 'a/s': '..', up: 'a/s/../../..' }], ['out', 'p/up', { here: '.', 'p/up': '../here/../x' }],
    ['out', 'up', { 'a/b/c/s': '../..', up: 'a/b/c/s/../../x' }], ['out', 'up', { up: 'one/../..', one: 'a', 'a/x': '.' }],
    ['out', 'd/l', { 'd/l': 'm/../../../..', 'd/m': 'n', 'd/n': 'o/p' }],
    // And this one seems to leave.
    ['inside', 'x', { s: 'a/b/c', x: 's/../../..' }],
    ['endless', 'l', { l: 'l' }], ['endless', 'l', { l: 'm', m: 'l' }], ['endless', 'l', { l: 'm', m: 'm/x' }],
  ])('%s: %s of %j', (kind, path, targets) => {
    expect(ends(targets)[path]).toBe(kind);
  });

  it('are followed as often as the kernel does, and no oftener', () => {
    const chain = (length: number): Record<string, string> => Object.fromEntries(Array.from({ length }, (_, index) => [`l${index}`, index === length - 1 ? 'end' : `l${index + 1}`]));
    expect(ends(chain(40))['l0']).toBe('inside');
    expect(ends(chain(41))['l0']).toBe('endless');
    expect(ends({ ...chain(41), up: 'l1/../..' })).toMatchObject({ l1: 'inside', up: 'endless' });
  });

  it('take no more time than their length asks for, however they are built', () => {
    const long = 'd/'.repeat(1900);
    const targets = new Map(Array.from({ length: 5000 }, (_, index) => [`${long}l${index}`, `${'x/'.repeat(900)}${'../'.repeat(900)}l${index + 1}`]));
    const began = performance.now();
    expect(linkEnds(targets).get(`${long}l4999`)).toBe('inside');
    // Nine million steps; a quadratic walk would take minutes.
    expect(performance.now() - began).toBeLessThan(15_000);
  });
});
