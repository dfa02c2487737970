import { CA_BUNDLE, ENVIRONMENT_FILE, GUEST_ENVIRONMENT, GUEST_NETWORK, GUEST_USER, WORKSPACE_DIR } from './guest-layout.ts';

export type SystemFile = { readonly path: string; readonly mode: number; readonly text: string };

const sourceEnvironment = `[ -r ${ENVIRONMENT_FILE} ] && . ${ENVIRONMENT_FILE}\n`;

/** Configuration of the guest's system, made of constants only; `registry` is the host's npm setting. */
export function systemFiles(registry: string): readonly SystemFile[] {
  return [
    { path: '/etc/environment', mode: 0o644, text: Object.entries(GUEST_ENVIRONMENT).map(([name, value]) => `${name}=${value}\n`).join('') },
    { path: '/etc/fstab', mode: 0o644, text: '# The initramfs mounts everything.\n' },
    { path: '/etc/sudoers.d/vessel', mode: 0o440, text: `${GUEST_USER.name} ALL=(ALL) NOPASSWD: ALL\n` },
    { path: '/etc/profile.d/vessel.sh', mode: 0o644, text: sourceEnvironment },
    // Debian's pip refuses to touch the system's Python; a disposable guest has nothing to protect.
    { path: '/etc/pip.conf', mode: 0o644, text: '[global]\nbreak-system-packages = true\ndisable-pip-version-check = true\n' },
    {
      path: '/usr/local/etc/npmrc',
      mode: 0o644,
      text: [`registry=${registry}`, `cafile=${CA_BUNDLE}`, 'prefer-offline=true', 'audit=false', 'fund=false', 'update-notifier=false', ''].join('\n'),
    },
    { path: '/etc/gitconfig', mode: 0o644, text: `[init]\n\tdefaultBranch = main\n[safe]\n\tdirectory = ${WORKSPACE_DIR}\n[advice]\n\tdetachedHead = false\n` },
  ];
}

/** Appended to /etc/bash.bashrc: interactive shells that are no login shells see the identity's environment too. */
export const BASHRC_LINE = sourceEnvironment;

/** Files that name the guest itself; written last, because the build needs the host's own while it runs. */
export function guestFiles(): readonly SystemFile[] {
  return [
    { path: '/etc/hostname', mode: 0o644, text: 'vessel\n' },
    // No ::1 here: a server told to listen on `localhost` must be found on 127.0.0.1, where the agent looks.
    { path: '/etc/hosts', mode: 0o644, text: '127.0.0.1 localhost vessel\n' },
    { path: '/etc/resolv.conf', mode: 0o644, text: `nameserver ${GUEST_NETWORK.nameserver}\noptions timeout:2 attempts:2\n` },
    { path: '/etc/machine-id', mode: 0o644, text: '' },
  ];
}
