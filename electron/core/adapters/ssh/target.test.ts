import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';
import { quoteCommand } from './quote.ts';
import { formatTarget, parseTarget } from './target.ts';

describe('a target', () => {
  it.each([
    ['box', null, 'box', null], ['ada@box', 'ada', 'box', null], ['ada@box:2222', 'ada', 'box', 2222], ['ada@corp@box', 'ada@corp', 'box', null],
    ['::1', null, '::1', null], ['ada@fe80::1%eth0', 'ada', 'fe80::1%eth0', null], ['ada@[::1]:22', 'ada', '::1', 22], ['[::1]', null, '::1', null],
    ['ssh://ada@box:2222', 'ada', 'box', 2222], ['ssh://box/', null, 'box', null], ['SSH://a%40b@[::1]:7', 'a@b', '::1', 7], ['  box  ', null, 'box', null],
  ])('%s is taken apart', (text, user, host, port) => {
    expect(parseTarget(text)).toEqual({ user, host, port });
    expect(parseTarget(formatTarget(parseTarget(text)))).toEqual({ user, host, port });
  });

  it.each(['', '@box', 'ada@', 'box:0', 'box:65536', 'box:ssh', '-oProxyCommand=x', 'ada@-x', 'a b', 'ssh://box/path', 'ada:secret@box', 'ssh://%zz@box', 'box:', 'a\u0000b'])('%j is refused', (text) => {
    expect(() => parseTarget(text)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});

describe('a quoted command', () => {
  it('comes out of a POSIX shell as it went in', () => {
    const words = ['', 'plain-word_1.2/3', "it's", '$HOME `id` $(id)', '\\', 'a\nb', '*?[]', '~', 'A=b', '-n', 'ü', "'''", '!', '&&', '|', '>x', '#', '{a,b}', '\t'];
    const out = execFileSync('sh', ['-c', quoteCommand([process.execPath, '-e', 'process.stdout.write(JSON.stringify(process.argv.slice(1)))', '--', ...words])], { encoding: 'utf8' });
    expect(JSON.parse(out)).toEqual(words);
  });

  it('cannot be made of nothing, nor hold a NUL', () => {
    expect(() => quoteCommand([])).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    expect(() => quoteCommand(['a\0b'])).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});

describe('the wait before the next attempt', () => {
  it('doubles up to half a minute and is never less than half of that', () => {
    expect([1, 2, 3, 20].map((attempt) => backoffMs(attempt, 1))).toEqual([500, 1000, 2000, 30_000]);
    expect([1, 2, 3, 20].map((attempt) => backoffMs(attempt, 0))).toEqual([250, 500, 1000, 15_000]);
  });
});
