import type { HostProbe } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';

/**
 * A command that acts as root on a host, from what was seen of it. Where sudo wants a password, `password` must be
 * true and the caller feeds it as the first line of stdin; it is never an argument. Throws SUDO_UNAVAILABLE, SUDO_PASSWORD_NEEDED.
 */
export function asRoot({ sudo, user, hostname }: Pick<HostProbe, 'sudo' | 'user' | 'hostname'>, argv: readonly string[], { password }: { readonly password: boolean }): readonly string[] {
  const details = { user, hostname, sudo };
  switch (sudo) {
    case 'root': return argv;
    case 'passwordless': return ['sudo', '-n', '--', ...argv];
    case 'password':
      if (!password) throw new VesselError('SUDO_PASSWORD_NEEDED', `sudo asks ${user} for a password on ${hostname}`, { details });
      // -k: also where sudo still remembers an earlier password it reads this one, which would otherwise reach the command.
      return ['sudo', '-k', '-S', '-p', '', '--', ...argv];
    case 'absent': throw new VesselError('SUDO_UNAVAILABLE', `${user} is not root on ${hostname}, and there is no sudo`, { details });
  }
}
