import { VesselError } from '#shared/errors.ts';
import type { DriverName } from '#shared/host-protocol.ts';
import type { RecordStore } from '../records/record-store.ts';
import type { DriverWithAbilities, HibernateAbility } from './driver.ts';

export type DriverChoice = {
  readonly records: RecordStore;
  /** Makes what is new. */
  readonly chosen: DriverWithAbilities;
  /** Any other driver, made when a VM of it turns up: a host may have been told to use another one since. */
  readonly make: (name: DriverName) => DriverWithAbilities;
};

/** The chosen driver for new VMs, and for every other the driver that made it. */
export function driverByRecord({ records, chosen, make }: DriverChoice): DriverWithAbilities {
  const others = new Map<DriverName, DriverWithAbilities>();

  async function of(id: string): Promise<DriverWithAbilities> {
    const name = (await records.read(id))?.record?.driver ?? chosen.name;
    if (name === chosen.name) return chosen;
    const known = others.get(name) ?? make(name);
    others.set(name, known);
    return known;
  }

  async function sleeper(id: string): Promise<HibernateAbility> {
    const { name, abilities } = await of(id);
    if (abilities.hibernate === null) throw new VesselError('BAD_REQUEST', `the driver ${name} cannot put environments to sleep`, { hint: 'Save & Exit the environment instead.' });
    return abilities.hibernate;
  }

  return {
    name: chosen.name, create: chosen.create, start: chosen.start,
    // From the records, which every driver writes alike.
    list: chosen.list,
    stop: async (id) => (await of(id)).stop(id),
    destroy: async (id) => (await of(id)).destroy(id),
    inspect: async (id) => (await of(id)).inspect(id),
    logs: async (id, lines) => (await of(id)).logs(id, lines),
    abilities: {
      ...chosen.abilities,
      hibernate: {
        hibernate: async (id, context) => (await sleeper(id)).hibernate(id, context),
        resume: async (id, deadlineMs, context) => (await sleeper(id)).resume(id, deadlineMs, context),
      },
    },
  };
}
