import { VesselError } from '#shared/errors.ts';
import type { RemoteHost } from '../../../ports/remote-host.ts';
import { connectGuest } from '../../guest/guest-client.ts';
import type { SshHop } from '../config.ts';
import { dial } from '../dial.ts';
import type { DoctorWays } from './examine-host.ts';

const GREETING_MS = 10_000;

/** How the doctor looks at what lies between this computer and an environment. */
export function doctorWays(host: RemoteHost, hops: () => Promise<readonly SshHop[]>): DoctorWays {
  const first = async (): Promise<SshHop> => {
    const [hop] = await hops();
    if (hop === undefined) throw new VesselError('SSH_CONFIG_INVALID', 'The configuration names no machine');
    return hop;
  };
  return {
    firstHop: async () => {
      const { host: name, port, proxyCommand } = await first();
      return { host: name, port, further: (await hops()).length - 1, byCommand: proxyCommand !== null };
    },
    async greet(_host, _port, signal) {
      const socket = await dial(await first(), signal);
      try {
        return await new Promise<string>((resolve, reject) => {
          const timer = setTimeout(() => reject(new VesselError('SSH_TIMEOUT', 'The server says nothing')), GREETING_MS);
          socket.once('data', (data: Buffer) => { clearTimeout(timer); resolve(data.toString('latin1').split(/[\r\n]/)[0]?.slice(0, 80) ?? ''); });
          socket.once('close', () => { clearTimeout(timer); reject(new VesselError('SSH_REFUSED', 'The server closed the connection before it said anything')); });
        });
      } finally {
        socket.destroy();
      }
    },
    async askGuest({ address, token }, signal) {
      if (address === null || token === null) throw new VesselError('GUEST_UNREACHABLE', 'It has no address');
      const guest = connectGuest({ dial: () => host.forward(address.host, address.port), token });
      try {
        return await guest.health({ signal });
      } finally {
        guest.close();
      }
    },
  };
}
