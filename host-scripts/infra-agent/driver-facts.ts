import type { HostFacts } from '#shared/host-protocol.ts';
import type { DriverWithAbilities } from '../drivers/driver.ts';

/** Which abilities a driver has, by the names that the protocol gives them. */
export function abilitiesOf({ abilities }: DriverWithAbilities): NonNullable<HostFacts['abilities']> {
  return (['templates', 'hibernate', 'memory', 'vsock'] as const).filter((name) => abilities[name] !== null);
}
