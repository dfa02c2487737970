import { hostResolvers, ensureIsolation, isolationHolds, removeIsolation, ISOLATION_TABLE } from '../../network/isolation.ts';
import { requireRunUser } from '../../drivers/qemu/qemu-runtime.ts';
import { serviceUser } from '../../system/run-user.ts';
import type { ProvisionStep } from '../step.ts';

/** The nft table that keeps guests away from this host, its other guests and cloud metadata. */
export function isolationStep(isRoot: boolean): ProvisionStep {
  return {
    id: 'isolation', title: 'Rules that keep guests away from this host', weight: 1,
    async check() {
      if (!isRoot) return { present: true, evidence: 'without root: the host\'s loopback is closed by passt; its LAN address and its neighbours are not', plan: [] };
      const user = await serviceUser();
      const holds = user !== null && await isolationHolds(user, await hostResolvers());
      return holds
        ? { present: true, evidence: `nft table inet ${ISOLATION_TABLE} is in force`, plan: [] }
        : { present: false, evidence: `no nft table inet ${ISOLATION_TABLE}`, plan: [`create the nft table inet ${ISOLATION_TABLE}`] };
    },
    async run({ journal }) {
      const standing = await journal.standing();
      if (!standing.some(({ step }) => step === 'isolation')) await journal.record('isolation', ISOLATION_TABLE);
      const user = await requireRunUser(isRoot);
      if (user !== null) await ensureIsolation(user);
    },
    async undo() {
      await removeIsolation();
      return null;
    },
  };
}
