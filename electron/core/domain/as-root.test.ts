import { describe, expect, it } from 'vitest';
import { asRoot } from './as-root.ts';

describe('a command as root', () => {
  const on = (sudo: 'root' | 'passwordless' | 'password' | 'absent', password = false): readonly string[] => asRoot({ sudo, user: 'ada', hostname: 'box' }, ['id', '-u'], { password });
  it('is the command itself, or goes through sudo, which never prompts by itself', () => {
    expect([on('root'), on('passwordless'), on('password', true)]).toEqual([['id', '-u'], ['sudo', '-n', '--', 'id', '-u'], ['sudo', '-k', '-S', '-p', '', '--', 'id', '-u']]);
  });
  it('is refused where there is no way', () => {
    for (const [sudo, code] of [['absent', 'SUDO_UNAVAILABLE'], ['password', 'SUDO_PASSWORD_NEEDED']] as const) expect(() => on(sudo)).toThrow(expect.objectContaining({ code, details: { user: 'ada', hostname: 'box', sudo } }));
  });
});
