import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRoot } from './sshd.ts';

/** A user of this computer that exists for one test file. Only root can make one. */
export type TestUser = { readonly name: string; readonly password: string; readonly home: string; remove(): void };

export const whyNoTestUser = (): string | null => isRoot ? null : 'only root can make a user to log in as';

export function makeTestUser(options: { readonly bashrc?: string } = {}): TestUser {
  const name = `vt${process.pid}x${Math.floor(Math.random() * 10_000)}`;
  const home = `/var/tmp/${name}`;
  const password = `pw-${Math.random().toString(36).slice(2)}`;
  execFileSync('useradd', ['--create-home', '--home-dir', home, '--shell', '/bin/bash', name]);
  execFileSync('chpasswd', [], { input: `${name}:${password}\n` });
  if (options.bashrc !== undefined) writeFileSync(join(home, '.bashrc'), options.bashrc);
  return { name, password, home, remove: () => {
    // --force: its session may be ending just now.
    execFileSync('userdel', ['--force', name], { stdio: 'ignore' });
    rmSync(home, { recursive: true, force: true });
  } };
}
