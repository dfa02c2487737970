import { describe, expect, it } from 'vitest';
import { hasDefaultRoute, passtArguments } from './guest-network.ts';

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const given = { hostPort: 4000, guestPort: 3000, logPath: '/run/x.log' };

describe('the forwarder of a host whose network is off', () => {
  it('borrows the loopback interface, because passt starts on no host without a default route', () => {
    expect(hasDefaultRoute(HEAD)).toBe(false);
    expect(hasDefaultRoute(`${HEAD}docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n`)).toBe(false);
    expect(hasDefaultRoute(`${HEAD}eth0\t00000000\t010200C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n`)).toBe(false);
    expect(passtArguments({ ...given, routed: false }).join(' ')).toContain('--interface lo --mac-addr');
  });

  it('goes the usual way otherwise', () => {
    expect(hasDefaultRoute(`${HEAD}eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n`)).toBe(true);
    expect(passtArguments({ ...given, routed: true })).not.toContain('--interface');
  });
});
